package deployer

import (
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// migrationPoll is how often to look at a migration that nothing reports about: without a pod, no
// watch wakes the application.
const migrationPoll = 5 * time.Second

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
