package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The program's exit status. docs/command-line.md has the table; a test compares them.
const (
	exitSuccess = 0 // done; after a release, users have it
	exitTrouble = 1 // wrong usage, the cluster does not answer, or the request was refused
	exitFailed  = 2 // the release itself failed
	exitError   = 3 // the release's environment failed
	exitStopped = 4 // the release was cancelled, or superseded by a newer one
	exitPending = 5 // the release continues: the timeout passed, or it waits for a person
)

// exitTable explains each status but 0 and 1 in a line, for --help.
const exitTable = `Exit status: 0 done; 1 wrong usage, no answer from the cluster, or refused;
2 the release Failed; 3 it ended in Error; 4 it was Cancelled or Superseded;
5 it goes on: --timeout passed, or it waits for a person.`

// ended is how a followed release ended, if it is not a success.
type ended struct {
	code    int
	message string
}

// Error implements error.
func (e *ended) Error() string { return e.message }

// exitCode is the exit status for an error of run.
func exitCode(err error) int {
	if err == nil {
		return exitSuccess
	}
	if e, ok := errors.AsType[*ended](err); ok {
		return e.code
	}
	return exitTrouble
}

// verdict is the error for a release's state; nil for a success.
func verdict(rel *v1alpha1.Release) error {
	text := fmt.Sprintf("%s: %s", rel.Name, rel.Status.Phase)
	switch rel.Status.Phase {
	case v1alpha1.ReleaseSucceeded:
		return nil
	case v1alpha1.ReleaseFailed:
		return &ended{exitFailed, text}
	case v1alpha1.ReleaseError:
		return &ended{exitError, text}
	case v1alpha1.ReleaseCancelled:
		return &ended{exitStopped, text}
	case v1alpha1.ReleaseSuperseded:
		if by := rel.Status.SupersededBy; by != "" {
			text += " by " + by
		}
		return &ended{exitStopped, text}
	case "", v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing:
	}
	return &ended{exitPending, fmt.Sprintf("%s goes on without being watched (%s)", rel.Name, phaseOf(rel))}
}

// stillGoing replaces the error of a context that ended while following a release.
func stillGoing(ctx context.Context, rel *v1alpha1.Release) error {
	why := "interrupted"
	if errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		why = "--timeout passed"
	}
	return &ended{exitPending, fmt.Sprintf("%s: %s goes on (%s)", why, rel.Name, phaseOf(rel))}
}

// phaseOf is a release's phase in words, also before anybody took it.
func phaseOf(rel *v1alpha1.Release) string {
	if rel.Status.Phase == "" {
		return "not taken yet"
	}
	return string(rel.Status.Phase)
}
