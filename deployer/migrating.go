package deployer

import (
	"cmp"
	"context"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// migrationSteps bounds the steps of a migration in one look. A quiet one takes six.
const migrationSteps = 12

// migrating runs a release's migration: one Job, once.
type migrating struct {
	recorder
	jobs interface {
		Plan(ctx context.Context, bg *v1alpha1.BlueGreen, q workload.MigrationRequest) (workload.MigrationPlan, error)
		Create(ctx context.Context, p workload.MigrationPlan) error
		Observe(ctx context.Context, namespace, name string, uid types.UID) (track.Migration, error)
		Others(ctx context.Context, bg *v1alpha1.BlueGreen, job types.UID) ([]string, error)
		Resume(ctx context.Context, namespace, name string, o track.Migration, now time.Time) error
		Stop(ctx context.Context, namespace, name string, o track.Migration) error
		Delete(ctx context.Context, namespace, name string, o track.Migration) error
		Log(ctx context.Context, namespace string, p track.MigrationPod) string
	}
}

// run moves a release's migration on. It returns a pause until it has ended well; that it failed,
// or that nobody knows its outcome, is a fault.
func (m migrating) run(ctx context.Context, a *attempt, want migration) (pause, error) {
	name := workload.MigrationName(a.bg.Name, want.Kind, want.UID)
	log := func(p track.MigrationPod) string { return m.jobs.Log(ctx, a.bg.Namespace, p) }
	for range migrationSteps {
		st := a.rel.Status.Migration
		if st != nil && st.EndedAt != nil && (st.Outcome == v1alpha1.MigrationChanged || st.Outcome == v1alpha1.MigrationUnchanged) {
			return pause{}, nil // its Job may be gone by now, which shows nothing any more
		}
		o, err := m.jobs.Observe(ctx, a.bg.Namespace, name, uidOf(st))
		if err != nil {
			return pause{}, err
		}
		noteStart(st, o)
		v := track.JudgeMigration(st, o, a.o.Now, want.limits)
		switch v.Step {
		case track.MigrationWait:
			return waitsForMigration(a, name, v), nil
		case track.MigrationEnd:
			endMigration(st, v, a.o.Now)
			if err := m.save(ctx, a); err != nil {
				return pause{}, err
			}
			return pause{}, want.fault(a, v, log)
		case track.MigrationStop:
			f := want.fault(a, v, log) // its log is read before its pod ends
			st.Outcome, st.Message = v.Outcome, v.Message
			if err := m.save(ctx, a); err != nil {
				return pause{}, err
			}
			if err := m.jobs.Stop(ctx, a.bg.Namespace, name, o); err != nil && !apierrors.IsConflict(err) {
				return pause{}, err
			}
			return pause{}, f
		default:
			if p, err := m.prepare(ctx, a, want, name, o, v.Step); err != nil || p.rests() {
				return p, want.gaveUp(a, err)
			}
		}
	}
	again := waitsMigration(v1alpha1.BecausePending, name)
	again.Detail = "looks again, because it keeps changing"
	return pause{until: a.o.Now.Add(migrationPoll), message: "migration " + name + ": " + again.Detail, waits: again}, nil
}

// prepare takes a step towards a Job that runs.
func (m migrating) prepare(ctx context.Context, a *attempt, want migration, name string, o track.Migration, s track.MigrationStep,
) (pause, error) {
	st := a.rel.Status.Migration
	switch s {
	case track.MigrationIntend, track.MigrationCreate:
		if p, err := m.afterOthers(ctx, a, o.UID); err != nil || p.rests() {
			return p, err
		}
		plan, err := m.jobs.Plan(ctx, cmp.Or(want.app, a.bg), want.MigrationRequest)
		if err != nil {
			return pause{}, err
		}
		if st == nil || st.TemplateHash != plan.Hash {
			a.rel.Status.Migration = &v1alpha1.MigrationStatus{
				Job: name, IntendedAt: metav1.NewMicroTime(a.o.Now), TemplateHash: plan.Hash,
			}
			return pause{}, m.save(ctx, a)
		}
		return pause{}, m.jobs.Create(ctx, plan)
	case track.MigrationRemake:
		return pause{}, ignoreConflict(m.jobs.Delete(ctx, a.bg.Namespace, name, o))
	case track.MigrationAdopt:
		st.UID = string(o.UID)
		return pause{}, m.save(ctx, a)
	case track.MigrationLetGo:
		if p, err := m.afterOthers(ctx, a, o.UID); err != nil || p.rests() {
			return p, err
		}
		now := metav1.NewTime(a.o.Now)
		st.ResumedAt = &now
		return pause{}, m.save(ctx, a)
	case track.MigrationResume:
		return pause{}, ignoreConflict(m.jobs.Resume(ctx, a.bg.Namespace, name, o, a.o.Now))
	case track.MigrationWait, track.MigrationStop, track.MigrationEnd:
	}
	return pause{}, nil
}

// ignoreConflict: somebody else wrote the object, so the caller looks again.
func ignoreConflict(err error) error {
	if apierrors.IsConflict(err) {
		return nil
	}
	return err
}

// afterOthers waits until every other migration of the application has ended: those that releases
// recorded, and every pod, past the cache.
func (m migrating) afterOthers(ctx context.Context, a *attempt, job types.UID) (pause, error) {
	earlier := ""
	for i := range a.releases {
		if r := &a.releases[i]; r.UID != a.rel.UID && track.Migrating(r) {
			earlier = r.Status.Migration.Job
		}
	}
	pods, err := m.jobs.Others(ctx, a.bg, job)
	if err != nil {
		return pause{}, err
	}
	if len(pods) > 0 {
		earlier = strings.Join(pods, ", ")
	}
	if earlier == "" {
		return pause{}, nil
	}
	return pause{
		until: a.o.Now.Add(migrationPoll), message: "waits until an earlier migration has ended: " + earlier,
		waits: waitsMigration(v1alpha1.BecauseEarlier, earlier),
	}, nil
}
