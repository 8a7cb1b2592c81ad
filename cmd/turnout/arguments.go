package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// arguments are what a command is called with beside its flags.
type arguments struct {
	// needs says what its first argument is, such as "the name of an application";
	// empty if it needs none.
	needs string
	// most is how many it takes.
	most int
	// example is a whole call.
	example string
}

// ofApplication are the arguments of a command about one application, and of up to so
// many more things.
func ofApplication(example string, more int) arguments {
	return arguments{needs: "the name of an application", most: 1 + more, example: example}
}

// check says in the words of the usage what is wrong with a command's arguments.
func (a arguments) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && a.needs != "":
		return fmt.Errorf("give %s, such as: %s", a.needs, a.example)
	case len(args) > a.most:
		return fmt.Errorf("%q is one argument too many; the usage is: %s", args[a.most], cmd.UseLine())
	}
	return nil
}
