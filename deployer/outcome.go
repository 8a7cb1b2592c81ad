package deployer

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// pause is a wait as a state: until a time, or until something watched changes.
type pause struct {
	until    time.Time
	message  string
	commands []v1alpha1.ShellCommand // that do what the message says
	waits    *v1alpha1.Waiting       // what the message says, in facts
}

// rests reports whether there is something to wait for.
func (p pause) rests() bool { return !p.until.IsZero() || p.message != "" }

// fault ends a release. Any other error is the world's, and is tried again.
type fault struct {
	class    v1alpha1.FailureClass
	reason   v1alpha1.FailureReason
	about    about
	message  string
	commands []v1alpha1.ShellCommand // that fix it
	evidence []v1alpha1.Evidence
	// file of the repository that is wrong, if one is, and its line, from 1; 0
	// if unknown.
	file string
	line int
}

func (f *fault) Error() string { return f.message }

// releaseFault is a fault of the release itself.
func releaseFault(reason v1alpha1.FailureReason, format string, args ...any) *fault {
	return &fault{class: v1alpha1.FaultRelease, reason: reason, message: fmt.Sprintf(format, args...)}
}

// with is the fault with the commands that fix it.
func (f *fault) with(commands ...v1alpha1.ShellCommand) *fault {
	f.commands = v1alpha1.Commands(commands...)
	return f
}

// faultOf turns an error into a fault, with its commands.
func faultOf(class v1alpha1.FailureClass, reason v1alpha1.FailureReason, err error) *fault {
	return &fault{class: class, reason: reason, message: err.Error(), commands: shellCommands(err)}
}

// about is what a fault is about, besides its reason.
type about struct {
	because             v1alpha1.FailureBecause
	by, release, commit string
	since               *metav1.Time
	limit               time.Duration
	waited              *v1alpha1.Waiting
}

// into writes it into a failure.
func (b about) into(f *v1alpha1.Failure) {
	f.Because, f.By, f.Release, f.Commit, f.Since, f.Waited = b.because, b.by, b.release, b.commit, b.since, b.waited
	if b.limit > 0 {
		f.Limit = &metav1.Duration{Duration: b.limit}
	}
}
