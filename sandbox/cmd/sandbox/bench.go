package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

func benchCommand() *cobra.Command {
	flags := upFlags{web: "127.0.0.1:0", github: "127.0.0.1:0", speed: demo.Speed}
	var out string
	var n int
	command := &cobra.Command{
		Use: "bench-latency", Short: "Measure how fast Turnout reacts", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			return inTurnout(c, flags, func(s started, t *turnout.Turnout) error {
				result, err := bench.Latency(c.Context(), bench.Options{Project: s.project, World: s.world, Turnout: t, Out: c.OutOrStdout()}, n)
				if err != nil {
					return err
				}
				return bench.Write(c.OutOrStdout(), out, result)
			})
		},
	}
	flags.bindPlace(command)
	command.Flags().StringVar(&out, "out", "bench/latency.json", "file for the result")
	command.Flags().IntVar(&n, "n", 20, "how many releases, and how many rollbacks")
	return command
}

// inTurnout starts the world and turnout in it, calls back, and stops both. If
// anything fails, turnout's last words are printed.
func inTurnout(c *cobra.Command, flags upFlags, then func(started, *turnout.Turnout) error) error {
	return inWorld(c, flags, func(s started) error {
		t, err := turnout.Start(c.Context(), turnout.Options{Project: s.project, World: s.world, Dir: s.dir})
		if err != nil {
			return err
		}
		fmt.Fprintln(c.OutOrStdout(), "turnout serve is ready")
		err = then(s, t)
		if stopErr := t.Stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			printTail(c.ErrOrStderr(), t.Log)
		}
		return err
	})
}
