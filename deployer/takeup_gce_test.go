package deployer

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

const quota = "Error syncing to GCP: googleapi: Error 403: quota"

// serve starts the public address, which answers as the routes in use lead, and pods that name
// their colour as their version. It returns the connection to the pods.
func (b *balancer) serve(answer func(used v1alpha1.Color, rw http.ResponseWriter)) *rest.Config {
	w := b.w
	w.t.Helper()
	public := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		b.mu.Lock()
		used := b.used
		b.mu.Unlock()
		rw.Header().Set("App-Version", string(used))
		if answer != nil {
			answer(used, rw)
		}
	}))
	w.t.Cleanup(public.Close)
	w.setURL(public.URL)
	w.proofSpec(tellApart)
	pods := map[string]string{}
	for _, c := range []string{"blue", "green"} {
		s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) { rw.Header().Set("App-Version", c) }))
		w.t.Cleanup(s.Close)
		pods[c] = s.Listener.Addr().String()
	}
	cfg := rest.CopyConfig(plane.Config)
	cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if host, _, _ := net.SplitHostPort(address); strings.HasPrefix(host, "10.99.") {
			var list corev1.PodList
			if err := w.kube.List(ctx, &list, client.InNamespace(w.namespace)); err != nil {
				return nil, err
			}
			i := slices.IndexFunc(list.Items, func(p corev1.Pod) bool { return p.Status.PodIP == host })
			if i < 0 {
				return nil, net.UnknownNetworkError(host)
			}
			address = pods[list.Items[i].Labels["version"]]
		}
		return (&net.Dialer{}).DialContext(ctx, network, address)
	}
	return cfg
}

// asksOften makes the deployer ask the public address often.
func asksOften(d *Deployer) { d.AskEvery = 100 * time.Millisecond }

// shortly gives a switch one second to be confirmed.
func (w *world) shortly() {
	w.t.Helper()
	w.configure(`{"deadlines":{"confirm":"1s"},"proof":{"baseline":"100ms","tail":"100ms"}}`)
}

func (w *world) unconfirmed() *metav1.Condition {
	w.t.Helper()
	return meta.FindStatusCondition(w.application().Status.Conditions, v1alpha1.ConditionSwitchUnconfirmed)
}

// awaitUnconfirmed waits for the condition with a reason and with words in its message or its
// commands.
func (w *world) awaitUnconfirmed(reason string, words ...string) {
	w.t.Helper()
	said := ""
	w.until("the condition for "+reason, func() bool {
		st := w.application().Status
		c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionSwitchUnconfirmed)
		if said = "there is none"; c == nil {
			return false
		}
		said = fmt.Sprint(c.Reason, ": ", c.Message, st.CommandsOf(c.Type))
		return c.Status == metav1.ConditionTrue && c.Reason == reason &&
			!slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(said, word) })
	}, func() string { return said })
}

func (w *world) awaitShrinkRecorded(c v1alpha1.Color) {
	w.t.Helper()
	w.awaitShrunk(c)
	w.until("the record of it", func() bool { return w.application().Status.LastSwitch.Shrunk }, func() string { return "" })
}

// switchInVain makes a release switch while the load balancer cannot be programmed.
func (b *balancer) switchInVain(rel *v1alpha1.Release) *v1alpha1.Release {
	b.w.t.Helper()
	b.refuses(rel)
	b.awaitEnd(rel)
	return rel
}

// refuses makes the load balancer refuse the switch of a release that waits for approval, and
// waits for the patch.
func (b *balancer) refuses(rel *v1alpha1.Release) {
	w := b.w
	w.t.Helper()
	w.awaitPhase(rel, v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.fails = quota })
	w.approve(rel)
	w.await(rel, "the switch", func(r *v1alpha1.Release) bool {
		return r.Status.Milestones.SwitchedAt != nil || r.Status.Phase.Finished()
	})
}

func (b *balancer) awaitEnd(rel *v1alpha1.Release) {
	w := b.w
	w.t.Helper()
	w.await(rel, "the end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
	w.settled()
}

// mends lets the load balancer be programmed again.
func (b *balancer) mends() {
	b.w.t.Helper()
	b.set(func(b *balancer) { b.fails = "" })
	b.poke()
}

// The controller's budget of Warnings is used up. Only the public address, which still shows the
// old version, speaks against the switch.
func TestSilenceDoesNotShrinkTheVersionThatUsersReach(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	w.shortly()
	b := behindGCE(w)
	cfg := b.serve(nil)
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeWarning, corev1.EventTypeNormal} })
	stop := w.runWith(cfg, told, asksOften)
	rel := b.switchInVain(w.submit("a"))
	w.get(rel)
	w.expectMessage(rel, "the old version still answers")
	w.awaitUnconfirmed(v1alpha1.ReasonOldVersion, "may still be with blue", "answers with the version blue",
		"turnout confirm my-python-app --namespace "+w.namespace)
	stop()
	w.runWith(cfg, told, asksOften) // derived from the record
	w.awaitUnconfirmed(v1alpha1.ReasonOldVersion)
	w.expectSizes(1, 1)
	image := w.blueImage()
	w.source.commit("b", "a")
	next := w.await(w.submit("b"), "the next release to wait", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message,
			"until the load balancer takes up the last switch: nothing shows that it did, so users may still be with my-python-app-blue-svc")
	})
	if w.expectSizes(1, 1); w.blueImage() != image {
		t.Error("a version is staged over the users' colour")
	}
	w.cancel(next)
	w.awaitPhase(next, v1alpha1.ReleaseCancelled)
	b.mends()
	w.awaitShrinkRecorded(v1alpha1.Blue) // by the public address alone
	last := w.application().Status.LastSwitch
	if last.TookEffectBy != v1alpha1.SignNewVersion || w.unconfirmed() != nil {
		t.Errorf("the last switch is %+v, the condition %+v", last, w.unconfirmed())
	}
}

func TestPersonConfirmsWhatNothingElseTells(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	w.shortly()
	b := behindGCE(w)
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeWarning, corev1.EventTypeNormal} })
	w.run(told)
	rel := b.switchInVain(w.submit("a"))
	w.awaitUnconfirmed(v1alpha1.ReasonNoAddress, "spec.url", "turnout confirm my-python-app")
	w.expectSizes(1, 1)
	b.mends()
	w.until("the routes to be used", func() (used bool) {
		b.set(func(b *balancer) { used = b.used == v1alpha1.Green })
		return used
	}, func() string { return "" })
	w.awaitUnconfirmed(v1alpha1.ReasonNoAddress)
	c := v1alpha1.Confirmation{
		Color: v1alpha1.Green, By: "dora", At: metav1.Now(),
		Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "dora"},
	}
	check(t, w.record().Confirm(t.Context(), keyOf(rel), c))
	w.awaitShrinkRecorded(v1alpha1.Blue)
	if last := w.application().Status.LastSwitch; last.TookEffectBy != v1alpha1.SignPerson || w.unconfirmed() != nil {
		t.Errorf("the last switch is %+v, the condition %+v", last, w.unconfirmed())
	}
	c.By = "eve"
	if err := w.record().Confirm(t.Context(), keyOf(rel), c); err == nil {
		t.Error("a second confirmation gives no error")
	}
	w.get(rel)
	rel.Spec.Confirmations[0].By = "eve"
	if err := w.kube.Update(t.Context(), rel); err == nil || !strings.Contains(err.Error(), "set once") {
		t.Errorf("a confirmation can be changed: %v", err)
	}
}

// The controller's last event is a Warning, and the budget for the event that would revoke it is
// used up.
func TestPublicAddressOutweighsAStaleWarning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.shortly()
	b := behindGCE(w)
	cfg := b.serve(nil)
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeNormal} })
	w.runWith(cfg, told, asksOften)
	b.switchInVain(w.submit("a"))
	w.awaitUnconfirmed(v1alpha1.ReasonOldVersion, "the controller says: "+quota)
	b.mends()
	w.configure(`{"promotion":{"mode":"Automatic"},"deadlines":{"confirm":"1m"}}`)
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
}

// The Ingress is shared, and its controller was still at somebody else's change when the switch
// came.
func TestEventOfAnothersChangeIsNoSign(t *testing.T) {
	t.Parallel()
	for _, reads := range []bool{false, true} {
		t.Run(fmt.Sprintf("the URL map is read: %v", reads), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, manual, holds(time.Millisecond))
			b := behindGCE(w)
			b.set(func(b *balancer) { b.late = true })
			change := []func(*Deployer){told, asksOften}
			if reads {
				change = append(change, b.compute().reads(b))
			}
			w.run(change...)
			w.configure(`{"deadlines":{"confirm":"1s"}}`)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
			w.editIngress(func(i *networkingv1.Ingress) {
				other := i.Spec.Rules[1].DeepCopy()
				other.Host = "another.example.com"
				i.Spec.Rules = append(i.Spec.Rules, *other)
			})
			w.approve(rel)
			rel = w.await(rel, "the end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
			if r := rel.Status.Route; track.Tells(r.TookEffectBy) || !r.Unsettled {
				t.Errorf("the route is %+v", r)
			}
			w.settled()
			reason := v1alpha1.ReasonNoAddress
			if reads {
				reason = v1alpha1.ReasonOldRoutes
			}
			w.awaitUnconfirmed(reason)
			w.expectSizes(1, 1)
			b.set(func(b *balancer) {
				if b.late || b.used != v1alpha1.Blue {
					t.Errorf("the load balancer uses %s, late: %v", b.used, b.late)
				}
			})
		})
	}
}

// A failure that the controller reported once, and has retried since.
func TestWarningThatIsNotRepeatedEndsToSpeakAgainstASwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	b := behindGCE(w)
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeNormal} })
	w.run(func(d *Deployer) { d.TakeUp = 3 * time.Second })
	w.configure(`{"deadlines":{"confirm":"15s"}}`)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b.set(func(b *balancer) { b.fails = quota })
	w.approve(rel)
	w.await(rel, "the warning", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "its controller reports: "+quota)
	})
	b.mends()
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectFinding(rel, "nobody saw")
	w.awaitUnconfirmed(v1alpha1.ReasonNoAddress, "the controller said at", "and not since: "+quota) // which is no sign
	w.expectSizes(1, 1)
}

// By itself it would retry only after a long back-off.
func TestControllerThatBacksOffIsUrged(t *testing.T) {
	t.Parallel()
	for _, late := range []bool{false, true} {
		t.Run(fmt.Sprintf("after the release has ended: %v", late), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, manual)
			b := behindGCE(w)
			w.run(told, settles)
			if late {
				w.configure(`{"deadlines":{"confirm":"1s"}}`)
			}
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
			b.set(func(b *balancer) { b.fails = quota })
			w.approve(rel)
			w.await(rel, "the warning", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, quota) })
			if late {
				w.awaitPhase(rel, v1alpha1.ReleaseError)
				w.awaitUnconfirmed(v1alpha1.ReasonNoAddress)
			}
			b.set(func(b *balancer) { b.fails = "" }) // and nobody edits the Ingress
			w.until("the switch to be taken up", func() bool {
				last := w.application().Status.LastSwitch
				return last != nil && last.TookEffectBy == v1alpha1.SignURLMap
			}, func() string { return fmt.Sprint(w.application().Status.LastSwitch) })
		})
	}
}

// Users go back at once, wherever they are. Then both colours are kept until the load balancer
// has had time to apply the earlier writes.
func TestRollbackOfAnUnconfirmedSwitchWaitsForNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	w.shortly()
	b := behindGCE(w)
	cfg := b.serve(nil)
	b.set(func(b *balancer) { b.lost = []string{corev1.EventTypeWarning, corev1.EventTypeNormal} })
	w.runWith(cfg, told, asksOften)
	b.switchInVain(w.submit("a"))
	w.awaitUnconfirmed(v1alpha1.ReasonOldVersion)
	back := w.await(w.rollback(), "the end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
	if back.Status.Milestones.SwitchedAt == nil {
		t.Fatalf("users were not switched: %s", back.Status.Message)
	}
	w.settled()
	w.awaitUnconfirmed(v1alpha1.ReasonAsking, "may still be with green", "is asked from")
	w.expectLive(v1alpha1.Blue)
	w.expectSizes(1, 1)
	if last := w.application().Status.LastSwitch; !last.Unsettled || last.TookEffectAt != nil && track.Tells(last.TookEffectBy) {
		t.Errorf("the last switch is %+v", last)
	}
}

// The colour that a restore left may still have users, like any other.
func TestRestoreThatIsNotTakenUpKeepsTheColourThatFailed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(time.Millisecond))
	b := behindGCE(w)
	cfg := b.serve(func(used v1alpha1.Color, rw http.ResponseWriter) {
		if used == v1alpha1.Green {
			b.set(func(b *balancer) {
				if b.mended {
					return
				}
				b.fails, b.lost = quota, []string{corev1.EventTypeWarning, corev1.EventTypeNormal}
			})
			rw.WriteHeader(http.StatusInternalServerError)
		}
	})
	w.configure(`{"proof":{"tail":"1m"}}`) // however slow the machine is, green is seen to fail
	w.runWith(cfg, asksOften, func(d *Deployer) { d.TakeUp = 2 * time.Second })
	rel := w.await(w.submit("a"), "the end", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
	if rel.Status.Milestones.RestoredAt == nil {
		t.Fatalf("users were not moved back: %s", rel.Status.Message)
	}
	w.settled()
	w.expectLive(v1alpha1.Blue)
	w.awaitUnconfirmed(v1alpha1.ReasonOldVersion, "may still be with green")
	w.expectSizes(1, 1)
	b.set(func(b *balancer) { b.mended = true })
	b.mends()
	w.awaitShrinkRecorded(v1alpha1.Green)
	if last := w.application().Status.LastSwitch; last.Kind != v1alpha1.KindRestore || last.TookEffectBy != v1alpha1.SignNewVersion {
		t.Errorf("the last switch is %+v", last)
	}
}
