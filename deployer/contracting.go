package deployer

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// retryContract is when to look again at what keeps a contract from beginning, if no watch reports
// a change: pods and CronJobs of others are not watched.
const retryContract = 15 * time.Second

// contracting lets a contract begin. It goes after everything else, and holds up nobody: it takes
// the claim only when it can begin.
type contracting struct {
	queue  queue
	record interface {
		Submit(ctx context.Context, rel *v1alpha1.Release) (stored *v1alpha1.Release, created bool, err error)
	}
	older interface {
		Find(ctx context.Context, namespace string, live ...string) ([]track.Older, error)
	}
}

// admit returns the release that acts: the active one, or else the contract that may begin. A
// contract that a process claimed and did not begin is judged again, and gives the claim back if
// it has to wait.
func (c contracting) admit(ctx context.Context, w *work, active *v1alpha1.Release, ready bool) (*v1alpha1.Release, error) {
	waiting, err := c.waiting(ctx, w, active)
	if err != nil {
		return nil, err
	}
	if active != nil && (active.Spec.Contract == nil || track.Contracts(w.bg, active)) {
		return active, c.queue.queueUp(ctx, w, waiting, turnAfter(active.Name))
	}
	if active != nil {
		waiting = slices.Insert(waiting, 0, active)
	}
	if len(waiting) == 0 {
		c.beginByItself(ctx, w)
		return nil, nil
	}
	head := waiting[0]
	p := c.wait(ctx, w, head, ready)
	if !p.rests() {
		return head, c.queue.queueUp(ctx, w, waiting[1:], turnAfter(head.Name))
	}
	if active != nil {
		w.bg.Status.Active = nil
		w.wakeAt(w.o.Now) // others may go first
	}
	if !p.until.IsZero() {
		w.wakeAt(p.until)
	}
	return nil, c.queue.queueUp(ctx, w, waiting, p)
}

// waiting returns the contracts that wait, oldest first. It ends those that were cancelled.
func (c contracting) waiting(ctx context.Context, w *work, active *v1alpha1.Release) ([]*v1alpha1.Release, error) {
	var all []*v1alpha1.Release
	for i := range slices.Backward(w.releases) {
		rel := &w.releases[i]
		if rel.Spec.Contract == nil || rel.Status.Phase.Finished() || active != nil && rel.UID == active.UID || w.refusal(rel) != nil {
			continue
		}
		if rel.Spec.Cancel == nil && rel.Status.Failure == nil {
			all = append(all, rel)
			continue
		}
		if err := c.queue.driving.drive(ctx, w, rel, anyStep); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// wait is what a contract waits for; nothing if it may begin.
func (c contracting) wait(ctx context.Context, w *work, rel *v1alpha1.Release, ready bool) pause {
	deploys, rollbacks := w.waiting(rel)
	switch {
	case len(rollbacks) > 0:
		return turnAfter(rollbacks[0].Name)
	case rel.Spec.Contract.Done != "": // it changes only the record
		return pause{}
	case len(deploys) > 0:
		return turnAfter(deploys[len(deploys)-1].Name)
	case !ready:
		is := readyCondition(w.bg)
		return pause{
			message: "waits: " + is.Message, commands: w.bg.Status.CommandsOf(v1alpha1.ConditionReady), waits: waitsForReady(is.Reason, is.Message),
		}
	case w.bg.Status.Lock != nil:
		return unlocking(w.bg.Status.Lock)
	}
	if why := track.Unconfirmed(w.bg, w.o.Routes); why != "" {
		return pause{
			message: "waits until the load balancer takes up the last switch: " + why,
			waits:   &v1alpha1.Waiting{For: v1alpha1.WaitsForTakeUp, Detail: why},
		}
	}
	found, err := c.older.Find(ctx, w.bg.Namespace, track.LiveImages(w.bg, w.o, rel.Spec.Contract.Image, w.releases)...)
	if err != nil {
		p := waitsBecause(err)
		p.until = w.o.Now.Add(retryContract)
		return p
	}
	older := track.WaitsForOlder(found, w.o.Now.Add(retryContract))
	return pause{until: older.Until, message: older.Message, waits: older.Waits}
}

// beginByItself submits the contract that a version owes once its hold is over.
func (c contracting) beginByItself(ctx context.Context, w *work) {
	if deploys, rollbacks := w.waiting(nil); len(deploys)+len(rollbacks) > 0 {
		return
	}
	live := version(w.o.Sides[w.o.Routes.Live()])
	if !track.ContractDue(w.bg, live, w.releases) {
		return
	}
	attempt := track.NextContract(live.Commit, w.releases)
	rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Contract, Application: w.bg.Name, Cause: v1alpha1.Cause{Kind: v1alpha1.CauseHold},
		Contract: &v1alpha1.ContractRequest{Commit: live.Commit, Image: live.Image, Attempt: attempt},
	}}
	rel.Namespace, rel.Name = w.bg.Namespace, v1alpha1.ContractName(w.bg.Name, live.Commit, attempt)
	if _, _, err := c.record.Submit(ctx, rel); err != nil {
		w.log.WarnContext(ctx, "the contract will be submitted later", "contract", rel.Name, "error", err)
		w.wakeAt(w.o.Now.Add(retryContract))
	} // otherwise the watch of releases wakes the application
}
