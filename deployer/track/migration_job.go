package track

import (
	"time"

	"k8s.io/apimachinery/pkg/types"
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

	// Refused is why Kubernetes could not create its pod, for people; "" if that is not known.
	Refused string
}

// MigrationPod is a pod of a migration.
type MigrationPod struct {
	// Name of the pod.
	Name string

	// Ended: none of its containers runs or will run.
	Ended bool

	// Placed: it has a node, where its command may start at any moment.
	Placed bool

	// Waiting is why its command does not run yet, for people.
	Waiting string

	// StartedAt is when its command started; zero if it has not, or if that is not known.
	StartedAt time.Time

	// Lost: its command may have run, and nothing shows when or how it ended.
	Lost bool

	// ExitCode of the command; nil if it has none. Container and Reason belong to it: of an init
	// container, if that one kept the command from starting.
	ExitCode          *int32
	Container, Reason string

	// Message is the command's termination message.
	Message string

	// Unstartable: the command could not be started, and Message says why.
	Unstartable bool
}

// ranNothing reports whether it is certain that a pod's command never ran.
func (p MigrationPod) ranNothing() bool {
	return !p.Placed || p.Unstartable || p.Ended && p.StartedAt.IsZero() && !p.Lost
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

// ranNothing reports whether its pods show that the command never ran.
func (m Migration) ranNothing() bool {
	for _, p := range m.Pods {
		if !p.ranNothing() {
			return false
		}
	}
	return len(m.Pods) > 0
}

// MayHaveRun reports whether a pod is or was where its command may have run.
func (m Migration) MayHaveRun() bool { return len(m.Pods) > 0 && !m.ranNothing() }

// Started is when the command first started; zero if it has not.
func (m Migration) Started() (at time.Time) {
	for _, p := range m.Pods {
		if !p.StartedAt.IsZero() && (at.IsZero() || p.StartedAt.Before(at)) {
			at = p.StartedAt
		}
	}
	return at
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

// running returns a pod whose command runs.
func (m Migration) running() *MigrationPod {
	for i, p := range m.Pods {
		if !p.Ended && !p.StartedAt.IsZero() {
			return &m.Pods[i]
		}
	}
	return nil
}
