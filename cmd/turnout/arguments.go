package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// arguments are a command's arguments beside its flags.
type arguments struct {
	// needs describes the first argument, such as "the name of an application"; empty if
	// none is needed.
	needs string
	// most is the largest number of arguments.
	most int
	// example is a complete call.
	example string
}

// ofApplication are the arguments of a command about one application, and up to more
// others.
func ofApplication(example string, more int) arguments {
	return arguments{needs: "the name of an application", most: 1 + more, example: example}
}

// check says what is wrong with a command's arguments, in the words of the usage.
func (a arguments) check(cmd *cobra.Command, args []string) error {
	switch {
	case len(args) == 0 && a.needs != "":
		return fmt.Errorf("give %s, such as: %s", a.needs, a.example)
	case len(args) > a.most:
		return fmt.Errorf("%q is one argument too many; the usage is: %s", args[a.most], cmd.UseLine())
	}
	return nil
}
