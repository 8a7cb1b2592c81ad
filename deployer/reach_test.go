package deployer

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func (h *history) reachable(closed string, branchless bool, failing error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.closed, h.branchless, h.failing = closed, branchless, failing
}

// askedReach counts the checks whether the repository can be read.
func (h *history) askedReach() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.reachAsks
}

// expectReady waits until the application is ready, or reports the given reason.
func (w *world) expectReady(reason string, parts ...string) {
	w.t.Helper()
	w.until("the condition "+reason, func() bool {
		c := readyCondition(w.application())
		return c.Reason == reason && !strings.Contains(c.Message, "%!") && containsAll(c.Message, parts)
	}, func() string { return readyCondition(w.application()).Message })
}

// notInstalled is the bot's message.
const notInstalled = "the App is not installed on acme/my-python-app: install it there, or give its installation that repository"

// If the App cannot see the repository of a new BlueGreen, its author learns that at once, not at
// the first build, and after the next change of its spec that it is fixed.
func TestRepositoryThatCannotBeReleasedIsSaidWhenTheApplicationIsMade(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		closed     string
		branchless bool
		reason     string
		want       []string
	}{
		"not installed": {notInstalled, false, v1alpha1.ReasonNotInstalled, []string{notInstalled}},
		"no branch": {"", true, v1alpha1.ReasonBranchMissing, []string{
			"acme/my-python-app has no branch main: push it, or name another in spec.branch of bluegreen my-python-app",
		}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.reachable(tt.closed, tt.branchless, nil)
			w.run()
			w.expectReady(tt.reason, tt.want...)
			w.expectOnPage(readyCondition(w.application()).Message)
			bg := w.application()
			if bg.Status.Phase != v1alpha1.PhaseBlocked || w.live() != v1alpha1.Blue {
				t.Errorf("phase %s, live %s", bg.Status.Phase, w.live())
			}
			w.source.reachable("", false, nil)
			change(w, bg, func(bg *v1alpha1.BlueGreen) { bg.Spec.HistoryLimit++ })
			w.expectReady(v1alpha1.ReasonReady)
		})
	}
}

// A deploy waits for it as for every other condition, and then continues; a rollback does not
// wait.
func TestDeployWaitsUntilItsRepositoryCanBeRead(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.source.commit("b", "a")
	w.source.reachable(notInstalled, false, nil)
	w.run()
	w.expectReady(v1alpha1.ReasonNotInstalled)
	rel := w.await(w.submit("b"), "it to wait", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.ReleaseQueued && r.Status.Message != ""
	})
	w.expectMessage(rel, "waits: "+notInstalled)
	back := w.rollback()
	w.awaitBack()
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	if w.get(rel); rel.Status.Build != nil || rel.Status.Phase != v1alpha1.ReleaseQueued {
		t.Errorf("the deploy is %+v", rel.Status)
	}
	w.source.reachable("", false, nil)
	w.submit("a", func(r *v1alpha1.Release) { // checked again, since this push may have fixed it
		r.Name, r.Spec.Deploy.Attempt = v1alpha1.DeployName("my-python-app", w.source.sha("a"), 2), 2
	})
	w.expectReady(v1alpha1.ReasonReady)
	w.awaitPhase(rel, v1alpha1.ReleaseWaiting) // it contains the rolled-back commit
}

// The unknown is never reported as missing, and what is missing stays missing.
func TestRepositoryThatIsNotToldOfIsNotSaidToBeMissing(t *testing.T) {
	t.Parallel()
	outage := errors.New("GitHub answered 502")
	for name, tt := range map[string]struct {
		before, reason string
	}{"ready": {"", v1alpha1.ReasonReady}, "not installed": {notInstalled, v1alpha1.ReasonNotInstalled}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.reachable(tt.before, false, nil)
			look := w.lookedAt()
			look(1)
			w.expectReady(tt.reason)
			w.source.reachable("", false, outage)
			bg := w.application()
			change(w, bg, func(bg *v1alpha1.BlueGreen) { bg.Spec.HistoryLimit++ })
			before := w.source.askedReach()
			look(3)
			w.expectReady(tt.reason)
			if n := w.source.askedReach() - before; n != 1 {
				t.Errorf("GitHub got %d requests in three looks", n)
			}
			if tt.before != "" { // nor more often for a waiting deploy
				w.submit("a")
				look(5)
				if n := w.source.askedReach() - before; n > 2 {
					t.Errorf("GitHub got %d requests during an outage", n)
				}
			}
			w.lookedAt()(1) // another process, without any answer
			w.expectReady(tt.reason)
		})
	}
}

// Looks do not wait for the answer, and ask once.
func TestRepositoryIsAskedAboutBesideTheLooksAndOnASlowClock(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := w.sluggish()
	release := s.hold("Closed")
	defer release()
	var d *Deployer
	look := w.lookedAt(from(s), func(made *Deployer) { d = made })
	look(5)
	w.expectReady(v1alpha1.ReasonReady)
	if n := s.asked("Closed"); n != 1 {
		t.Errorf("%d requests in five looks", n)
	}
	w.source.reachable(notInstalled, false, nil)
	release()
	w.until("the answer", func() bool { look(1); return readyCondition(w.application()).Reason == v1alpha1.ReasonNotInstalled },
		func() string { return "" })
	app := keyOf(w.application())
	known, _ := d.reaches.get(app)
	if pause := known.next.Sub(known.asked); pause > reachMissing || pause < reachMissing*8/10 {
		t.Errorf("the next request is due after %s", pause)
	}
	w.source.reachable("", false, nil)
	look(3)
	if n := s.asked("Closed"); n != 1 {
		t.Errorf("%d requests before the next one was due", n)
	}
	known.next = time.Now()
	d.reaches.set(app, known)
	w.until("it to be mended", func() bool { look(1); return readyCondition(w.application()).Reason == v1alpha1.ReasonReady },
		func() string { return "" })
	if known, _ = d.reaches.get(app); known.next.Sub(known.asked) < reachEvery*8/10 {
		t.Errorf("the next request is due after %s", known.next.Sub(known.asked))
	}
}

// Only its ID is requested until the repository is identified.
func TestRepositoryOfAnotherNumberIsNotAskedForItsBranch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.lookedAt()(1)
	w.expectReady(v1alpha1.ReasonReady)
	if pin := w.application().Status.Repository; pin == nil || pin.ID != 4711 {
		t.Errorf("the recorded repository is %+v", pin)
	}
	w.source.replace(4712)
	w.source.reachable("", true, nil)
	w.lookedAt()(1)
	w.expectReady(v1alpha1.ReasonRepositoryChanged)
}

func TestNothingIsAskedOfARepositoryThatIsNotGranted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.annotate(map[string]string{v1alpha1.RepositoriesAnnotation: "acme/other"})
	s := &spy{history: w.source}
	w.lookedAt(from(s))(2)
	w.expectReady(v1alpha1.ReasonNotGranted)
	if asked := s.all(); len(asked) > 0 {
		t.Errorf("asked were %v", asked)
	}
}
