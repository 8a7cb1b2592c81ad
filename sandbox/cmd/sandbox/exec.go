package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/shell"
)

// exitError ends this process with a command's own exit code.
type exitError struct{ code int }

func (e exitError) Error() string { return fmt.Sprintf("the command ended with %d", e.code) }

func execCommand() *cobra.Command {
	return &cobra.Command{
		Use: "exec -- COMMAND", Short: "Run a command in the network of `sandbox up`, with its kubeconfig",
		Example: "  sandbox exec -- turnout status -A\n  sandbox exec -- bash", Args: cobra.MinimumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			code, err := shell.Run(c.Context(), shell.Socket(), args, os.Stdin, os.Stdout, os.Stderr)
			if err == nil && code != 0 {
				err = exitError{code}
			}
			return err
		},
	}
}
