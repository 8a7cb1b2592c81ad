package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

func demoCommand() *cobra.Command {
	flags := upFlags{web: "127.0.0.1:0", github: "127.0.0.1:0"}
	command := &cobra.Command{
		Use: "demo", Short: "Run Turnout's main job from adoption to rollback, and check it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c, flags) },
	}
	command.Flags().StringVar(&flags.dir, "dir", "", "directory for everything (default: a temporary one, removed at the end)")
	command.Flags().StringVar(&flags.project, "project", "", "Turnout's own folder (default: the one whose bin/ has the control plane)")
	return command
}

func runDemo(c *cobra.Command, flags upFlags) error {
	return inWorld(c, flags, func(s started) error {
		t, err := turnout.Start(c.Context(), turnout.Options{Project: s.project, World: s.world, Dir: s.dir})
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "turnout serve is ready")
		err = demo.Run(c.Context(), demo.Options{Project: s.project, World: s.world, Turnout: t, Out: c.OutOrStdout()})
		if stopErr := t.Stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			printTail(c.ErrOrStderr(), t.Log)
		}
		return err
	})
}
