package deployer

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// expandAct gives the schema what the new version needs, before any of its pods starts.
type expandAct struct {
	migrating migrating
}

// do runs spec.migrations.expand once, and waits for its end.
func (act expandAct) do(ctx context.Context, a *attempt) (pause, error) {
	want := migration{
		MigrationRequest: workload.MigrationRequest{
			StageRequest: workload.StageRequest{
				Target: a.target(), Image: a.rel.Status.Milestones.Built.Image, Commit: a.rel.Spec.Deploy.Commit, Release: a.rel.Name,
			},
			UID: a.rel.UID, Kind: "expand",
		},
		limits: limitsOf(a.bg, a.rel), failed: v1alpha1.FailedExpand, unknown: v1alpha1.FailedExpandUnknown,
		again: "ask again with /retry",
	}
	if s := a.bg.Spec.Migrations; s != nil && s.Expand != nil {
		want.Command = s.Expand.Command
	}
	if p, err := act.migrating.run(ctx, a, want); err != nil || p.rests() {
		return p, err
	}
	now, st := metav1.NewTime(a.o.Now), a.rel.Status.Migration
	a.rel.Status.Milestones.ExpandedAt = &now
	noteSchema(a.work)
	if st.Outcome == v1alpha1.MigrationUnchanged {
		a.say("the schema had everything already")
		return pause{}, nil
	}
	a.say("the schema has what the new version needs, since " + track.Clock(st.EndedAt.Time))
	return pause{}, nil
}
