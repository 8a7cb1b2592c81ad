package track

import (
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Migration is the Job of a migration as the API server has it, past the cache.
type Migration struct {
	// Exists: there is a Job of that name. UID and ResourceVersion are its own.
	Exists          bool
	UID             types.UID
	ResourceVersion string

	// Hash of the pod template that the Job was made from.
	Hash string

	// Suspended: Kubernetes starts no pod of it. Resumed: Turnout let it go once.
	Suspended, Resumed bool

	// Complete and Failed: Kubernetes reports that it ended. Reason is why it failed.
	Complete, Failed bool
	Reason           string

	// Pods of the Job, also those that have ended.
	Pods []MigrationPod
}

// MigrationPod is a pod of a migration.
type MigrationPod struct {
	// Name of the pod.
	Name string

	// Ended: none of its containers runs or will run.
	Ended bool

	// Waiting is why its command does not run yet, for people.
	Waiting string

	// StartedAt is when its command started; zero if it has not.
	StartedAt time.Time

	// ExitCode of the command; nil if it has none. Container and Reason belong to it: of an init
	// container, if that one kept the command from starting.
	ExitCode          *int32
	Container, Reason string

	// Message is the command's termination message.
	Message string
}

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

// over reports whether no pod of the Job runs or will run.
func (m Migration) over() bool {
	for _, p := range m.Pods {
		if !p.Ended {
			return false
		}
	}
	return true
}

// Started is when the command first started; zero if it has not.
func (m Migration) Started() (at time.Time) {
	for _, p := range m.Pods {
		if !p.StartedAt.IsZero() && (at.IsZero() || p.StartedAt.Before(at)) {
			at = p.StartedAt
		}
	}
	return at
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
	if s.Outcome != "" && (s.Outcome != v1alpha1.MigrationNotRun || s.StartedAt == nil) {
		return MigrationVerdict{Step: MigrationEnd, Outcome: s.Outcome, Message: s.Message}
	}
	return MigrationVerdict{
		Step: MigrationEnd, Outcome: v1alpha1.MigrationUnknown,
		Message: "job " + s.Job + " was suspended while it ran, so nobody knows what it did to the schema",
	}
}

// ended is how a Job ended.
func ended(s *v1alpha1.MigrationStatus, m Migration) MigrationVerdict {
	v := MigrationVerdict{Step: MigrationEnd, Outcome: v1alpha1.MigrationChanged, Pod: m.exited(m.Complete)}
	switch {
	case m.Complete && v.Pod != nil && strings.TrimSpace(v.Pod.Message) == unchanged:
		v.Outcome = v1alpha1.MigrationUnchanged
	case m.Complete:
	case v.Pod != nil:
		v.Outcome, v.Message = v1alpha1.MigrationFailed, "its command failed"
	case s.StartedAt == nil && len(m.Pods) > 0 && m.Started().IsZero():
		v.Outcome, v.World = v1alpha1.MigrationNotRun, true
		v.Message = "its pod " + m.Pods[0].Name + " ended before its command started: " + m.Pods[0].Waiting
	default:
		v.Outcome = v1alpha1.MigrationUnknown
		v.Message = "its pod is gone without an exit code (" + m.Reason + "), so nobody knows what it did to the schema"
	}
	return v
}

// exited returns a pod with an exit code: 0 if the Job is complete, another one if it failed.
func (m Migration) exited(complete bool) *MigrationPod {
	for i, p := range m.Pods {
		if p.ExitCode != nil && (*p.ExitCode == 0) == complete {
			return &m.Pods[i]
		}
	}
	return nil
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

// running returns a pod whose command runs.
func (m Migration) running() *MigrationPod {
	for i, p := range m.Pods {
		if !p.Ended && !p.StartedAt.IsZero() {
			return &m.Pods[i]
		}
	}
	return nil
}

// pendingBecause is why no command runs yet.
func pendingBecause(m Migration) string {
	for _, p := range m.Pods {
		if !p.Ended {
			return "pod " + p.Name + ": " + p.Waiting
		}
	}
	return "Kubernetes has not created its pod"
}

// Listed reports whether an outcome belongs into the history of the schema.
func Listed(o v1alpha1.MigrationOutcome) bool {
	return o == v1alpha1.MigrationChanged || o == v1alpha1.MigrationFailed || o == v1alpha1.MigrationUnknown
}

// Migrating reports whether a release has a migration that has not ended.
func Migrating(r *v1alpha1.Release) bool {
	return r.Status.Migration != nil && r.Status.Migration.EndedAt == nil
}
