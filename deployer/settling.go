package deployer

import (
	"context"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// settle looks after the migrations of releases that take no more steps. What was not resumed never
// will be; what runs goes on, and its end is recorded. Nobody waits for that, so an error stops
// nothing else.
func (m migrating) settle(ctx context.Context, w *work) {
	for i := range w.releases {
		rel := &w.releases[i]
		if track.NeverRan(rel) {
			if err := m.sweep(ctx, w.attempt(rel)); err != nil {
				w.log.WarnContext(ctx, "a migration's Job that nobody needs will be deleted later", "release", rel.Name, "error", err)
			}
			continue
		}
		if !track.Migrating(rel) || rel.Status.Failure == nil && !rel.Status.Phase.Finished() {
			continue
		}
		w.wakeAt(w.o.Now.Add(migrationPoll))
		if err := m.settleOne(ctx, w.attempt(rel)); err != nil {
			w.log.WarnContext(ctx, "the end of a migration will be recorded later", "release", rel.Name, "error", err)
		}
	}
}

func (m migrating) settleOne(ctx context.Context, a *attempt) error {
	st, namespace := a.rel.Status.Migration, a.bg.Namespace
	o, err := m.jobs.Observe(ctx, namespace, st.Job, types.UID(st.UID))
	if err != nil {
		return err
	}
	noteStart(st, o)
	v := track.VoidMigration(st, o, a.o.Now, limitsOf(a.bg, a.rel))
	switch v.Step {
	case track.MigrationAdopt:
		st.UID = string(o.UID)
	case track.MigrationRemake:
		if err := m.jobs.Delete(ctx, namespace, st.Job, o); err != nil {
			return err
		}
		endMigration(st, track.MigrationVerdict{Outcome: v1alpha1.MigrationNotRun, Message: "it was not needed any more"}, a.o.Now)
	case track.MigrationStop:
		if st.Outcome == "" {
			st.Outcome, st.Message = v.Outcome, v.Message
		}
		if err := m.save(ctx, a); err != nil {
			return err
		}
		return m.jobs.Stop(ctx, namespace, st.Job, o)
	case track.MigrationEnd:
		endMigration(st, v, a.o.Now)
	case track.MigrationWait, track.MigrationIntend, track.MigrationCreate, track.MigrationLetGo, track.MigrationResume:
	}
	return m.save(ctx, a)
}

// sweep deletes a Job that a stuck process made after its migration was over. Nobody would let that
// Job run.
func (m migrating) sweep(ctx context.Context, a *attempt) error {
	st, namespace := a.rel.Status.Migration, a.bg.Namespace
	o, err := m.jobs.Observe(ctx, namespace, st.Job, "")
	if err != nil || !o.Exists || !o.Suspended || o.Resumed {
		return err
	}
	return ignoreConflict(m.jobs.Delete(ctx, namespace, st.Job, o))
}

// remove deletes the Job of a release that is deleted, and reports whether it may be: while the
// migration runs, its release stays.
func (m migrating) remove(ctx context.Context, namespace string, rel *v1alpha1.Release) (bool, error) {
	st := rel.Status.Migration
	if st == nil || track.Migrating(rel) {
		return st == nil, nil
	}
	o, err := m.jobs.Observe(ctx, namespace, st.Job, types.UID(st.UID))
	if err != nil || !o.Exists {
		return err == nil, err
	}
	return true, m.jobs.Delete(ctx, namespace, st.Job, o)
}
