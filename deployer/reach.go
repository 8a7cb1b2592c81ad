package deployer

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// reachEvery is how often to check whether a repository can still be read and has its branch:
	// three requests, of GitHub's thousands an hour.
	reachEvery = 30 * time.Minute
	// reachMissing is the same interval while the repository or the branch is missing.
	reachMissing = 10 * time.Minute
	// reachWaited is the same interval while a deploy waits for that.
	reachWaited = time.Minute
	// reachUnknown is the pause after an unanswered question.
	reachUnknown = 2 * time.Minute
	// stepReach is the step of questions about a repository outside of releases.
	stepReach = v1alpha1.Step("reach")
)

// reaching checks, at long intervals, whether the repository can be read.
type reaching struct {
	repository ownRepository
	calls      *calls
	reaches    *reaches
}

// reach is the obstacle to building the application's repository, as far as is known: it cannot
// be read, or lacks the branch. A missing answer changes nothing. reach asks when the application
// is created or changed, and then at long intervals. It does not ask while a release acts, since
// the release finds out itself, nor while users wait for a rollback.
func (r reaching) reach(ctx context.Context, w *work) *track.Obstacle {
	app := client.ObjectKeyFromObject(w.bg)
	now, known := r.reaches.get(app)
	if now.repository != w.bg.Spec.Repository || now.branch != w.bg.Spec.Branch {
		now = reach{repository: w.bg.Spec.Repository, branch: w.bg.Spec.Branch, missing: r.toldMissing(w, known)}
	}
	deploys, rollbacks := w.waiting(nil)
	if w.bg.Status.Active != nil || len(rollbacks) > 0 {
		return now.missing
	}
	due, newest := now.next, now.newest
	if now.missing != nil && len(deploys) > 0 {
		due = slices.MinFunc([]time.Time{due, now.asked.Add(reachWaited)}, time.Time.Compare)
		if newest = string(deploys[len(deploys)-1].UID); newest != now.newest {
			due = w.o.Now // its push may have created the branch
		}
	}
	if now.generation == w.bg.Generation && w.o.Now.Before(due) {
		w.wakeAt(due)
		return now.missing
	}
	if now, known = r.askReach(ctx, w, now); known {
		now.newest = newest
	}
	r.reaches.set(app, now)
	return now.missing
}

// askReach asks. It returns what is known by now, and whether the question is settled.
func (r reaching) askReach(ctx context.Context, w *work, known reach) (reach, bool) {
	t := r.calls.turn(client.ObjectKeyFromObject(w.bg), turnKey{step: stepReach}, haste)
	if c := meta.FindStatusCondition(w.bg.Status.Conditions, v1alpha1.ConditionReady); c == nil || c.ObservedGeneration != w.bg.Generation {
		t.wait = patience // the person who created or changed it is waiting
	}
	missing, err := r.findMissing(ctx, w, t)
	if asked := pending(err); asked != nil {
		w.wakeAt(asked.pause(w.o.Now).until)
		return known, false
	}
	if ctx.Err() != nil {
		return known, false
	}
	t.settle(w.o.Now, err)
	known.generation, known.asked = w.bg.Generation, w.o.Now
	switch every := reachEvery; {
	case err != nil && w.barred != nil: // another repository has the name; the condition reports that
		known.missing, known.next = nil, w.o.Now.Add(reachUnknown)
	case err != nil:
		w.log.WarnContext(ctx, "the repository could not be checked", "repository", w.bg.Spec.Repository, "error", err)
		known.next = w.o.Now.Add(reachUnknown)
	default:
		if missing != nil {
			every = reachMissing
		}
		// Applications created together should not be checked together for ever.
		known.missing, known.next = missing, w.o.Now.Add(every-time.Duration(rand.Float64()*float64(every)/10))
	}
	w.wakeAt(known.next)
	return known, true
}

// findMissing asks one question after the other: nothing about a repository before it is
// readable, and only its ID before that is known.
func (r reaching) findMissing(ctx context.Context, w *work, t *turn) (*track.Obstacle, error) {
	source, branch := r.repository.source(w), w.bg.Spec.Branch
	about := w.bg.Spec.Repository + " " + branch
	closed, err := ask(ctx, t, question{what: "whether " + source.repository + " can be read", about: about, few: true}, source.Closed)
	if err != nil {
		return nil, fmt.Errorf("asking whether %s can be read: %w", source.repository, err)
	}
	if closed != "" {
		return track.Hinders(v1alpha1.ReasonNotInstalled, closed), nil
	}
	if err := r.repository.identify(ctx, w, t); err != nil {
		return nil, err
	}
	q := question{what: "whether " + source.repository + " has branch " + branch, about: about, few: true}
	has, err := ask(ctx, t, q, func(ctx context.Context) (bool, error) { return source.HasBranch(ctx, branch) })
	if err != nil {
		return nil, fmt.Errorf("asking whether %s has branch %s: %w", source.repository, branch, err)
	}
	if !has {
		return track.Hinders(v1alpha1.ReasonBranchMissing,
			fmt.Sprintf("%s has no branch %s: push it, or name another in spec.branch of bluegreen %s", source.repository, branch, w.bg.Name)), nil
	}
	return nil, nil
}

// toldMissing is what the condition reports about the repository, if it was written for this very
// spec and this process has not asked yet.
func (r reaching) toldMissing(w *work, known bool) *track.Obstacle {
	c := meta.FindStatusCondition(w.bg.Status.Conditions, v1alpha1.ConditionReady)
	if known || c == nil || c.ObservedGeneration != w.bg.Generation || c.Reason != v1alpha1.ReasonNotInstalled &&
		c.Reason != v1alpha1.ReasonBranchMissing {
		return nil
	}
	return track.Hinders(c.Reason, c.Message)
}
