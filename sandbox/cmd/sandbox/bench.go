package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/bench/cutover"
	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/gclb"
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
	command.Flags().StringVar(&out, "out", "docs/bench/latency.json", "file for the result")
	command.Flags().IntVar(&n, "n", 20, "how many releases, and how many rollbacks")
	return command
}

// cutoverSpeed is how much faster than Google's the load balancer is while
// cut-overs are measured.
const cutoverSpeed = 10

func cutoverCommand() *cobra.Command {
	flags := upFlags{
		web: "127.0.0.1:0", github: "127.0.0.1:0", hosts: cutover.Hosts(), seeds: cutover.Seeds, gateways: cutover.Gateways,
		adoption: &gclb.Adoption{},
	}
	var out, log string
	var n int
	var only []string
	command := &cobra.Command{
		Use: "bench-switch", Short: "Measure what users lose at a cut-over, with Turnout and without", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if n < 1 {
				return fmt.Errorf("--n is %d: measure 1 cut-over or more", n)
			}
			file, err := os.Create(log)
			if err != nil {
				return err
			}
			defer file.Close()
			journal := cutover.NewJournal(file)
			flags.log = slog.New(journal)
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return inTurnout(c, flags, func(s started, t *turnout.Turnout) error {
				report, err := cutover.Run(c.Context(), cutover.Options{
					Project: s.project, World: s.world, Journal: journal, LoadBalancer: gclb.Config{Speed: flags.speed, Adoption: flags.adoption},
					Turnout: t, Application: self, Cutovers: n, Only: only, Out: c.OutOrStdout(),
				})
				if len(only) == 0 {
					err = errors.Join(err, report.Check(n), bench.Write(io.Discard, out, report))
				}
				return errors.Join(report.Print(c.OutOrStdout()), err)
			})
		},
	}
	flags.bindPlace(command)
	command.Flags().Float64Var(&flags.speed, "speed", cutoverSpeed, "how much faster than Google's the load balancer is")
	command.Flags().StringVar(&out, "out", "docs/bench/switch.json", "file for the result")
	command.Flags().StringVar(&log, "log", os.DevNull, "file for what the load balancer does")
	command.Flags().IntVar(&n, "n", 10, "cut-overs of each row")
	command.Flags().StringSliceVar(&only, "only", nil, "rows to measure; then nothing is checked or written")
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
		if err = s.world.AwaitLoadBalancer(c.Context()); err == nil {
			err = then(s, t)
		}
		if stopErr := t.Stop(); err == nil {
			err = stopErr
		}
		if err != nil {
			printTail(c.ErrOrStderr(), t.Log)
		}
		return err
	})
}
