package main

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/bench/webhook"
	"github.com/turnout-dev/turnout/sandbox/netns"
)

func webhookCommand() *cobra.Command {
	var flags upFlags
	var out string
	var o webhook.Options
	command := &cobra.Command{
		Use: "bench-webhook", Short: "Measure how Turnout takes a flood of webhooks", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = c.OutOrStdout()
			inside, err := netns.Enter(netns.Options{})
			if err != nil {
				return err
			}
			return inBareWorld(c, flags, inside, nil, func(s started) error {
				o.Project, o.World, o.Dir = s.project, s.world, s.dir
				result, err := webhook.Run(c.Context(), o)
				if err != nil {
					return err
				}
				return errors.Join(bench.Write(o.Out, out, result), result.Check())
			})
		},
	}
	flags.bindPlace(command)
	f := command.Flags()
	f.StringVar(&out, "out", "docs/bench/webhook.json", "file for the result")
	f.IntVar(&o.PerSecond, "per-second", 500, "how many webhooks GitHub sends in a second")
	f.DurationVar(&o.For, "for", time.Minute, "how long")
	f.IntVar(&o.Slower, "slower", 10, "how many times slower the API server is in the second part; 1: there is none")
	f.DurationVar(&o.Patience, "patience", 10*time.Minute, "how long any wait may take")
	return command
}
