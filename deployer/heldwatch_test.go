package deployer

import (
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// podsFail are pods that answer the gate, but those of one colour do not once it is true.
func podsFail(c v1alpha1.Color, fails *atomic.Bool) func(*corev1.Pod) (int, error) {
	return func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == c && fails.Load() {
			return http.StatusInternalServerError, nil
		}
		return http.StatusOK, nil
	}
}

// awaitSuffering waits until people are told that the live version suffers, and returns what they read.
func (w *world) awaitSuffering(reason string) (message string, commands []v1alpha1.ShellCommand) {
	w.t.Helper()
	w.until("the condition", func() bool {
		st := w.application().Status
		c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionLiveSuffers)
		if c == nil {
			return false
		}
		message, commands = c.Message, st.CommandsOf(c.Type)
		return c.Reason == reason
	}, func() string { return message })
	return message, commands
}

// awaitWell waits until nothing is told of the live version any more.
func (w *world) awaitWell() {
	w.t.Helper()
	w.until("the condition to go", func() bool {
		st := w.application().Status
		c := meta.FindStatusCondition(st.Conditions, v1alpha1.ConditionLiveSuffers)
		return c == nil && st.CommandsOf(v1alpha1.ConditionLiveSuffers) == nil
	}, func() string { return "" })
}

// Its release has succeeded long ago, and a person decides.
func TestLiveVersionThatFailsDuringTheHoldIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	var broken atomic.Bool
	w.runWith(w.answers(podsFail(v1alpha1.Green, &broken)))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitLooks()
	w.awaitWell()
	broken.Store(true)
	message, commands := w.awaitSuffering(v1alpha1.ReasonPodsFail)
	for _, part := range []string{
		"the live version aaaaaaa (deployment my-python-app-green) suffers since ", "answered 500", rel.Name + " changed the schema", "/rollback",
	} {
		if !strings.Contains(message, part) {
			t.Errorf("the message is %q, want in it %q", message, part)
		}
	}
	back := v1alpha1.Shell("turnout", "rollback", "my-python-app", "--namespace", w.namespace)
	if !slices.Equal(commands, []v1alpha1.ShellCommand{back}) {
		t.Errorf("the commands are %q", commands)
	}
	w.expectLive(v1alpha1.Green)
	broken.Store(false)
	w.awaitWell()
}

// The address that users call is watched with the pods, whatever else goes on.
func TestPublicAddressThatFailsAfterAChangeOfTheSchemaIsReported(t *testing.T) {
	t.Parallel()
	for name, meanwhile := range map[string]func(*world){
		"during the hold":        func(w *world) { w.awaitLooks(); w.awaitWell() },
		"beside a newer release": func(w *world) { w.waitsBeside() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, expanding)
			var broken atomic.Bool
			w.publish(func(c v1alpha1.Color, rw http.ResponseWriter) {
				if c == v1alpha1.Green && broken.Load() {
					rw.WriteHeader(http.StatusServiceUnavailable)
				}
			})
			w.proofSpec(func(s *v1alpha1.ProofSpec) { s.Baseline, s.Tail = duration(time.Second), duration(time.Millisecond) })
			w.run()
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.settled()
			meanwhile(w)
			broken.Store(true)
			message, _ := w.awaitSuffering(v1alpha1.ReasonAddressFails)
			if !strings.Contains(message, w.application().Spec.URL) || !strings.Contains(message, "503") {
				t.Errorf("the message is %q", message)
			}
		})
	}
}

// waitsBeside begins another release, without a migration, that waits for an approval.
func (w *world) waitsBeside() *v1alpha1.Release {
	w.t.Helper()
	w.configure(`{"migrations":null,"promotion":{"mode":"Manual"}}`)
	w.source.commit("b", "a")
	return w.awaitPhase(w.submit("b"), v1alpha1.ReleaseWaiting)
}

// A newer release is under way, and has moved nobody yet.
func TestLiveVersionThatFailsBesideANewerReleaseIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	var broken atomic.Bool
	w.runWith(w.answers(podsFail(v1alpha1.Green, &broken)))
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	newer := w.waitsBeside()
	broken.Store(true)
	message, _ := w.awaitSuffering(v1alpha1.ReasonPodsFail)
	if !strings.Contains(message, rel.Name+" changed the schema") {
		t.Errorf("the message is %q", message)
	}
	w.approve(newer)
	w.awaitPhase(newer, v1alpha1.ReleaseSucceeded)
	w.awaitWell() // users have left it
}

// The release was cancelled, and its migration runs on.
func TestMigrationThatRunsOnIsWatched(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), expanding)
	w.kubelet.migrations(t, runsOn)
	var broken atomic.Bool
	w.runWith(w.answers(podsFail(v1alpha1.Blue, &broken)))
	rel := w.migrates(w.submit("a"))
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	broken.Store(true)
	message, commands := w.awaitSuffering(v1alpha1.ReasonPodsFail)
	job := rel.Status.Migration.Job
	if !strings.Contains(message, "job "+job+" is changing the schema") || len(commands) != 2 ||
		!strings.Contains(string(commands[1]), "suspend") {
		t.Errorf("the message is %q, with %q", message, commands)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	w.awaitWell()
}

// A contract that takes what the live version needs is stopped by nobody, and told.
func TestContractThatBreaksTheLiveVersionIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, asksHealthz(), contracts(v1alpha1.ContractOnCommand), holds(0))
	w.confirmable()
	w.kubelet.migrations(t, runsOn)
	var broken atomic.Bool
	w.runWith(w.answers(podsFail(v1alpha1.Green, &broken)))
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitShrunk(v1alpha1.Blue)
	rel := w.migrates(w.contract(1))
	if l := rel.Status.Live; l == nil || l.KnownAt == nil || l.KnownAt.After(rel.Status.Migration.IntendedAt.Time) || l.Looks == 0 {
		t.Fatalf("before the contract the live version was %+v", l)
	}
	w.configure(`{"soak":"1m"}`)
	broken.Store(true)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	f := rel.Status.Failure
	if f.Reason != v1alpha1.FailedLiveSuffers || f.Step != v1alpha1.StepContract ||
		!strings.Contains(f.Message, "the live version aaaaaaa suffers") || !strings.Contains(f.Message, "runs on") || len(f.Commands) != 2 {
		t.Errorf("the failure is %+v", f)
	}
	if *w.jobs()[0].Spec.Suspend {
		t.Error("the contract was killed")
	}
	w.awaitSchema(v1alpha1.SchemaContracting)
	w.awaitSuffering(v1alpha1.ReasonPodsFail)
	w.kubelet.migrations(t, endsWith(0, ""))
	w.awaitSchema(v1alpha1.SchemaClosed)
	w.until("what is said after the contract", func() bool {
		message, _ := w.awaitSuffering(v1alpha1.ReasonPodsFail)
		return strings.Contains(message, "contract "+rel.Name+" changed the schema") && strings.Contains(message, "merge a commit")
	}, func() string { return "" })
	broken.Store(false)
	w.awaitWell()
}

// Most users still have the previous version. Nobody else is moved, and nothing is taken back.
func TestCanaryWhoseOtherUsersSufferGoesNoFurther(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25), asksHealthz(), expanding)
	var broken atomic.Bool
	w.runWith(w.answers(podsFail(v1alpha1.Blue, &broken)))
	rel := w.await(w.submit("a"), "25 % of the users", has(25))
	broken.Store(true)
	rel = w.await(rel, "to be told", func(r *v1alpha1.Release) bool {
		return strings.Contains(findingsOf(r), "the version that the other users have, ")
	})
	w.promoteTo(rel, v1alpha1.Everybody)
	w.await(rel, "to wait for them", func(r *v1alpha1.Release) bool {
		waits := r.Status.Waiting
		return waits != nil && waits.Because == v1alpha1.BecauseNeed &&
			strings.Contains(waits.Detail, "deployment my-python-app-blue, which the other users have, fails since")
	})
	w.awaitLooks()
	if w.get(rel); rel.Status.Failure != nil {
		t.Errorf("the failure is %+v", rel.Status.Failure)
	}
	w.expectWeights(divided(75, 25))
	broken.Store(false)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}
