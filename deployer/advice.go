package deployer

import (
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// obstacle is why no release of an application can run, with the commands that take it
// away. It is an error for whoever asks the world all the same.
type obstacle struct {
	reason string
	v1alpha1.Advice
}

// hinders makes an obstacle.
func hinders(reason, text string, commands ...v1alpha1.ShellCommand) *obstacle {
	return &obstacle{reason, v1alpha1.Advise(text, commands...)}
}

func (o *obstacle) Error() string { return o.Text }

// ShellCommands are those that take it away.
func (o *obstacle) ShellCommands() []v1alpha1.ShellCommand { return o.Commands }

// shellCommands are the commands that mend an error, if it knows any.
func shellCommands(err error) []v1alpha1.ShellCommand {
	var knows interface {
		ShellCommands() []v1alpha1.ShellCommand
	}
	if !errors.As(err, &knows) {
		return nil
	}
	return knows.ShellCommands()
}

// lacksGrant tells a missing grant from other errors.
func lacksGrant(err error) bool {
	var lacks *notGranted
	return errors.As(err, &lacks)
}

// notGranted is a grant that an act needs and its namespace lacks, or lacks since.
type notGranted struct{ v1alpha1.Advice }

func (e *notGranted) Error() string { return e.Text }

// ShellCommands are those that grant it.
func (e *notGranted) ShellCommands() []v1alpha1.ShellCommand { return e.Commands }
