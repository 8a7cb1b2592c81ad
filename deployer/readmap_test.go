package deployer

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/urlmap"
)

// mute loses every event of the load balancer's controller.
func mute(b *balancer) { b.lost = []string{corev1.EventTypeWarning, corev1.EventTypeNormal} }

// There is no public address, and the controller's event is lost.
func TestURLMapTellsWhatNoEventDoes(t *testing.T) {
	t.Parallel()
	w := newWorld(t, holds(time.Millisecond))
	b := behindGCE(w)
	b.set(mute)
	api := b.compute()
	w.run(told, asksOften, api.reads(b))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if by := rel.Status.Route.TookEffectBy; by != v1alpha1.SignURLMapRead {
		t.Errorf("it took effect by %q", by)
	}
	w.awaitShrinkRecorded(v1alpha1.Blue)
	if last := w.application().Status.LastSwitch; last.TookEffectBy != v1alpha1.SignURLMapRead || w.unconfirmed() != nil {
		t.Errorf("the last switch is %+v, the condition %+v", last, w.unconfirmed())
	}
}

// Nothing else speaks against the switch.
func TestURLMapThatLeadsToTheOldColourKeepsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, holds(time.Millisecond))
	b := behindGCE(w)
	b.set(mute)
	api := b.compute()
	w.run(asksOften, api.reads(b), func(d *Deployer) { d.TakeUp = 500 * time.Millisecond })
	rel := w.submit("a")
	b.refuses(rel)
	before := api.asked.Load()
	w.until("the URL map to be read after the switch", func() bool { return api.asked.Load() > before+1 }, func() string { return "" })
	w.configure(`{"deadlines":{"confirm":"1s"}}`) // by then it has shown where users are
	b.awaitEnd(rel)
	w.get(rel)
	w.expectMessage(rel, "URL map k8s2-um-1 still leads *", "to k8s1-my-python-app-blue-svc")
	w.awaitUnconfirmed(v1alpha1.ReasonOldRoutes, "URL map k8s2-um-1 still leads", "turnout confirm my-python-app --namespace "+w.namespace)
	w.expectSizes(1, 1)
	b.mends()
	w.awaitShrinkRecorded(v1alpha1.Blue)
	if last := w.application().Status.LastSwitch; last.TookEffectBy != v1alpha1.SignURLMapRead || w.unconfirmed() != nil {
		t.Errorf("the last switch is %+v, the condition %+v", last, w.unconfirmed())
	}
}

// A map that cannot be read is no evidence, neither for a switch nor against it.
func TestURLMapThatCannotBeReadIsNoEvidence(t *testing.T) {
	t.Parallel()
	for code, want := range map[int]string{
		http.StatusForbidden:          "give Turnout's Google account compute.urlMaps.get in project acme-prod (403: it is 403)",
		http.StatusNotFound:           "there is no URL map k8s2-um-1 in project acme-prod",
		http.StatusServiceUnavailable: "the Compute API answered 503",
	} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, manual, holds(time.Millisecond))
			b := behindGCE(w)
			b.set(mute)
			api := b.compute()
			api.answer.Store(int32(code))
			var logs journal
			w.run(told, asksOften, api.reads(b), func(d *Deployer) { d.Log = slog.New(slog.NewTextHandler(&logs, nil)) })
			w.configure(`{"deadlines":{"confirm":"1s"}}`)
			b.switchInVain(w.submit("a"))
			w.awaitUnconfirmed(v1alpha1.ReasonNoAddress, want, "turnout confirm my-python-app")
			before := api.asked.Load()
			w.until("it to be asked again", func() bool { return api.asked.Load() > before+1 }, func() string { return "" })
			w.expectSizes(1, 1)
			if n := strings.Count(logs.String(), "the url map of the load balancer shows nothing"); n != 1 {
				t.Errorf("the finding is reported %d times", n)
			}
			b.mends()
			api.answer.Store(0)
			w.awaitShrinkRecorded(v1alpha1.Blue)
		})
	}
}

// The way out is named where there is one.
func TestURLMapIsNamedAsAWayOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	b := behindGCE(w)
	b.set(mute)
	w.run(told)
	w.configure(`{"deadlines":{"confirm":"1s"}}`)
	b.switchInVain(w.submit("a"))
	w.awaitUnconfirmed(v1alpha1.ReasonNoAddress, "--load-balancer-project, so that it reads URL map k8s2-um-1")
}

// The questions to the URL map use only Google's own data: the names of the NEGs, and their
// zones' region if the load balancer is regional.
func TestURLMapIsAskedByWhatGooglesControllersSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := &route.Router{Client: w.kube, Reader: w.kube}
	ask := func(class string) (urlmap.Question, string, error) {
		t.Helper()
		w.patch(w.ingress(), fmt.Sprintf(`{"metadata":{"annotations":{"kubernetes.io/ingress.class":%q,%q:%q,%q:"standby.invalid"}}}`,
			class, urlMapKey, urlMapName, v1alpha1.StandbyAnnotationPrefix+"my-python-app"))
		bg := w.application()
		state, err := routes.Observe(t.Context(), bg)
		check(t, err)
		if state.URLMap != urlMapName {
			t.Errorf("the URL map is %q", state.URLMap)
		}
		work := &work{bg: bg, o: track.Observed{Routes: state}}
		return urlMap{routes: routes}.askOfMap(t.Context(), work, v1alpha1.Green)
	}
	w.editIngress(func(i *networkingv1.Ingress) {
		standby := i.Spec.Rules[0].DeepCopy()
		standby.Host, standby.HTTP.Paths[0].Backend.Service.Name = "standby.invalid", "my-python-app-green-svc"
		i.Spec.Rules = append(i.Spec.Rules, *standby)
	})
	for _, c := range []string{"blue", "green"} {
		if _, _, err := ask("gce"); err == nil || !strings.Contains(err.Error(), "no backend service is named for port 80") {
			t.Errorf("without a name the map is read: %v", err)
		}
		status := fmt.Sprintf(`{"network_endpoint_groups":{"80":"k8s1-%s"},"zones":["europe-west1-b","europe-west1-c"]}`, c)
		w.patch(&corev1.Service{ObjectMeta: w.meta("my-python-app-" + c + "-svc")},
			fmt.Sprintf(`{"metadata":{"annotations":{%q:%q,%q:%q}}}`, negAnnotation, negEnabled, negStatusKey, status))
	}
	want := urlmap.Question{StandbyHost: "standby.invalid", To: []string{"k8s1-green"}, From: []string{"k8s1-blue"}}
	for class, where := range map[string]string{"gce": "", "gce-internal": "europe-west1"} {
		q, region, err := ask(class)
		if diff := cmp.Diff(want, q); diff != "" || region != where || err != nil {
			t.Errorf("class %s is asked in region %q, %v (-want +got):\n%s", class, region, err, diff)
		}
	}
}

// journal is a log that can be read while it is written.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// A silent map is read less and less often, whatever the routes are by then, and its silence is
// logged once.
func TestSilenceIsAskedIntoLessAndLess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, asked, said, silent := &asks{}, 0, 0, true
		i := inquiry{
			app: client.ObjectKey{Name: "app"}, every: 15 * time.Second, wake: func() {},
			say: func(answers) { said++ },
			ask: func(context.Context) answers { asked++; return answers{silent: silent, reason: "NotRead403"} },
		}
		for s := range 3600 {
			i.about = fmt.Sprint(s / 60)
			a.begin(i)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		// After 0, 30 s, 1, 2, 4, 8 and then every 10 minutes.
		if asked < 8 || asked > 11 || said != 1 {
			t.Errorf("%d requests in an hour, reported %d times", asked, said)
		}
		silent = false
		time.Sleep(longestSilence)
		before := asked
		for range 60 {
			a.begin(i)
			synctest.Wait()
			time.Sleep(time.Second)
		}
		if asked != before+4 {
			t.Errorf("after an answer the API got %d requests in a minute", asked-before)
		}
		a.forget(i.app)
		synctest.Wait()
	})
}
