package deployer

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// pause is a wait until a time, or until something watched changes.
type pause struct {
	until    time.Time
	message  string
	commands []v1alpha1.ShellCommand // to end the wait
	waits    *v1alpha1.Waiting       // the message as data
}

// rests reports whether there is something to wait for.
func (p pause) rests() bool { return !p.until.IsZero() || p.message != "" }

// fault ends a release. Any other error is the world's, and is retried.
type fault struct {
	class    v1alpha1.FailureClass
	reason   v1alpha1.FailureReason
	about    about
	message  string
	commands []v1alpha1.ShellCommand // that fix it
	evidence []v1alpha1.Evidence
	// file of the repository that is wrong, if any, and the line, from 1; 0 if unknown.
	file string
	line int
}

func (f *fault) Error() string { return f.message }

// releaseFault is a fault of the release itself.
func releaseFault(reason v1alpha1.FailureReason, format string, args ...any) *fault {
	return &fault{class: v1alpha1.FaultRelease, reason: reason, message: fmt.Sprintf(format, args...)}
}

// with adds the commands that fix the fault.
func (f *fault) with(commands ...v1alpha1.ShellCommand) *fault {
	f.commands = v1alpha1.Commands(commands...)
	return f
}

// faultOf turns an error into a fault, with the error's commands.
func faultOf(class v1alpha1.FailureClass, reason v1alpha1.FailureReason, err error) *fault {
	return &fault{class: class, reason: reason, message: err.Error(), commands: shellCommands(err)}
}

// about holds a fault's details, besides its reason.
type about struct {
	because             v1alpha1.FailureBecause
	by, release, commit string
	since               *metav1.Time
	limit               time.Duration
	waited              *v1alpha1.Waiting
}

// into writes the details into a failure.
func (b about) into(f *v1alpha1.Failure) {
	f.Because, f.By, f.Release, f.Commit, f.Since, f.Waited = b.because, b.by, b.release, b.commit, b.since, b.waited
	if b.limit > 0 {
		f.Limit = &metav1.Duration{Duration: b.limit}
	}
}
