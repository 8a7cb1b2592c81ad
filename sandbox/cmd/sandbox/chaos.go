package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/bench/cutover"
	"github.com/turnout-dev/turnout/sandbox/gclb"
)

func chaosCommand() *cobra.Command {
	flags := upFlags{
		web: "127.0.0.1:0", github: "127.0.0.1:0", hosts: cutover.ChaosHosts(), seeds: cutover.Seeds, adoption: &gclb.Adoption{},
	}
	var out string
	o := cutover.ChaosOptions{}
	command := &cobra.Command{
		Use: "chaos", Short: "Release while Turnout's replicas crash and stall, and whatever they talk to fails", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if o.Seed == 0 {
				o.Seed = rand.Uint64() >> 32 //nolint:gosec // G404: printed, to be run again
			}
			journal := cutover.NewJournal(io.Discard)
			flags.log = slog.New(journal)
			self, err := os.Executable()
			if err != nil {
				return err
			}
			return inWorld(c, flags, func(s started) error {
				if err := s.world.AwaitLoadBalancer(c.Context()); err != nil {
					return err
				}
				o.Options = cutover.Options{
					Project: s.project, World: s.world, Journal: journal, LoadBalancer: gclb.Config{Speed: flags.speed, Adoption: flags.adoption},
					Application: self, Out: c.OutOrStdout(),
				}
				o.Dir = s.dir
				report, err := cutover.Chaos(c.Context(), o)
				if err == nil {
					err = errors.Join(report.Check(o.Releases), bench.Write(c.OutOrStdout(), out, report))
				}
				if err != nil {
					return fmt.Errorf("with --seed %d: %w", o.Seed, err)
				}
				return nil
			})
		},
	}
	flags.bindPlace(command)
	f := command.Flags()
	f.Float64Var(&flags.speed, "speed", cutoverSpeed, "how much faster than Google's the load balancer is")
	f.StringVar(&out, "out", "docs/bench/chaos.json", "file for the result")
	f.Uint64Var(&o.Seed, "seed", 0, "what fails, and when; 0: another one each time")
	f.IntVar(&o.Releases, "n", 50, "how many releases and rollbacks")
	f.DurationVar(&o.For, "for", 12*time.Minute, "how long new ones are begun")
	return command
}
