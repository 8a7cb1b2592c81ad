package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// promote waits for the permission to switch: by policy, or by a person, and
// until nobody keeps the application locked.
func (a *attempt) promote(ctx context.Context) (pause, error) {
	m := &a.rel.Status.Milestones
	if lock := a.bg.Status.Lock; lock != nil {
		a.rel.Status.Phase = v1alpha1.ReleaseWaiting
		return unlocking(lock), nil
	}
	if waited := a.rel.Status.Phase == v1alpha1.ReleaseWaiting; waited && m.Verified != nil {
		// However short it was: a version may go bad while nobody looks at it.
		m.Verified.AskAgain = true
	}
	if m.Approved != nil { // it was only locked again
		return pause{}, nil
	}
	if approval := a.rel.Spec.Approval; approval != nil {
		m.Approved = &v1alpha1.ApprovedMilestone{By: approval.By, At: metav1.NewTime(a.o.Now)}
		a.sayApproved()
		return pause{}, nil
	}
	why, err := a.approvalNeeded(ctx)
	if err != nil {
		return pause{}, err
	}
	if why.message == "" {
		m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy, At: metav1.NewTime(a.o.Now)}
		a.sayApproved()
		return pause{}, nil
	}
	limit := a.bg.Spec.Promotion.Timeout.Duration
	since := a.entry().StartedAt.Time
	if t := a.bg.Status.UnlockedAt; t != nil && t.After(since) {
		since = t.Time // nobody could have approved before
	}
	until := since.Add(limit)
	if !a.o.Now.Before(until) {
		return pause{}, &fault{
			class: v1alpha1.FaultCancelled, reason: v1alpha1.FailedNotApproved, about: about{limit: limit},
			message: fmt.Sprintf("nobody approved within %s (spec.promotion.timeout)", limit),
		}
	}
	a.rel.Status.Phase = v1alpha1.ReleaseWaiting
	why.waits.Until = track.Stamp(until)
	return pause{until: until, message: "waits for /promote: " + why.message, waits: why.waits}, nil
}

func (a *attempt) sayApproved() {
	if a.rel.Status.Milestones.Approved.By == v1alpha1.ApprovedByPolicy {
		a.say("approved by policy")
		return
	}
	a.say("approved by " + a.rel.ApprovedBy())
}

// approvalNeeded says why a person has to approve; empty if policy does.
func (a *attempt) approvalNeeded(ctx context.Context) (pause, error) {
	if a.bg.Spec.Promotion.Mode == v1alpha1.PromotionManual {
		return pause{message: "spec.promotion.mode is Manual", waits: track.WaitsFor(v1alpha1.WaitsForApproval, v1alpha1.BecauseManual)}, nil
	}
	what := a.rel.Spec.Deploy
	for _, left := range a.bg.Status.RolledBack {
		contains, err := a.contains(ctx, a.turn, what.Commit, left.Commit)
		if err != nil {
			return pause{}, err
		}
		if contains {
			return pause{message: "it contains " + rolledBackBy(left), waits: &v1alpha1.Waiting{
				For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseRolledBack,
				By: left.By, Release: left.Release, Commit: left.Commit, Since: track.Stamp(left.At.Time),
			}}, nil
		}
	}
	return pause{}, nil
}

// lockedBy says who locked an application, since when and why.
func lockedBy(l *v1alpha1.Lock) string {
	text := "locked by " + l.By + " since " + l.At.UTC().Format("2006-01-02 15:04 UTC")
	if l.Reason != "" {
		text += ": " + l.Reason
	}
	return text
}

// rolledBackBy says who took a commit away from users, when, and by what.
func rolledBackBy(left v1alpha1.RolledBack) string {
	by := left.Release
	if left.By != "" {
		by = left.By + " (" + left.Release + ")"
	}
	return v1alpha1.ShortCommit(left.Commit) + ", which " + by + " rolled back at " + left.At.UTC().Format("2006-01-02 15:04 UTC")
}

// leaveBehind forgets the rolled-back commits that a successful deploy contains:
// a person approved it, so the next one need not wait for their sake. One that
// cannot be asked about is kept; it costs an approval more. The error is that of an
// answer which is not there yet.
func (a *attempt) leaveBehind(ctx context.Context) error {
	if a.rel.Spec.Kind != v1alpha1.Deploy || a.rel.Status.Failure != nil {
		return nil
	}
	st, what := &a.bg.Status, a.rel.Spec.Deploy
	var kept []v1alpha1.RolledBack
	var waits error
	for _, left := range st.RolledBack {
		contains, err := a.contains(ctx, a.turn, what.Commit, left.Commit)
		switch {
		case pending(err) != nil:
			waits, a.turn.wait = err, 0 // all are asked at once
		case err != nil:
			a.log.WarnContext(ctx, "a rolled-back commit stays remembered", "commit", left.Commit, "error", err)
		case contains:
			continue
		}
		kept = append(kept, left)
	}
	if waits == nil {
		st.RolledBack = kept
	}
	return waits
}

// switchTraffic is the step users would notice. Its intent is durable before the
// patch: after it a cancel comes too late, and a crash is repaired by looking at
// where the traffic is. A deploy waits for the baseline of its proof before.
func (a *attempt) switchTraffic(ctx context.Context) (pause, error) {
	m, measured := &a.rel.Status.Milestones, a.measured()
	if m.SwitchIntendedAt == nil {
		if full := a.baseline(measured); !full.IsZero() {
			waits := track.WaitsForObject(v1alpha1.WaitsForBaseline, "", a.bg.Spec.URL)
			waits.Until = track.Stamp(measured.FullAt())
			return pause{until: full, message: "takes a baseline of " + a.bg.Spec.URL + " until " + track.Clock(measured.FullAt()), waits: waits},
				nil
		}
		if err := a.translates(ctx); err != nil {
			return pause{}, err
		}
	}
	if p, err := a.stamp(ctx, a.o.Target); err != nil || p.rests() {
		return p, err
	}
	if m.SwitchIntendedAt == nil {
		a.noteEvents(ctx)
		now := metav1.NewTime(a.o.Now)
		m.SwitchIntendedAt = &now
		if measured != nil {
			a.checkpoint(measured)
		}
		if err := a.save(ctx); err != nil {
			return pause{}, err
		}
	}
	a.moving(measured)
	if err := a.moveRoutes(ctx, func() error { return a.d.Routes.Switch(ctx, a.bg, a.o.Routes, a.target()) }); err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != a.target() {
		return pause{until: a.o.Now, message: "switching", waits: a.waitsForRoutes(v1alpha1.BecauseSwitch)}, nil
	}
	now := metav1.Now()
	m.SwitchedAt = &now
	a.say(fmt.Sprintf("ingress %s routes users to %s", a.o.Routes.Name, a.target()))
	a.recordSwitch(a.rel)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	return pause{}, a.saveApplication(ctx)
}

// stampPatience is how long users who go back wait for a Deployment that cannot be
// written just now, and that nobody forbids to write: a try or two.
const stampPatience = time.Second

// stamp keeps a colour, from right before users are brought there, from whoever was
// about to shrink it. What the switch rests on was looked at before: of a Deployment
// that was written since it is looked at again. Users who go back wait for nothing
// else.
func (a *attempt) stamp(ctx context.Context, side track.Side) (pause, error) {
	err := a.d.Workloads.HoldMinimum(ctx, a.bg, side, a.rel.Name)
	if err != nil && !apierrors.IsConflict(err) {
		a.log.WarnContext(ctx, "the autoscaler keeps its minimum", "autoscaler", side.Autoscaler.Name, "error", err)
		err = nil
	}
	if err == nil {
		err = a.d.Workloads.Stamp(ctx, a.bg, side, a.rel.Name)
	}
	switch {
	case err == nil:
		return pause{}, nil
	case apierrors.IsConflict(err):
		return pause{
			until: a.o.Now, message: "deployment " + side.Deployment + " changed meanwhile: looking again",
			waits: track.WaitsForObject(v1alpha1.WaitsForDeployment, "", side.Deployment),
		}, nil
	case a.rel.Spec.Kind == v1alpha1.Deploy && a.rel.Status.Failure == nil:
		return pause{}, err
	case !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) && a.o.Now.Sub(a.entry().StartedAt.Time) < stampPatience:
		return pause{}, err
	}
	a.finding(fmt.Sprintf("users go back although deployment %s could not be annotated: %v", side.Deployment, err))
	return pause{}, nil
}

// translates reports, right before a switch, whether Google's controller can take
// it up: much may have changed since the Service was attached. The patch would move
// nobody, and what is in the way may be mended meanwhile. Users of a rollback do not
// wait for that, should this be wrong about it.
func (a *attempt) translates(ctx context.Context) error {
	if !a.onGCE() {
		return nil
	}
	err := a.d.Routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target())
	if err != nil && a.rel.Spec.Kind == v1alpha1.Rollback {
		a.finding("the ingress is switched all the same: " + err.Error())
		return nil
	}
	return err
}

// fence makes void what an earlier look of this release sent, and nobody knows
// whether it will arrive: a process that was taken over may be stuck right before its
// patch. From here on the release may go another way, and leave the target to be
// shrunk or staged over.
func (a *attempt) fence(ctx context.Context) error {
	if !track.PatchMayBeOut(a.rel, a.o) {
		return nil
	}
	err := a.d.Routes.Fence(ctx, a.bg, a.o.Routes)
	switch {
	case err == nil, errors.Is(err, route.ErrLostRace):
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		// Then that patch is refused, too; the release must not stand still for ever.
		a.log.WarnContext(ctx, "the ingress cannot be fenced", "ingress", a.o.Routes.Name, "error", err)
		return nil
	default:
		return err
	}
	now, observeErr := a.d.Routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now
	if err != nil && track.PatchMayBeOut(a.rel, a.o) {
		return err // not by that patch: look again
	}
	return nil
}

// waitsForRoutes is the wait for the Ingress to be as this release writes it.
func (a *attempt) waitsForRoutes(because v1alpha1.WaitingBecause) *v1alpha1.Waiting {
	return track.WaitsForObject(v1alpha1.WaitsForIngress, because, a.o.Routes.Name)
}

// moveRoutes makes one patch of the Ingress and looks at what is there now. A
// race lost to somebody who left our routes alone is run again at the next look;
// one lost to somebody who changed them is theirs.
func (a *attempt) moveRoutes(ctx context.Context, patch func() error) error {
	before := a.o.Routes
	err := patch()
	if _, ok := errors.AsType[*route.PortError](err); ok {
		return &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedPorts, message: err.Error()}
	}
	lost := errors.Is(err, route.ErrLostRace)
	if err != nil && !lost {
		return err
	}
	now, observeErr := a.d.Routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now
	if !lost && now.Generation == before.Generation+1 {
		a.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: now.Generation, Since: metav1.NewTime(time.Now()), UID: string(a.rel.UID)}
	}
	if lost && !route.Same(before, now) {
		return &fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: fmt.Sprintf("the routes of ingress %s were changed by someone else during the release; nothing was changed by this release "+
				"since", now.Name),
		}
	}
	return nil
}

// restore brings traffic back to the previous colour, if that can take it. Where
// users are is read anew: a switch whose reply was lost may have been made.
func (a *attempt) restore(ctx context.Context) (pause, error) {
	m := &a.rel.Status.Milestones
	previous := a.target().Other()
	now := metav1.NewTime(a.o.Now)
	var err error
	if a.o.Routes, err = a.d.Routes.Observe(ctx, a.bg); err != nil {
		return pause{}, err
	}
	switch a.o.Routes.Live() {
	case previous:
		if err := a.fence(ctx); err != nil {
			return pause{}, err
		}
		if a.o.Routes.Live() != previous {
			return pause{
				until: a.o.Now, message: "the switch arrived late: looking again", waits: a.waitsForRoutes(v1alpha1.BecauseLateSwitch),
			}, nil
		}
		m.RestoredAt = &now
		return pause{}, nil
	case "":
		m.KeptAt = &now
		a.finding("ingress " + a.o.Routes.Name + " routes to neither colour alone, so traffic was not moved back")
		return pause{}, nil
	default: // still on the target
	}
	if m.SwitchedAt == nil {
		// By the patch whose reply was lost. What is undone now is a switch.
		m.SwitchedAt = &now
		a.say("the switch had been made after all")
		a.recordSwitch(a.rel)
		return pause{}, a.save(ctx)
	}
	why, err := a.cannotTakeBack(ctx)
	if err != nil {
		return pause{}, err
	}
	if why != "" {
		m.KeptAt = &now
		a.finding("traffic was not moved back: " + why)
		return pause{}, nil
	}
	if p, err := a.stamp(ctx, a.o.Previous); err != nil || p.rests() {
		return p, err
	}
	a.noteEvents(ctx)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	if err := a.moveRoutes(ctx, func() error { return a.d.Routes.Switch(ctx, a.bg, a.o.Routes, previous) }); err != nil {
		return pause{}, err
	}
	if a.o.Routes.Live() != previous {
		return pause{until: a.o.Now, message: "moving traffic back", waits: a.waitsForRoutes(v1alpha1.BecauseRestore)}, nil
	}
	m.RestoredAt = &now
	a.say(fmt.Sprintf("ingress %s routes users to %s again", a.o.Routes.Name, previous))
	a.recordSwitch(a.rel)
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	return pause{}, a.saveApplication(ctx)
}

// discard stops a build nobody needs any more and shrinks the target, if this
// release staged it. The reference in the Ingress stays. Whose the target is is
// read past the cache, which may not have heard of the staging yet.
func (a *attempt) discard(ctx context.Context) (pause, error) {
	if err := a.cancelBuild(ctx); err != nil {
		return pause{}, err
	}
	m := &a.rel.Status.Milestones
	now := metav1.NewTime(a.o.Now)
	staged := ""
	if m.Target != "" {
		var err error
		if staged, err = a.d.Workloads.StagedBy(ctx, a.bg, m.Target); err != nil {
			return pause{}, err
		}
	}
	if staged != a.rel.Name {
		m.DiscardedAt = &now
		a.say("nothing of it runs")
		return pause{}, nil
	}
	done, err := a.shrink(ctx, m.Target, a.rel.Name)
	if err != nil {
		return pause{}, err
	}
	m.DiscardedAt = &now
	a.say(done.text)
	if done.inUse {
		a.finding(done.text)
		return pause{}, nil
	}
	if last := a.bg.Status.LastSwitch; last != nil && last.From.Color == m.Target {
		last.Shrunk = true // what was held there is gone since this release was staged
	}
	return pause{}, nil
}
