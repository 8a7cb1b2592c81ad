package deployer

import (
	"errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// shellCommands returns the commands that fix an error, if it has any.
func shellCommands(err error) []v1alpha1.ShellCommand {
	var knows interface {
		ShellCommands() []v1alpha1.ShellCommand
	}
	if !errors.As(err, &knows) {
		return nil
	}
	return knows.ShellCommands()
}

// lacksGrant reports whether an error is a missing grant.
func lacksGrant(err error) bool {
	var lacks *notGranted
	return errors.As(err, &lacks)
}

// notGranted is a grant that an act needs and its namespace lacks.
type notGranted struct{ v1alpha1.Advice }

func (e *notGranted) Error() string { return e.Text }

// ShellCommands returns the commands that grant it.
func (e *notGranted) ShellCommands() []v1alpha1.ShellCommand { return e.Commands }
