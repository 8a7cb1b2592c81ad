package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// retryQueue is when to order the queue again after an error that is not a failed call.
const retryQueue = 15 * time.Second

// queue orders the waiting releases.
type queue struct {
	recorder
	calls      *calls
	repository ownRepository
	vetting    vetting
	attesting  attesting
	ending     ending
	driving    driving
}

// admit chooses the release that may act next, and gives every other one its place. Rollbacks
// come first, and need only the cluster.
func (q queue) admit(ctx context.Context, w *work, ready bool) (*v1alpha1.Release, error) {
	deploys, rollbacks := w.waiting(nil)
	rollbacks = slices.DeleteFunc(rollbacks, func(rel *v1alpha1.Release) bool { return w.refusal(rel) != nil }) // ended above
	if len(rollbacks) > 0 && (w.o.Routes.Live() != "" || w.bg.Status.Mixed != nil) {
		return rollbacks[0], q.queueUp(ctx, w, append(rollbacks[1:], deploys...), turnAfter(rollbacks[0].Name))
	}
	deploys, err := q.dropEnding(ctx, w, deploys)
	if err != nil {
		return nil, err
	}
	if !ready {
		ready := readyCondition(w.bg)
		return nil, q.queueUp(ctx, w, append(rollbacks, deploys...), pause{
			message: "waits: " + ready.Message, commands: w.bg.Status.CommandsOf(v1alpha1.ConditionReady),
			waits: waitsForReady(ready.Reason, ready.Message),
		})
	}
	if deploys, err = q.vetting.vet(ctx, w, deploys); err != nil {
		return nil, err
	}
	head, why, err := q.first(ctx, w, deploys)
	if err != nil {
		return nil, err
	}
	if why.rests() {
		return nil, q.queueUp(ctx, w, deploys, why)
	}
	if lock := w.bg.Status.Lock; head != nil && lock != nil {
		return nil, q.queueUp(ctx, w, []*v1alpha1.Release{head}, unlocking(lock))
	}
	return head, nil
}

// dropEnding ends the releases that were cancelled before they began, or are being undone.
func (q queue) dropEnding(ctx context.Context, w *work, deploys []*v1alpha1.Release) ([]*v1alpha1.Release, error) {
	var left []*v1alpha1.Release
	for _, rel := range deploys {
		if rel.Spec.Cancel == nil && rel.Status.Failure == nil {
			left = append(left, rel)
			continue
		}
		if err := q.driving.drive(ctx, w, rel, anyStep); err != nil {
			return nil, err
		}
	}
	return left, nil
}

// first is the deploy that may act next, if any. If that is not known yet and a person should
// know, it returns why.
func (q queue) first(ctx context.Context, w *work, deploys []*v1alpha1.Release) (head *v1alpha1.Release, why pause, err error) {
	known, why, err := q.order(ctx, w, func() (err error) {
		head, err = q.head(ctx, w, deploys)
		return err
	})
	if !known {
		return nil, why, err
	}
	return head, pause{}, nil
}

// order runs do in the queue's turn. It reports whether do succeeded and, if not, why, if a
// person should know; a later look repeats it.
func (q queue) order(ctx context.Context, w *work, do func() error) (done bool, why pause, err error) {
	w.turn = q.calls.turn(client.ObjectKeyFromObject(w.bg), turnKey{}, patience)
	if w.bg.Status.Active != nil {
		w.turn.wait = haste
	}
	if until, why := w.turn.held(w.o.Now); why != nil {
		w.wakeAt(until)
		return false, waitsBecause(why), nil
	}
	err = do()
	if asked := pending(err); asked != nil {
		p := asked.pause(w.o.Now)
		w.wakeAt(p.until)
		return false, pause{message: p.message, waits: p.waits}, nil
	}
	if errors.Is(err, record.ErrHeld) || ctx.Err() != nil {
		return false, pause{}, cmp.Or(err, ctx.Err())
	}
	until := w.turn.settle(w.o.Now, err)
	if err == nil {
		return true, pause{}, nil
	}
	w.log.WarnContext(ctx, "the queue cannot be ordered", "error", err)
	if until.IsZero() {
		until = w.o.Now.Add(retryQueue)
	}
	w.wakeAt(until)
	return false, waitsBecause(err), nil
}

// head reduces the waiting deploys to the newest by ancestry, never by arrival, and refuses it if
// it is behind the live version. Of two diverged commits, the later release follows the branch.
func (q queue) head(ctx context.Context, w *work, deploys []*v1alpha1.Release) (*v1alpha1.Release, error) {
	if len(deploys) == 0 {
		return nil, nil
	}
	head := deploys[0]
	for _, rel := range deploys[1:] {
		older, newer := head, rel
		contained, err := q.isAncestor(ctx, w, rel, head)
		if err != nil {
			return nil, err
		}
		if contained && rel.Spec.Deploy.Commit != head.Spec.Deploy.Commit {
			older, newer = rel, head
		}
		if err := q.supersede(ctx, w, older, newer.Name, byNewer(newer)); err != nil {
			return nil, err
		}
		head = newer
	}
	head, err := q.againstLive(ctx, w, head)
	if head == nil || err != nil {
		return nil, err
	}
	return q.againstLeft(ctx, w, head)
}

// againstLive refuses a release that is behind the live version. If neither commit contains the
// other, the branch was rewritten: its new head is released, and a finding reports that.
func (q queue) againstLive(ctx context.Context, w *work, head *v1alpha1.Release) (*v1alpha1.Release, error) {
	live, what := version(w.o.Sides[w.o.Routes.Live()]), head.Spec.Deploy
	switch live.Commit {
	case "":
		return head, nil
	case what.Commit:
		return nil, q.supersede(ctx, w, head, live.Release, superseded{
			about{because: v1alpha1.SupersededByLive, release: live.Release, commit: live.Commit}, live.Short() + " is already live",
		})
	}
	newer, err := q.repository.contains(ctx, w, w.turn, what.Commit, live.Commit)
	if newer || err != nil {
		return head, err
	}
	behind, err := q.repository.contains(ctx, w, w.turn, live.Commit, what.Commit)
	if err != nil {
		return nil, err
	}
	if behind {
		return nil, q.supersede(ctx, w, head, live.Release, superseded{
			about{because: v1alpha1.SupersededByBehind, release: live.Release, commit: live.Commit},
			fmt.Sprintf("%s is behind the live version %s; to go back, use /rollback", v1alpha1.ShortCommit(what.Commit), live.Short()),
		})
	}
	if known, err := q.repository.hasCommit(ctx, w, w.turn, what.Commit); err != nil || !known {
		return head, err // an unknown commit has no history; the build reports it
	}
	a := w.attempt(head)
	a.finding(fmt.Sprintf("the history of %s was rewritten: %s does not contain %s, which was live", w.bg.Spec.Branch,
		v1alpha1.ShortCommit(what.Commit), live.Short()))
	return head, q.save(ctx, a) // before the claim: its holder does not ask again
}

// isAncestor reports whether one release's commit contains another's.
func (q queue) isAncestor(ctx context.Context, w *work, ancestor, descendant *v1alpha1.Release) (bool, error) {
	a, b := ancestor.Spec.Deploy, descendant.Spec.Deploy
	return q.repository.contains(ctx, w, w.turn, b.Commit, a.Commit)
}

// maxLeft is how many abandoned versions a push is compared with; there are rarely many between
// two versions that stay.
const maxLeft = 10

// againstLeft refuses a push that is older than a version that users had and left. Such a push
// comes late: a version that contains it was released and taken back. A person decides whether
// users should have it after all.
func (q queue) againstLeft(ctx context.Context, w *work, head *v1alpha1.Release) (*v1alpha1.Release, error) {
	if head.Spec.Cause.Kind != v1alpha1.CausePush || head.Spec.Approval != nil {
		return head, nil
	}
	what := head.Spec.Deploy
	for _, left := range q.left(w) {
		older, err := q.repository.contains(ctx, w, w.turn, left.commit, what.Commit)
		if err != nil {
			return nil, err
		}
		if !older {
			continue
		}
		return nil, q.supersede(ctx, w, head, "", superseded{left.about, fmt.Sprintf(
			"the push of %s came late: it is part of %s; to release it all the same, use /promote on its pull request",
			v1alpha1.ShortCommit(what.Commit), left.text)})
	}
	return head, nil
}

// leftVersion is a version that users had and left.
type leftVersion struct {
	commit, text string
	about        about
}

// left returns the versions that users had since they first had the live one, newest first: those
// that were rolled back, and those that went back by themselves.
func (q queue) left(w *work) []leftVersion {
	live := version(w.o.Sides[w.o.Routes.Live()])
	var all []leftVersion
	add := func(l leftVersion) {
		known := slices.ContainsFunc(all, func(o leftVersion) bool { return o.commit == l.commit })
		if l.commit != live.Commit && !known && len(all) < maxLeft {
			all = append(all, l)
		}
	}
	for _, r := range slices.Backward(w.bg.Status.RolledBack) {
		add(leftVersion{r.Commit, rolledBackBy(r), about{
			because: v1alpha1.SupersededByLate, by: r.By, release: r.Release, commit: r.Commit, since: track.Stamp(r.At.Time),
		}})
	}
	for i := range w.releases { // newest first
		rel := &w.releases[i]
		if rel.Name == live.Release {
			break // earlier versions were compared with the live one
		}
		if rel.Spec.Kind == v1alpha1.Deploy && rel.Status.Phase.Finished() && (track.Switched(rel) || rel.LastWeight() != nil) {
			commit := rel.Spec.Deploy.Commit
			add(leftVersion{commit, v1alpha1.ShortCommit(commit) + ", which users had and left (" + rel.Name + ")", about{
				because: v1alpha1.SupersededByLate, release: rel.Name, commit: commit,
			}})
		}
	}
	return all
}

// superseded is why a release is superseded.
type superseded struct {
	about   about
	message string
}

// byNewer: a newer release took its place.
func byNewer(newer *v1alpha1.Release) superseded {
	return superseded{about{because: v1alpha1.SupersededByNewer, release: newer.Name}, "superseded by " + newer.Name}
}

// supersede ends a release in favour of another, if one is named, and cleans up after it.
func (q queue) supersede(ctx context.Context, w *work, rel *v1alpha1.Release, by string, why superseded) error {
	a := w.attempt(rel)
	rel.Status.SupersededBy = by
	q.ending.fail(a, &fault{class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedSuperseded, about: why.about, message: why.message})
	if err := q.conclude(ctx, a); err != nil {
		return err
	}
	return q.driving.drive(ctx, w, rel, anyStep)
}

// queueUp records in the waiting releases why they wait, and which commands end the wait.
func (q queue) queueUp(ctx context.Context, w *work, waiting []*v1alpha1.Release, p pause) error {
	why, commands, waits := record.Message(p.message), record.Commands(p.commands), record.Waiting(p.waits)
	for _, rel := range waiting {
		st, read := &rel.Status, rel.Status.DeepCopy()
		if st.Failure != nil {
			continue // it is being undone
		}
		st.Phase, st.Message, st.Commands, st.Waiting = v1alpha1.ReleaseQueued, why, commands, waits.DeepCopy()
		if st.Attestation != "" && equality.Semantic.DeepEqual(read, st) {
			continue // recorded already
		}
		q.attesting.attest(ctx, w.attempt(rel))
		if st.Version == "" {
			st.Version = versionOf(rel)
		}
		if err := q.releases.UpdateRelease(ctx, rel, read); err != nil {
			return err
		}
	}
	return nil
}

// buildAhead lets the next deploy build while the active one waits for a person or soaks. The
// deploy may do nothing else before it holds the claim. buildAhead does not wait for answers, so
// the active one's looks are not late. A release that waits for a person is superseded once a
// newer one is built.
func (q queue) buildAhead(ctx context.Context, w *work, active *v1alpha1.Release) error {
	deploys, rollbacks := w.waiting(active)
	deploys, err := q.dropEnding(ctx, w, deploys)
	if err != nil {
		return err
	}
	waiting := slices.DeleteFunc(append(rollbacks, deploys...), func(rel *v1alpha1.Release) bool {
		return rel.Status.Build != nil // its own status shows the build
	})
	if err := q.queueUp(ctx, w, waiting, turnAfter(active.Name)); err != nil {
		return err
	}
	waits := active.Status.Phase == v1alpha1.ReleaseWaiting
	ahead := waits || active.Status.Step == v1alpha1.StepSoak || active.Status.Step == v1alpha1.StepShift
	if len(deploys) == 0 || active.Spec.Kind == v1alpha1.Rollback || !ahead {
		return nil
	}
	if w.barred != nil {
		return q.queueUp(ctx, w, deploys, waitsBecause(w.barred))
	}
	if deploys, err = q.vetting.vet(ctx, w, deploys); err != nil {
		return err
	}
	head, _, err := q.first(ctx, w, deploys)
	if head == nil || err != nil {
		return err
	}
	if err := q.driving.drive(ctx, w, head, v1alpha1.StepBuild); err != nil {
		return err
	}
	if !waits || !track.Built(head) || track.Divides(active, w.o) { // users have seen it: they get it, or go back first
		return nil
	}
	var older bool
	known, _, err := q.order(ctx, w, func() (err error) {
		older, err = q.isAncestor(ctx, w, head, active)
		return err
	})
	if !known || older || err != nil {
		return err
	}
	if err := q.supersede(ctx, w, active, head.Name, byNewer(head)); err != nil {
		return err
	}
	if active.Status.Phase.Finished() {
		w.bg.Status.Active = nil
		w.wakeAt(w.o.Now)
	}
	return nil
}
