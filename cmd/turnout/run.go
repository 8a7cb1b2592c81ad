package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// run is the whole program, but for the process around it.
func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) error {
	root := &cobra.Command{
		Use:           "turnout",
		Short:         "Blue-green releases on Google Kubernetes Engine, told on GitHub",
		SilenceUsage:  true,
		SilenceErrors: true,
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			return fromEnvironment(cmd.Flags(), getenv)
		},
	}
	root.SetArgs(args)
	out, errOut := &border{out: stdout}, &border{out: stderr}
	defer out.flush()
	defer errOut.flush()
	root.SetOut(out)
	root.SetErr(errOut)
	root.AddCommand(
		serveCommand(), actionCommand(getenv),
		deployCommand(), promoteCommand(), rollbackCommand(), cancelCommand(), confirmCommand(), statusCommand(), releasesCommand(),
		simulateCommand(), versionCommand(),
	)
	return root.ExecuteContext(ctx)
}

// fromEnvironment gives every flag that was not set on the command line the
// value of its environment variable: --github-url is TURNOUT_GITHUB_URL.
func fromEnvironment(flags *pflag.FlagSet, getenv func(string) string) error {
	var err error
	flags.VisitAll(func(f *pflag.Flag) {
		name := variable(f.Name)
		value := getenv(name)
		if f.Changed || value == "" || err != nil {
			return
		}
		if setErr := flags.Set(f.Name, value); setErr != nil {
			err = fmt.Errorf("variable %s: %w", name, setErr)
		}
	})
	return err
}

// variable is the environment variable of a flag.
func variable(flag string) string {
	return "TURNOUT_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "turnout", version())
			return err
		},
	}
}

// release is set by the linker in released binaries.
var release string

// version is what the linker said, or the commit that Go recorded.
func version() string {
	if release != "" {
		return release
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return info.Main.Version
}
