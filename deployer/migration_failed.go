package deployer

import (
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// gaveUp turns an error of the world into a fault once a Job could not be made, or resumed, for too
// long.
func (want migration) gaveUp(a *attempt, err error) error {
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

// fault is why a migration's end fails the release; nil if it does not. log reads the log of its container.
func (want migration) fault(a *attempt, v track.MigrationVerdict, log func(track.MigrationPod) string) error {
	if v.Outcome == v1alpha1.MigrationChanged || v.Outcome == v1alpha1.MigrationUnchanged {
		return nil
	}
	st := a.rel.Status.Migration
	f := releaseFault(want.failed, "job %s: %s", st.Job, v.Message)
	if p := v.Pod; p != nil {
		e := v1alpha1.Evidence{Pod: p.Name, Container: p.Container, Reason: p.Reason, ExitCode: p.ExitCode, Message: v.Message}
		if a.bg.Spec.Evidence.Logs != v1alpha1.LogsNone {
			e.Log = log(*p)
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
