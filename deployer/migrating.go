package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// migrationPoll is how often to look at a migration that nothing reports about: without a pod, no
// watch wakes the application.
const migrationPoll = 5 * time.Second

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

// migration is what a release wants to run.
type migration struct {
	workload.MigrationRequest
	limits track.MigrationLimits
	// failed and unknown are the reasons of the release's failure.
	failed, unknown v1alpha1.FailureReason
	// again says how a person goes on after it failed.
	again string
	// app is the application with the template to use; nil means as it is.
	app *v1alpha1.BlueGreen
}

// run moves a release's migration on. It returns a pause until it has ended well; that it failed,
// or that nobody knows its outcome, is a fault.
func (m migrating) run(ctx context.Context, a *attempt, want migration) (pause, error) {
	name := workload.MigrationName(a.bg.Name, want.Kind, want.UID)
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
			return pause{}, m.fault(ctx, a, want, v)
		case track.MigrationStop:
			f := m.fault(ctx, a, want, v) // its log is read before its pod ends
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
				return p, m.gaveUp(a, want, err)
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

// gaveUp turns an error of the world into a fault once a Job could not be made, or resumed, for too
// long.
func (m migrating) gaveUp(a *attempt, want migration, err error) error {
	if err == nil {
		return nil
	}
	if refused, ok := errors.AsType[*workload.RefusedMigrationError](err); ok {
		return releaseFault(want.failed, "%s", refused.Text)
	}
	if namesFields(err) {
		return releaseFault(want.failed, "Kubernetes refuses the migration's job: %v", err)
	}
	since, limit := a.entry().StartedAt.Time, want.limits.Pending
	switch st := a.rel.Status.Migration; {
	case st == nil:
	case st.ResumedAt != nil:
		since = st.ResumedAt.Time
	default:
		since = st.IntendedAt.Time
	}
	if limit <= 0 || a.o.Now.Sub(since) < limit {
		return err
	}
	late := fmt.Errorf("the migration could not be started within %s (spec.deadlines.stage): %w", limit, err)
	f := faultOf(v1alpha1.FaultWorld, v1alpha1.FailedDeadline, late)
	f.about = about{limit: limit, waited: waitsForError(err)}
	return f
}

// namesFields reports whether Kubernetes finds fields of an object wrong. An admission policy's refusal
// has the same code and reason, but names no field, and its owner may change it.
func namesFields(err error) bool {
	var status apierrors.APIStatus
	if !apierrors.IsInvalid(err) || !errors.As(err, &status) || status.Status().Details == nil {
		return false
	}
	return slices.ContainsFunc(status.Status().Details.Causes, func(c metav1.StatusCause) bool { return c.Field != "" })
}

// fault is why a migration's end fails the release; nil if it does not.
func (m migrating) fault(ctx context.Context, a *attempt, want migration, v track.MigrationVerdict) error {
	if v.Outcome == v1alpha1.MigrationChanged || v.Outcome == v1alpha1.MigrationUnchanged {
		return nil
	}
	st := a.rel.Status.Migration
	f := releaseFault(want.failed, "job %s: %s", st.Job, v.Message)
	if p := v.Pod; p != nil {
		e := v1alpha1.Evidence{Pod: p.Name, Container: p.Container, Reason: p.Reason, ExitCode: p.ExitCode, Message: v.Message}
		if a.bg.Spec.Evidence.Logs != v1alpha1.LogsNone {
			e.Log = m.jobs.Log(ctx, a.bg.Namespace, *p)
		}
		f.evidence = []v1alpha1.Evidence{e}
		if p.ExitCode != nil {
			f.message += fmt.Sprintf(" in container %s with exit code %d", p.Container, *p.ExitCode)
		}
		f = f.with(v1alpha1.Shell("kubectl", "logs", p.Name, "-n", a.bg.Namespace, "-c", p.Container))
	}
	switch {
	case v.World:
		f.class = v1alpha1.FaultWorld
		if v.Pod == nil {
			f = f.with(v1alpha1.Shell("kubectl", "describe", "job", st.Job, "-n", a.bg.Namespace))
		}
		if v.Step == track.MigrationStop {
			f.reason = v1alpha1.FailedDeadline
			f.about = about{limit: want.limits.Pending, waited: waitsForMigration(a, st.Job, v).waits}
		}
		return f
	case v.Outcome == v1alpha1.MigrationUnknown:
		f.reason = want.unknown
		f.message += "; look at the database, then " + want.again
	case v.Outcome == v1alpha1.MigrationNotRun:
		f.message += "; it changed nothing: mend the image or the command (spec.migrations), then " + want.again
	default:
		f.message += "; Turnout does not revert it: look at the database, then " + want.again
	}
	return f
}

// settle looks after the migrations of releases that take no more steps. What was not resumed never
// will be; what runs goes on, and its end is recorded. Nobody waits for that, so an error stops
// nothing else.
func (m migrating) settle(ctx context.Context, w *work) {
	for i := range w.releases {
		rel := &w.releases[i]
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

// limitsOf are the limits of a release's migration, as the spec has them now.
func limitsOf(bg *v1alpha1.BlueGreen, rel *v1alpha1.Release) track.MigrationLimits {
	l := track.MigrationLimits{Pending: bg.Spec.Deadlines.Stage.Duration}
	switch s := bg.Spec.Migrations; {
	case s == nil:
	case rel.Spec.Contract != nil && s.Contract != nil:
		l.Timeout = s.Contract.Timeout.Duration
	case rel.Spec.Contract == nil && s.Expand != nil:
		l.Timeout = s.Expand.Timeout.Duration
	}
	return l
}

func uidOf(st *v1alpha1.MigrationStatus) types.UID {
	if st == nil {
		return ""
	}
	return types.UID(st.UID)
}

// noteStart records when the command started, or that it may have started although it was stopped
// before.
func noteStart(st *v1alpha1.MigrationStatus, o track.Migration) {
	if st != nil && st.Outcome == v1alpha1.MigrationNotRun && o.MayHaveRun() {
		st.Outcome = v1alpha1.MigrationUnknown
	}
	if at := o.Started(); st != nil && st.StartedAt == nil && !at.IsZero() && (st.UID == "" || st.UID == string(o.UID)) {
		st.StartedAt = track.Stamp(at)
	}
}

// endMigration records how a migration ended.
func endMigration(st *v1alpha1.MigrationStatus, v track.MigrationVerdict, now time.Time) {
	st.EndedAt, st.Outcome, st.Message = track.Stamp(now), v.Outcome, v.Message
	if v.Pod != nil {
		st.ExitCode = v.Pod.ExitCode
	}
}

func waitsForMigration(a *attempt, job string, v track.MigrationVerdict) pause {
	at := a.o.Now.Add(migrationPoll)
	if !v.At.IsZero() && v.At.Before(at) {
		at = v.At
	}
	because := v1alpha1.BecausePending
	if a.rel.Status.Migration.StartedAt != nil {
		because = ""
	}
	waits := waitsMigration(because, job)
	waits.Since, waits.Until = a.rel.Status.Migration.StartedAt, track.Stamp(v.At)
	if since := waits.Since; since == nil || v.Message != track.RunsSince(since.Time) {
		waits.Detail = v.Message
	}
	return pause{until: at, message: "migration " + job + ": " + v.Message, waits: waits}
}

func waitsMigration(because v1alpha1.WaitingBecause, object string) *v1alpha1.Waiting {
	return track.WaitsForObject(v1alpha1.WaitsForMigration, because, object)
}

// maxExpanded is how many changes of the schema are remembered.
const maxExpanded = 20

// noteSchema derives from the releases which migrations changed the schema. What was noted stays,
// although its release may be gone.
func noteSchema(w *work) {
	var known []v1alpha1.SchemaChange
	if w.bg.Status.Schema != nil {
		known = w.bg.Status.Schema.Expanded
	}
	all := slices.Clone(known)
	for i := range w.releases {
		rel := &w.releases[i]
		st := rel.Status.Migration
		listed := slices.ContainsFunc(known, func(c v1alpha1.SchemaChange) bool { return c.Release == rel.Name })
		if listed || rel.Spec.Deploy == nil || st == nil || st.EndedAt == nil || !track.Listed(st.Outcome) {
			continue
		}
		all = append(all, v1alpha1.SchemaChange{Release: rel.Name, Commit: rel.Spec.Deploy.Commit, At: *st.EndedAt, Outcome: st.Outcome})
	}
	if len(all) == len(known) {
		return
	}
	slices.SortStableFunc(all, func(a, b v1alpha1.SchemaChange) int { return a.At.Compare(b.At.Time) })
	if all = all[max(0, len(all)-maxExpanded):]; equality.Semantic.DeepEqual(all, known) {
		return // it was older than all that are remembered
	}
	if w.bg.Status.Schema == nil {
		w.bg.Status.Schema = &v1alpha1.SchemaStatus{}
	}
	w.bg.Status.Schema.Expanded = all
}
