package deployer

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// confirmsWithin sets the time for weights and switches to take effect.
func confirmsWithin(d time.Duration) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) { bg.Spec.Deadlines.Confirm.Duration = d }
}

// awaitWithdrawUnconfirmed waits until the application says that users may still be with a canary
// that went back.
func (w *world) awaitWithdrawUnconfirmed(reason, text string) *metav1.Condition {
	w.t.Helper()
	var c *metav1.Condition
	w.until("the application to say "+reason, func() bool {
		c = w.condition(v1alpha1.ConditionWithdrawUnconfirmed)
		return c != nil && c.Reason == reason && strings.Contains(c.Message, text)
	}, func() string {
		if c == nil {
			return "no condition"
		}
		return c.Reason + ": " + c.Message
	})
	return c
}

// A Gateway does not take up the weight 0. The release goes on for as long as users may be there,
// and says so loudly; a person's word ends it.
func TestWithdrawalThatIsLateIsSaidAndDoesNotEnd(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(25, 5, 25), confirmsWithin(2*time.Second))
	told := events.NewFakeRecorder(64)
	w.run(func(d *Deployer) { d.Events = told })
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	g.holdInside(true)
	w.cancel(rel)
	c := w.awaitWithdrawUnconfirmed(v1alpha1.ReasonOldRoutes, "users may still be with green, after 2s")
	if !strings.Contains(c.Message, "infra/inside has seen generation") ||
		!strings.Contains(c.Message, "Deployment my-python-app-green keeps its size") {
		t.Errorf("it says %q", c.Message)
	}
	if commands := w.application().Status.CommandsOf(c.Type); len(commands) != 1 || !strings.Contains(string(commands[0]), "turnout confirm") {
		t.Errorf("the commands are %q", commands)
	}
	rel = w.await(rel, "a finding", func(r *v1alpha1.Release) bool {
		return len(r.Status.Findings) > 0 && strings.Contains(r.Status.Findings[len(r.Status.Findings)-1].Text, "users may still be there")
	})
	w.look()
	if w.get(rel); rel.Status.Phase != v1alpha1.ReleaseUndoing || rel.Status.Milestones.WithdrawnAt != nil {
		t.Errorf("it is %s: %+v", rel.Status.Phase, rel.Status.Milestones)
	}
	w.expectSizes(1, 1)
	check(t, w.record().Confirm(t.Context(), client.ObjectKeyFromObject(rel), v1alpha1.Confirmation{
		Color: v1alpha1.Blue, By: "dora", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI},
	}))
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.settled()
	w.expectSizes(1, 0)
	w.until("the condition is gone", func() bool { return w.condition(v1alpha1.ConditionWithdrawUnconfirmed) == nil },
		func() string { return "it is there" })
	if all := saidSo(told); !strings.Contains(all, "Normal Withdrawn ") {
		t.Errorf("the events are %s", all)
	}
}

// saidSo are the events so far.
func saidSo(told *events.FakeRecorder) string {
	var all []string
	for {
		select {
		case one := <-told.Events:
			all = append(all, one)
		default:
			return strings.Join(all, "\n")
		}
	}
}

// Somebody else divides users again while the release waits for the weight 0. It ends, and nothing
// says that users have left.
func TestWithdrawalThatSomebodyElseEndsIsNotCalledOne(t *testing.T) {
	t.Parallel()
	w, g := newGatewayWorld(t, steps(25, 5, 25), confirmsWithin(time.Second))
	told := events.NewFakeRecorder(64)
	w.run(func(d *Deployer) { d.Events = told })
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	g.holdInside(true)
	w.cancel(rel)
	w.awaitWithdrawUnconfirmed(v1alpha1.ReasonOldRoutes, "users may still be with green")
	w.reweigh([]int{0, 1}, 60, 40)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.foundAbout(rel, "was given other weights by someone else")
	w.until("the condition is gone", func() bool { return w.condition(v1alpha1.ConditionWithdrawUnconfirmed) == nil },
		func() string { return "it is there" })
	if all := saidSo(told); strings.Contains(all, "Withdrawn no users") || strings.Contains(all, "Normal Withdrawn") {
		t.Errorf("the events are %s", all)
	}
}

// The weight 0 cannot be written, for longer than a weight may take. As soon as it can, users go
// back.
func TestWithdrawalThatCannotBeWrittenIsSaidAndGoesOn(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 5, 25), confirmsWithin(2*time.Second))
	var broken atomic.Bool
	cfg := rest.CopyConfig(w.cfg)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if broken.Load() && describe(req) == patchShares {
				return nil, errSpoiled
			}
			return next.RoundTrip(req)
		})
	})
	w.runWith(cfg, quick("first"))
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	broken.Store(true)
	w.cancel(rel)
	c := w.awaitWithdrawUnconfirmed(v1alpha1.ReasonNotWritten, "cannot be given the weight 0")
	if !strings.Contains(c.Message, "connection reset by the test") {
		t.Errorf("it says %q", c.Message)
	}
	w.expectWeights(divided(75, 25))
	w.expectSizes(1, 1)
	broken.Store(false)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectOnGateway(v1alpha1.Blue, 5)
	w.expectSizes(1, 0)
}
