package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// promoteAct waits for the approval to switch.
type promoteAct struct{ *attempt }

// promote waits for the approval to switch, by policy or by a person, and until nobody keeps
// the application locked.
func (a promoteAct) promote(ctx context.Context) (pause, error) {
	m := &a.rel.Status.Milestones
	if lock := a.bg.Status.Lock; lock != nil {
		a.rel.Status.Phase = v1alpha1.ReleaseWaiting
		return unlocking(lock), nil
	}
	if waited := a.rel.Status.Phase == v1alpha1.ReleaseWaiting; waited && m.Verified != nil {
		// However short the wait was: a version may go bad while nobody looks at it.
		m.Verified.AskAgain = true
	}
	if m.Approved != nil { // it was only locked again
		return pause{}, nil
	}
	if approval := a.rel.Spec.Approval; approval != nil {
		m.Approved = &v1alpha1.ApprovedMilestone{By: approval.By, At: metav1.NewTime(a.o.Now)}
		saying(a).sayApproved()
		return pause{}, nil
	}
	why, err := a.approvalNeeded(ctx)
	if err != nil {
		return pause{}, err
	}
	if why.message == "" {
		m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy, At: metav1.NewTime(a.o.Now)}
		saying(a).sayApproved()
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

// approvalNeeded says why a person has to approve; empty if policy approves.
func (a promoteAct) approvalNeeded(ctx context.Context) (pause, error) {
	if a.bg.Spec.Promotion.Mode == v1alpha1.PromotionManual {
		return pause{message: "spec.promotion.mode is Manual", waits: track.WaitsFor(v1alpha1.WaitsForApproval, v1alpha1.BecauseManual)}, nil
	}
	what := a.rel.Spec.Deploy
	for _, left := range a.bg.Status.RolledBack {
		contains, err := ownRepository{a.work}.contains(ctx, a.turn, what.Commit, left.Commit)
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

// leaveBehind forgets the rolled-back commits that a successful deploy contains: a person
// approved it, so the next deploy need not wait because of them. If the answer about one is
// unknown, it is kept, which costs one more approval. The error means that an answer is not
// there yet.
func (a promoteAct) leaveBehind(ctx context.Context) error {
	if a.rel.Spec.Kind != v1alpha1.Deploy || a.rel.Status.Failure != nil {
		return nil
	}
	st, what := &a.bg.Status, a.rel.Spec.Deploy
	var kept []v1alpha1.RolledBack
	var waits error
	for _, left := range st.RolledBack {
		contains, err := ownRepository{a.work}.contains(ctx, a.turn, what.Commit, left.Commit)
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
