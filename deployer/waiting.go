package deployer

import (
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// waitsForTurn is the wait for another release to end.
func waitsForTurn(release string) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForTurn, Release: release}
}

// waitsForPods is the wait for a colour's pods, and how many there are.
func waitsForPods(because v1alpha1.WaitingBecause, deployment string, there, of int32) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForPods, Because: because, Object: deployment, Done: there, Of: of}
}

// waitsForReady is the wait for what the condition Ready reports, by its reason.
func waitsForReady(reason, text string) *v1alpha1.Waiting {
	w := &v1alpha1.Waiting{For: v1alpha1.WaitsForApplication, Because: v1alpha1.WaitingBecause(reason), Detail: text}
	switch reason {
	case v1alpha1.ReasonNotGranted:
		w.For = v1alpha1.WaitsForGrant
	case v1alpha1.ReasonRepositoryChanged, v1alpha1.ReasonNotInstalled, v1alpha1.ReasonBranchMissing:
		w.For = v1alpha1.WaitsForRepository
	case v1alpha1.ReasonReady, "": // not checked yet
		w.Because = ""
	}
	return w
}

// waitsForError is the wait until an error is gone: for somebody to fix it if the error says how,
// otherwise for the next attempt.
func waitsForError(err error) *v1alpha1.Waiting {
	if o, hindered := errors.AsType[*track.Obstacle](err); hindered {
		return waitsForReady(o.Reason, o.Text)
	}
	if lacksGrant(err) {
		return waitsForReady(v1alpha1.ReasonNotGranted, err.Error())
	}
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForRetry, Detail: err.Error()}
}

// lockedBy describes who locked an application, when and why.
func lockedBy(l *v1alpha1.Lock) string { return prose.Locked(l.By, prose.Minute(l.At.Time), l.Reason) }

// rolledBackBy describes who took a commit away from users, when, and by what.
func rolledBackBy(left v1alpha1.RolledBack) string {
	return v1alpha1.ShortCommit(left.Commit) + ", which " + prose.By(left.By, left.Release) + " rolled back at " + prose.Minute(left.At.Time)
}

// waitsBecause is the wait until an error is gone, with the commands that fix it.
func waitsBecause(err error) pause {
	return pause{message: "waits: " + err.Error(), commands: shellCommands(err), waits: waitsForError(err)}
}

// turnAfter is the wait for another release to end.
func turnAfter(release string) pause {
	return pause{message: "waits for " + release, waits: waitsForTurn(release)}
}

// unlocking is the wait for a person to unlock the application.
func unlocking(l *v1alpha1.Lock) pause {
	return pause{message: "waits: " + lockedBy(l), waits: track.WaitsForUnlock(l)}
}
