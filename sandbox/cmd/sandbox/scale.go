package main

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/bench/scale"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

func scaleCommand() *cobra.Command {
	var flags upFlags
	var out string
	var sizes, perNamespace []int
	var o scale.Options
	command := &cobra.Command{
		Use: "bench-scale", Short: "Measure Turnout with many applications, whose pods are simulated", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out = c.OutOrStdout()
			inside, err := netns.Enter(netns.Options{})
			if err != nil {
				return err
			}
			var result struct {
				Rows []scale.Row `json:"rows"`
			}
			for _, n := range sizes {
				for _, per := range perNamespace {
					o := o
					o.Applications, o.PerNamespace, o.Burst = n, per, min(o.Burst, n-1)
					if per == 0 {
						o.PerNamespace = n
					}
					fmt.Fprintf(o.Out, "%d applications, %d a namespace, %d foreign pods\n", o.Applications, o.PerNamespace, o.ForeignPods)
					err := inBareWorld(c, flags, inside, func(s started) error {
						o.Project, o.World, o.Dir = s.project, s.world, s.dir
						row, err := scale.Turnout(c.Context(), o)
						result.Rows = append(result.Rows, row)
						return err
					})
					if err != nil {
						return err
					}
				}
			}
			return bench.Write(o.Out, out, result)
		},
	}
	flags.bindPlace(command)
	f := command.Flags()
	f.StringVar(&out, "out", "docs/bench/scale.json", "file for the result")
	f.IntSliceVar(&sizes, "applications", []int{100, 500}, "how many applications")
	f.IntSliceVar(&perNamespace, "per-namespace", []int{10, 0}, "how many of them a namespace has; 0: all are in one")
	f.IntVar(&o.ForeignPods, "foreign-pods", 0, "pods of no application")
	f.IntVar(&o.Burst, "burst", 100, "applications that one push releases")
	f.IntVar(&o.Releases, "n", 10, "releases one after the other")
	f.DurationVar(&o.Idle, "idle", 20*time.Second, "how long to measure that nothing happens")
	f.DurationVar(&o.Patience, "patience", 5*time.Minute, "how long any wait may take")
	return command
}

// inBareWorld starts a world without nodes, calls back, and stops it. If that fails, turnout's last
// words are printed.
func inBareWorld(c *cobra.Command, flags upFlags, inside *netns.Namespace, then func(started) error) error {
	dir, removeDir, err := makeDir(flags.dir)
	if err != nil {
		return err
	}
	defer removeDir()
	project, err := projectDir(flags.project)
	if err != nil {
		return err
	}
	w, err := world.Start(c.Context(), world.Options{
		Inside: inside, Dir: dir, CRDs: []string{filepath.Join(project, "config", "crd")}, Bare: true,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError})),
	})
	if err != nil {
		return err
	}
	defer w.Stop()
	err = then(started{project: project, dir: dir, world: w})
	if err != nil {
		printTail(c.ErrOrStderr(), filepath.Join(dir, "turnout.log"))
	}
	return err
}
