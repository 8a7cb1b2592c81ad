package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"
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
	return root.ExecuteContext(ctx)
}
