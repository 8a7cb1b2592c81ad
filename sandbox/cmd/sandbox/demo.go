package main

import (
	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

func demoCommand() *cobra.Command {
	flags := upFlags{web: "127.0.0.1:0", github: "127.0.0.1:0", speed: demo.Speed}
	command := &cobra.Command{
		Use: "demo", Short: "Run Turnout's main job from adoption to rollback, and check it", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return runDemo(c, flags) },
	}
	flags.bindPlace(command)
	return command
}

func runDemo(c *cobra.Command, flags upFlags) error {
	return inTurnout(c, flags, func(s started, t *turnout.Turnout) error {
		return demo.Run(c.Context(), demo.Options{Project: s.project, World: s.world, Turnout: t, Out: c.OutOrStdout()})
	})
}
