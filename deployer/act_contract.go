package deployer

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// contractAct removes from the schema what only older versions need, with the live version's image.
type contractAct struct {
	migrating migrating
	status    appStatus
	record    interface {
		Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)
	}
}

// do closes the way back, then runs spec.migrations.contract once, and waits for its end.
func (act contractAct) do(ctx context.Context, a *attempt) (pause, error) {
	what, live := a.rel.Spec.Contract, a.o.Routes.Live()
	now := metav1.NewTime(a.o.Now)
	if what.Done != "" {
		if err := act.declare(ctx, a, now); err != nil {
			return pause{}, err
		}
		a.rel.Status.Milestones.ContractedAt = &now
		a.say("declared done: " + what.Done)
		return pause{}, nil
	}
	if !track.Contracts(a.bg, a.rel) {
		if err := act.intend(ctx, a); err != nil {
			return pause{}, err
		}
	}
	own := a.bg.DeepCopy()
	own.Spec.Template = v1alpha1.TemplateOwn // the live colour's: the other one's is older
	want := migration{
		MigrationRequest: workload.MigrationRequest{
			StageRequest: workload.StageRequest{Target: live, Image: what.Image, Commit: what.Commit, Release: a.rel.Name},
			UID:          a.rel.UID, Kind: "contract",
		},
		limits: limitsOf(a.bg, a.rel), failed: v1alpha1.FailedContract, unknown: v1alpha1.FailedContract, app: own,
		again: "run it again with /contract retry, or declare it done with /contract done REASON",
	}
	if m := a.bg.Spec.Migrations; m != nil && m.Contract != nil {
		want.Command = m.Contract.Command
	}
	p, err := act.migrating.run(ctx, a, want)
	noteContract(a.work)
	if err != nil || p.rests() {
		return p, err
	}
	a.rel.Status.Milestones.ContractedAt = &now
	if a.rel.Status.Migration.Outcome == v1alpha1.MigrationUnchanged {
		a.say("there was nothing to remove, so the way back is open again")
		return pause{}, nil
	}
	a.say("the schema suits only " + a.rel.Status.Version + ", since " + track.Clock(a.rel.Status.Migration.EndedAt.Time))
	return pause{}, nil
}

// intend closes the way back, by compare-and-swap on the application as the claim left it. A
// rollback that was submitted before is in the record by then, and goes first. One that is
// submitted later is refused by this field, whoever judges it: so the two cannot cross.
func (act contractAct) intend(ctx context.Context, a *attempt) error {
	all, err := act.record.Releases(ctx, types.NamespacedName{Namespace: a.bg.Namespace, Name: a.bg.Name})
	if err != nil {
		return err
	}
	judge := rollbackJudge{a.bg, all}
	_, rollbacks := waitingOf(all, a.rel)
	for _, rel := range rollbacks {
		if _, refused := judge.judgeRollback(rel); refused == nil {
			return &fault{
				class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: rel.Name},
				message: "gives way to " + rel.Name + "; the database was not changed",
			}
		}
	}
	s := a.bg.Status.Schema
	if s == nil {
		s = &v1alpha1.SchemaStatus{}
		a.bg.Status.Schema = s
	}
	next := &v1alpha1.ContractStatus{
		Release: a.rel.Name, UID: string(a.rel.UID), Commit: a.rel.Spec.Contract.Commit, IntendedAt: metav1.NewMicroTime(a.o.Now),
	}
	if last := s.Contract; last != nil {
		if next.EarlierAt = last.EarlierAt; last.Closed() {
			next.EarlierAt = &last.IntendedAt
		}
	}
	s.Contract, s.State = next, v1alpha1.SchemaContracting
	return act.status.saveApplication(ctx, a.work)
}

// declare records that somebody declared the last contract done.
func (act contractAct) declare(ctx context.Context, a *attempt, now metav1.Time) error {
	s := a.bg.Status.Schema
	s.Contract.DoneBy, s.Contract.Reason = doneName(a.rel), a.rel.Spec.Contract.Done
	if s.Contract.EndedAt == nil {
		s.Contract.EndedAt = &now
	}
	if s.Pending != nil && s.Pending.Commit == s.Contract.Commit {
		s.Pending = nil
	}
	s.State = track.SchemaState(s)
	return act.status.saveApplication(ctx, a.work)
}
