package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// promoteAct waits for the approval to switch.
type promoteAct struct {
	repository ownRepository
}

// do waits for the approval to switch, by policy or by a person, and until nobody locks the
// application.
func (act promoteAct) do(ctx context.Context, a *attempt) (pause, error) {
	m := &a.rel.Status.Milestones
	if lock := a.bg.Status.Lock; lock != nil {
		a.rel.Status.Phase = v1alpha1.ReleaseWaiting
		return unlocking(lock), nil
	}
	if waited := a.rel.Status.Phase == v1alpha1.ReleaseWaiting; waited && m.Verified != nil {
		// However short the wait was, the version may have gone bad in the meantime.
		m.Verified.AskAgain = true
	}
	if m.Approved != nil { // only locked again
		return pause{}, nil
	}
	if approval := a.rel.Spec.Approval; approval != nil {
		m.Approved = &v1alpha1.ApprovedMilestone{By: approval.By, At: metav1.NewTime(a.o.Now)}
		sayApproved(a)
		return pause{}, nil
	}
	why, err := act.approvalNeeded(ctx, a)
	if err != nil {
		return pause{}, err
	}
	if why.message == "" {
		m.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy, At: metav1.NewTime(a.o.Now)}
		sayApproved(a)
		return pause{}, nil
	}
	limit := a.bg.Spec.Promotion.Timeout.Duration
	since := a.entry().StartedAt.Time
	if t := a.bg.Status.UnlockedAt; t != nil && t.After(since) {
		since = t.Time // nobody could approve earlier
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

// approvalNeeded is why a person must approve; empty if policy approves.
func (act promoteAct) approvalNeeded(ctx context.Context, a *attempt) (pause, error) {
	if a.bg.Spec.Promotion.Mode == v1alpha1.PromotionManual {
		return pause{message: "spec.promotion.mode is Manual", waits: track.WaitsFor(v1alpha1.WaitsForApproval, v1alpha1.BecauseManual)}, nil
	}
	what := a.rel.Spec.Deploy
	for _, left := range a.bg.Status.RolledBack {
		contains, err := act.repository.contains(ctx, a.work, a.turn, what.Commit, left.Commit)
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
