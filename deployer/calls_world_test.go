package deployer

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc/status"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// An upload trickles, GitHub has stopped answering, and a rollback to the held colour arrives.
func TestRollbackWaitsForNoUpload(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.pretendDeployed()
	s := w.sluggish()
	defer s.hold("Archive")()
	w.run(from(s))
	rel := w.submit("b")
	w.until("the upload", func() bool { return s.asked("Archive") == 1 }, func() string { return "" })
	defer s.hold("File", "IsAncestor", "HasCommit")()
	asked := s.asked("File") + s.asked("IsAncestor") + s.asked("HasCommit")
	back := w.rollback()
	w.awaitBack()
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectMessage(w.awaitPhase(rel, v1alpha1.ReleaseSuperseded), back.Name)
	w.until("the upload to be given up", func() bool { return s.gaveUp() == 1 }, func() string { return "" })
	if n := s.asked("File") + s.asked("IsAncestor") + s.asked("HasCommit"); n != asked {
		t.Errorf("GitHub got %d requests for a rollback", n-asked)
	}
	if n := len(w.made()); n != 0 {
		t.Errorf("%d builds were made", n)
	}
}

// The same with a hanging question to GitHub or Cloud Build.
func TestRollbackWaitsForNoAnswer(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"File", "IsAncestor", "CreateBuild", "GetBuild", "CancelBuild", "ListBuilds"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.commit("b", "a")
			s := w.sluggish()
			var hangs atomic.Bool
			var hung atomic.Int32
			w.run(quick("first"), from(s), w.interrupted(func(ctx context.Context, method string) error {
				if !hangs.Load() || !strings.HasSuffix(method, "/"+call) {
					return nil
				}
				hung.Add(1)
				<-ctx.Done()
				return status.FromContextError(ctx.Err()).Err()
			}))
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			w.settled()
			hangs.Store(true)
			defer s.hold(call)()
			defer w.holdBuilds("b")()
			if call == "ListBuilds" {
				w.builds.Fail("CreateBuild", cloudbuildtest.Fault{})
			}
			before := s.asked(call)
			w.await(w.submit("b"), "the call", func(r *v1alpha1.Release) bool {
				if call == "CancelBuild" {
					return r.Status.Build != nil && r.Status.Build.ID != ""
				}
				return s.asked(call)-before+int(hung.Load()) > 0
			})
			w.rollback()
			w.awaitBack()
		})
	}
}

// An unresponsive pod delays a look for as long as one attempt may take.
func TestRollbackCancelsTheLookThatWaitsForAPod(t *testing.T) {
	t.Parallel()
	w := newWorld(t, soaks(time.Hour), gated(v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: "/healthz", Port: 8080}}}),
		func(bg *v1alpha1.BlueGreen) {
			bg.Spec.Gate.TryTimeout = metav1.Duration{Duration: time.Minute}
		})
	ctx, cancel := context.WithCancel(t.Context())
	var hung atomic.Int32
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == v1alpha1.Green && w.live() == v1alpha1.Green {
			hung.Add(1)
			<-ctx.Done()
		}
		return http.StatusOK, nil
	}))
	defer cancel()
	w.submit("a")
	w.until("a look to hang", func() bool { return hung.Load() > 0 }, func() string { return "" })
	w.rollback()
	w.awaitBack()
}

// A failed release checks whether the previous colour can take its users back. A person's
// rollback does not wait for that check.
func TestRollbackDoesNotWaitForTheColourItGoesBackTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t, gated(v1alpha1.GateSpec{HTTP: []v1alpha1.HTTPCheck{{Path: "/healthz", Port: 8080}}}), func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Gate.TryTimeout = metav1.Duration{Duration: time.Minute}
	})
	w.setURL(w.address(func() {}))
	ctx, cancel := context.WithCancel(t.Context())
	var hung atomic.Int32
	w.runWith(w.answers(func(pod *corev1.Pod) (int, error) {
		if colorOf(pod) == v1alpha1.Blue {
			hung.Add(1)
			<-ctx.Done()
		}
		return http.StatusOK, nil
	}))
	defer cancel()
	w.submit("a")
	w.until("a look to hang", func() bool { return hung.Load() > 0 }, func() string { return "" })
	w.rollback()
	w.awaitBack()
}

// Looks continue during an upload, however long it takes, and the upload runs once.
func TestUploadRunsBesideTheLooks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sluggish()
	release := s.hold("Archive")
	defer release()
	w.run(quick("first"), from(s))
	rel := w.submit("a")
	w.until("the upload", func() bool { return s.asked("Archive") == 1 }, func() string { return "" })
	w.renewals(15)
	w.await(rel, "it to say so", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "bringing the source of "+repository+" at aaaaaaa to Cloud Storage")
	})
	s.mu.Lock()
	left := time.Until(s.deadline)
	s.mu.Unlock()
	if left < 10*time.Minute {
		t.Errorf("an upload has only %s", left)
	}
	release()
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	if n := s.asked("Archive"); n != 1 {
		t.Errorf("the archive was fetched %d times", n)
	}
	if n := s.asked("File"); n != 1 {
		t.Errorf("the build's file was read %d times", n)
	}
}

func TestUploadEndsWithItsRelease(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sluggish()
	defer s.hold("Archive")()
	w.run(from(s))
	rel := w.submit("a")
	w.until("the upload", func() bool { return s.asked("Archive") == 1 }, func() string { return "" })
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.until("the upload to be given up", func() bool { return s.gaveUp() == 1 }, func() string { return "" })
}

func TestUploadEndsWithTheClaim(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sluggish()
	release := s.hold("Archive")
	defer release()
	w.run(quick("first"), from(s))
	rel := w.submit("a")
	w.until("the upload", func() bool { return s.asked("Archive") == 1 }, func() string { return "" })
	w.until("another process to have the claim", func() bool {
		bg := w.application()
		bg.Status.Active.Holder, bg.Status.Active.RenewedAt = "another", metav1.NewMicroTime(time.Now().Add(3*time.Second))
		return w.kube.Status().Update(t.Context(), bg) == nil
	}, func() string { return "" })
	w.until("the upload to be given up", func() bool { return s.gaveUp() == 1 }, func() string { return "" })
	release() // the other process never came back
	w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
}

// The crash table of the upload: the process ends during it, and after it but before its result
// is known.
func TestProcessMayEndDuringTheUploadAndAfterIt(t *testing.T) {
	t.Parallel()
	t.Run("during", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.sluggish()
		release := s.hold("Archive")
		defer release()
		stop := w.run(quick("first"), from(s))
		rel := w.submit("a")
		w.until("the upload", func() bool { return s.asked("Archive") == 1 }, func() string { return "" })
		stop()
		if n := s.gaveUp(); n != 1 {
			t.Errorf("the ended process gave up %d uploads", n)
		}
		release()
		w.run(quick("second"), from(s))
		w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
	})
	t.Run("after", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		s := w.sluggish()
		e := newEffects(before, true)
		e.match = func(what, body string) bool {
			return strings.Contains(what, "releases/") && strings.Contains(body, "intendedAt")
		}
		stop := w.runWith(e.config(plane.Config), quick("first"), from(s))
		rel := w.submit("a")
		<-e.spoiled
		stop()
		w.run(quick("second"), from(s))
		w.expectDeployed(w.awaitPhase(rel, v1alpha1.ReleaseSucceeded))
		if n := s.asked("Archive"); n != 1 {
			t.Errorf("the archive was fetched %d times", n)
		}
	})
}

// While the next release waits for its source, or for GitHub, the soaking one is still watched
// and ends in time.
func TestBuildingAheadDoesNotHoldUpTheSoak(t *testing.T) {
	t.Parallel()
	for _, call := range []string{"Archive", "File"} {
		t.Run(call, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, soaks(2*time.Second))
			w.source.commit("b", "a")
			s := w.sluggish()
			w.run(from(s))
			rel := w.await(w.submit("a"), "the soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
			release := s.hold(call)
			defer release()
			next := w.submit("b")
			w.until("the call", func() bool { return s.asked(call) == 2 }, func() string { return "" })
			w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
			release()
			w.awaitPhase(next, v1alpha1.ReleaseSucceeded)
			if n := s.asked(call); n != 2 {
				t.Errorf("%d requests for two releases", n)
			}
		})
	}
}

// A failed call is not repeated before its back-off is over, whatever wakes the application,
// except a person.
func TestBackOffHoldsWhoeverWakesTheStep(t *testing.T) {
	t.Parallel()
	const looks = 12
	outage := errors.New("GitHub answered 502")
	for name, tt := range map[string]struct {
		commit string
		fail   func(*world)
		count  func(*world) int
	}{
		"the queue":    {"b", func(w *world) { w.source.fail(outage) }, func(w *world) int { return w.source.asked() }},
		"the trigger":  {"a", unavailable("GetBuildTrigger", true), called("GetBuildTrigger")},
		"the build":    {"a", unavailable("CreateBuild", false), called("CreateBuild")},
		"its progress": {"a", unavailable("GetBuild", false), called("GetBuild")},
		"its discovery": {
			"a", func(w *world) { unavailable("CreateBuild", false)(w); unavailable("ListBuilds", false)(w) },
			called("CreateBuild", "ListBuilds"),
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.commit("b", "a")
			look := w.lookedAt(func(d *Deployer) { d.BackOff, d.BuildGrace = time.Hour, time.Millisecond })
			if tt.commit == "b" {
				live := w.submit("a")
				w.until("something to be live", func() bool { look(1); w.get(live); return live.Status.Phase.Finished() },
					func() string { return live.Status.Message })
			}
			before := tt.count(w)
			tt.fail(w)
			rel := w.submit(tt.commit)
			w.until("a failure", func() bool { look(1); return tt.count(w) > before }, func() string { return "" })
			look(looks)
			if n := tt.count(w) - before; n != 1 {
				t.Errorf("%d calls in %d looks, want 1 before the back-off is over", n, looks)
			}
			w.approve(rel)
			w.until("a person ends it", func() bool { look(1); return tt.count(w) > before+1 }, func() string { return "" })
			look(looks)
			if n := tt.count(w) - before; n != 2 {
				t.Errorf("%d calls after a person's command, want 2", n)
			}
		})
	}
}

// unavailable makes every call of a method fail. With trigger, the application builds by a
// trigger.
func unavailable(method string, trigger bool) func(*world) {
	return func(w *world) {
		if trigger {
			change(w, w.application(), byTrigger)
			w.keepTrigger()
		}
		w.builds.Fail(method, cloudbuildtest.Fault{Times: 50})
	}
}

func called(methods ...string) func(*world) int {
	return func(w *world) (n int) {
		for _, m := range methods {
			n += w.builds.Calls()[m]
		}
		return n
	}
}
