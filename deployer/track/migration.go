package track

import (
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// unchanged is the termination message of a migration that had nothing to do.
const unchanged = "unchanged"

// MigrationStep is what is due for a migration.
type MigrationStep string

// What is due for a migration.
const (
	MigrationIntend MigrationStep = "intend" // record the intent
	MigrationCreate MigrationStep = "create" // create the Job, suspended
	MigrationRemake MigrationStep = "remake" // delete the Job, which never ran and is an older spec's
	MigrationAdopt  MigrationStep = "adopt"  // record the Job's UID
	MigrationLetGo  MigrationStep = "let go" // record the intent to resume it
	MigrationResume MigrationStep = "resume" // resume the Job
	MigrationWait   MigrationStep = "wait"   // look again when its pods change
	MigrationStop   MigrationStep = "stop"   // suspend the Job: its time is up
	MigrationEnd    MigrationStep = "end"    // record how it ended
)

// MigrationLimits are the times of a migration.
type MigrationLimits struct {
	// Timeout of the command, from its start. Pending is how long its pod may take to start it.
	// 0 is without limit.
	Timeout, Pending time.Duration
}

// MigrationVerdict is what is due for a migration, and why.
type MigrationVerdict struct {
	Step MigrationStep

	// At is when a limit ends without any change of the Job; zero if none does.
	At time.Time

	// Outcome of a migration that is to end or to be stopped, with the pod that shows it.
	Outcome v1alpha1.MigrationOutcome
	Pod     *MigrationPod

	// World: what keeps it from running is not the release's fault.
	World bool

	// Message is for people: what it waits for, or how it ended.
	Message string
}

// JudgeMigration decides what is due for a migration, from what is recorded and what was observed
// later. A Job runs once: what was recorded and is gone is not created again, and what was
// suspended after it had been resumed is not resumed again.
func JudgeMigration(s *v1alpha1.MigrationStatus, m Migration, now time.Time, l MigrationLimits) MigrationVerdict {
	switch {
	case s == nil:
		return MigrationVerdict{Step: MigrationIntend}
	case s.UID == "" && !m.Exists:
		return MigrationVerdict{Step: MigrationCreate}
	case s.UID == "" && m.Suspended && !m.Resumed && m.Hash != s.TemplateHash:
		return MigrationVerdict{Step: MigrationRemake}
	case s.UID == "":
		return MigrationVerdict{Step: MigrationAdopt}
	case !m.Exists || string(m.UID) != s.UID:
		return gone(s, m)
	case m.Suspended && !m.Resumed && s.ResumedAt == nil:
		return MigrationVerdict{Step: MigrationLetGo}
	case m.Suspended && !m.Resumed:
		return MigrationVerdict{Step: MigrationResume}
	case m.Suspended:
		return stopped(s, m)
	case m.over() && (m.Complete || m.Failed):
		return ended(s, m)
	}
	return underWay(s, m, now, l)
}

// VoidMigration decides the same for a release that takes no more steps. What has not been resumed
// will not be; what runs goes on to its end.
func VoidMigration(s *v1alpha1.MigrationStatus, m Migration, now time.Time, l MigrationLimits) MigrationVerdict {
	v := JudgeMigration(s, m, now, l)
	switch v.Step {
	case MigrationCreate:
		return MigrationVerdict{Step: MigrationEnd, Outcome: v1alpha1.MigrationNotRun, Message: "its Job was never created"}
	case MigrationAdopt, MigrationLetGo, MigrationResume:
		if m.Suspended && !m.Resumed {
			return MigrationVerdict{Step: MigrationRemake}
		}
	case MigrationIntend, MigrationRemake, MigrationWait, MigrationStop, MigrationEnd:
	}
	return v
}

// gone is a Job that somebody deleted, or replaced by another one.
func gone(s *v1alpha1.MigrationStatus, m Migration) MigrationVerdict {
	if !m.over() {
		return MigrationVerdict{Step: MigrationWait, Message: "job " + s.Job + " was deleted, and its pod has not ended"}
	}
	return MigrationVerdict{
		Step: MigrationEnd, Outcome: v1alpha1.MigrationUnknown,
		Message: "job " + s.Job + " was deleted before Turnout saw its end, so nobody knows what it did to the schema",
	}
}

// stopped is a Job that was suspended after it had been resumed: by Turnout, whose record has the
// outcome, or by somebody else.
func stopped(s *v1alpha1.MigrationStatus, m Migration) MigrationVerdict {
	if !m.over() {
		return MigrationVerdict{Step: MigrationWait, Message: "job " + s.Job + " was stopped, and its pod has not ended"}
	}
	v := MigrationVerdict{Step: MigrationEnd, Outcome: s.Outcome, Message: s.Message}
	switch {
	case s.Outcome == v1alpha1.MigrationFailed:
	case s.StartedAt == nil && m.ranNothing():
		v.Outcome = v1alpha1.MigrationNotRun
		if s.Message == "" {
			v.Message = "job " + s.Job + " was suspended before its command started"
		}
	case s.StartedAt == nil && s.Outcome == v1alpha1.MigrationNotRun:
	default:
		v.Outcome = v1alpha1.MigrationUnknown
		v.Message = "job " + s.Job + " was suspended when its command ran or may have run, so nobody knows what it did to the schema"
	}
	return v
}

// ended is how a Job ended.
func ended(s *v1alpha1.MigrationStatus, m Migration) MigrationVerdict {
	v := MigrationVerdict{Step: MigrationEnd, Outcome: v1alpha1.MigrationChanged, Pod: m.exited(m.Complete)}
	switch {
	case m.Complete && v.Pod != nil && strings.TrimSpace(v.Pod.Message) == unchanged:
		v.Outcome = v1alpha1.MigrationUnchanged
	case m.Complete:
	case v.Pod != nil && v.Pod.Unstartable && s.StartedAt == nil:
		v.Outcome, v.Message = v1alpha1.MigrationNotRun, "its command could not be started: "+v.Pod.Message
	case v.Pod != nil:
		v.Outcome, v.Message = v1alpha1.MigrationFailed, "its command failed"
	case s.StartedAt == nil && m.ranNothing():
		v.Outcome, v.World = v1alpha1.MigrationNotRun, true
		v.Message = "its pod " + m.Pods[0].Name + " ended before its command started: " + m.Pods[0].Waiting
	default:
		v.Outcome = v1alpha1.MigrationUnknown
		v.Message = "its command left no exit code (" + m.Reason + "), so nobody knows what it did to the schema"
	}
	return v
}

// underWay judges a Job that has been resumed and has not ended.
func underWay(s *v1alpha1.MigrationStatus, m Migration, now time.Time, l MigrationLimits) MigrationVerdict {
	started := m.Started()
	if s.StartedAt != nil {
		started = s.StartedAt.Time
	}
	v := MigrationVerdict{Step: MigrationWait}
	if started.IsZero() {
		v.Message = pendingBecause(m)
		if s.ResumedAt == nil || l.Pending <= 0 {
			return v
		}
		if v.At = s.ResumedAt.Add(l.Pending); !now.Before(v.At) {
			v.Step, v.Outcome, v.World = MigrationStop, v1alpha1.MigrationNotRun, true
			if m.MayHaveRun() { // until its pod shows that it did not start at the last moment
				v.Outcome = v1alpha1.MigrationUnknown
			}
			v.Message = "its command did not start within " + l.Pending.String() + " (spec.deadlines.stage): " + v.Message
		}
		return v
	}
	v.Message = RunsSince(started)
	if l.Timeout <= 0 || m.over() {
		return v
	}
	if v.At = started.Add(l.Timeout); !now.Before(v.At) {
		v.Step, v.Outcome, v.Pod = MigrationStop, v1alpha1.MigrationFailed, m.running()
		v.Message = "its command did not end within " + l.Timeout.String() + ", and was stopped"
	}
	return v
}

// RunsSince says that a migration runs, and nothing else.
func RunsSince(started time.Time) string { return "runs since " + Clock(started) }

// pendingBecause is why no command runs yet.
func pendingBecause(m Migration) string {
	for _, p := range m.Pods {
		if !p.Ended {
			return "pod " + p.Name + ": " + p.Waiting
		}
	}
	if m.Refused != "" {
		return "Kubernetes could not create its pod: " + m.Refused
	}
	return "Kubernetes has not created its pod"
}

// Listed reports whether an outcome belongs into the history of the schema.
func Listed(o v1alpha1.MigrationOutcome) bool {
	return o == v1alpha1.MigrationChanged || o == v1alpha1.MigrationFailed || o == v1alpha1.MigrationUnknown
}

// NeverRan reports whether a finished release's migration is over without a run of its command.
func NeverRan(r *v1alpha1.Release) bool {
	s := r.Status.Migration
	return r.Status.Phase.Finished() && s != nil && s.EndedAt != nil && s.Outcome == v1alpha1.MigrationNotRun
}

// Migrating reports whether a release has a migration that has not ended.
func Migrating(r *v1alpha1.Release) bool {
	return r.Status.Migration != nil && r.Status.Migration.EndedAt == nil
}
