package deployer

import (
	"errors"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// waitsForTurn is a wait for another release to end.
func waitsForTurn(release string) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForTurn, Release: release}
}

// waitsForPods is a wait for a colour's pods, of which so many are there.
func waitsForPods(because v1alpha1.WaitingBecause, deployment string, there, of int32) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForPods, Because: because, Object: deployment, Done: there, Of: of}
}

// waitsForUnlock is a wait for a person who unlocks the application.
func waitsForUnlock(l *v1alpha1.Lock) *v1alpha1.Waiting {
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForLock, By: l.By, Since: track.Stamp(l.At.Time), Detail: l.Reason}
}

// waitsForReady is a wait for what the condition Ready says, by its reason.
func waitsForReady(reason, text string) *v1alpha1.Waiting {
	w := &v1alpha1.Waiting{For: v1alpha1.WaitsForApplication, Because: v1alpha1.WaitingBecause(reason), Detail: text}
	switch reason {
	case v1alpha1.ReasonNotGranted:
		w.For = v1alpha1.WaitsForGrant
	case v1alpha1.ReasonRepositoryChanged, v1alpha1.ReasonNotInstalled, v1alpha1.ReasonBranchMissing:
		w.For = v1alpha1.WaitsForRepository
	case v1alpha1.ReasonReady, "": // nobody has looked yet
		w.Because = ""
	}
	return w
}

// waitsForError is a wait for an error to be gone: for somebody who mends it, if it
// tells that, or else for the next try.
func waitsForError(err error) *v1alpha1.Waiting {
	if o, hindered := errors.AsType[*obstacle](err); hindered {
		return waitsForReady(o.reason, o.Text)
	}
	if lacksGrant(err) {
		return waitsForReady(v1alpha1.ReasonNotGranted, err.Error())
	}
	return &v1alpha1.Waiting{For: v1alpha1.WaitsForRetry, Detail: err.Error()}
}

// about is what a fault is about, besides its reason.
type about struct {
	because             v1alpha1.FailureBecause
	by, release, commit string
	since               *metav1.Time
	limit               time.Duration
	waited              *v1alpha1.Waiting
}

// into notes it in a failure.
func (b about) into(f *v1alpha1.Failure) {
	f.Because, f.By, f.Release, f.Commit, f.Since, f.Waited = b.because, b.by, b.release, b.commit, b.since, b.waited
	if b.limit > 0 {
		f.Limit = &metav1.Duration{Duration: b.limit}
	}
}
