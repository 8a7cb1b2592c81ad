package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/internal/words"
)

// run is the whole program except the process around it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "turnout",
		Short:         "Blue-green releases on Google Kubernetes Engine, shown on GitHub",
		Version:       version(),
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags(), getenv)
		},
	}
	root.SetVersionTemplate("turnout {{.Version}}\n")
	root.SetArgs(args)
	out, errOut := &border{out: stdout}, &border{out: stderr}
	defer out.flush()
	defer errOut.flush()
	root.SetOut(out)
	root.SetErr(errOut)
	root.AddCommand(
		installCommand(), uninstallCommand(), initCommand(), serveCommand(), actionCommand(getenv),
		deployCommand(), promoteCommand(), rollbackCommand(), cancelCommand(),
		lockCommand(), unlockCommand(), confirmCommand(), contractCommand(),
		statusCommand(), releasesCommand(), describeCommand(), preflightCommand(), doctorCommand(),
		simulateCommand(), versionCommand(),
	)
	completeNamespaces(root)
	return inWords(root.ExecuteContext(ctx))
}

// said is an error as a person reads it.
type said struct {
	error
	text string
}

// Error implements error.
func (s said) Error() string { return s.text }

// Unwrap gives the error itself, for [exitCode].
func (s said) Unwrap() error { return s.error }

// inWords lets an error speak as people do.
func inWords(err error) error {
	if err == nil {
		return nil
	}
	return said{err, words.Of(err)}
}
