package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/sandbox/bench"
	"github.com/turnout-dev/turnout/sandbox/bench/scale"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/world"
)

func scaleCommand() *cobra.Command {
	var flags upFlags
	var out, peer string
	var add bool
	var sizes, perNamespace, finished []int
	var o scale.Options
	command := &cobra.Command{
		Use: "bench-scale", Short: "Measure Turnout with many applications, whose pods are simulated", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			o.Out, o.Peer.Command = c.OutOrStdout(), strings.Fields(peer)
			if peer != "" && o.Peer.Manifests == "" {
				return errors.New("--peer needs --peer-manifests: a template of one application for it")
			}
			if peer != "" && o.Bare {
				return errors.New("--bare is for Turnout alone: leave out --peer")
			}
			inside, err := netns.Enter(netns.Options{})
			if err != nil {
				return err
			}
			var result struct {
				Rows []scale.Row `json:"rows"`
			}
			if add {
				text, err := os.ReadFile(out)
				if err == nil {
					err = json.Unmarshal(text, &result)
				}
				if err != nil {
					return fmt.Errorf("adding to %s: %w", out, err)
				}
			}
			for _, o := range measurements(o, sizes, perNamespace, finished) {
				fmt.Fprintf(o.Out, "%d applications, %d a namespace, %d finished releases each, %d foreign pods: %s\n", o.Applications,
					o.PerNamespace, o.FinishedReleases, o.ForeignPods, cmp.Or(strings.Join(o.Peer.Command, " "), "turnout"))
				err := inBareWorld(c, flags, inside, o.Peer.CRDs, func(s started) error {
					o.Project, o.World, o.Dir = s.project, s.world, s.dir
					row, err := scale.Measure(c.Context(), o)
					if err == nil {
						result.Rows = append(result.Rows, row)
					}
					return err
				})
				if err != nil { // the earlier rows took many minutes
					return errors.Join(err, bench.Write(o.Out, out, result))
				}
			}
			return bench.Write(o.Out, out, result)
		},
	}
	flags.bindPlace(command)
	f := command.Flags()
	f.StringVar(&out, "out", "docs/bench/scale.json", "file for the result")
	f.BoolVar(&add, "add", false, "keep what the file has, and add to it")
	f.BoolVar(&o.Bare, "bare", false, "applications have an Ingress and nothing else: measures only what they cost at rest")
	f.IntSliceVar(&sizes, "applications", []int{100, 500}, "how many applications")
	f.IntSliceVar(&perNamespace, "per-namespace", []int{10, 0}, "how many of them a namespace has; 0: all are in one")
	f.IntSliceVar(&finished, "finished-releases", []int{0}, "how many releases each application has behind it")
	f.IntVar(&o.ForeignPods, "foreign-pods", 0, "pods of no application")
	f.IntVar(&o.Burst, "burst", 100, "applications that are released at once")
	f.IntVar(&o.Releases, "n", 10, "releases one after the other, and rollbacks")
	f.DurationVar(&o.Idle, "idle", 130*time.Second, "how long to measure that nothing happens; Go gives back memory every 2 minutes")
	f.DurationVar(&o.Patience, "patience", 5*time.Minute, "how long any wait may take")
	f.StringVar(&peer, "peer", "", "command of a controller to measure in turn with Turnout; KUBECONFIG leads it to the cluster")
	f.StringVar(&o.Peer.Name, "peer-name", "", "its name in the result (default: the command's)")
	f.StringSliceVar(&o.Peer.CRDs, "peer-crds", nil, "files or folders of its definitions")
	f.StringVar(&o.Peer.Manifests, "peer-manifests", "", "its application: a Go template of YAML, see the package scale")
	return command
}

// measurements are all that were asked for: at each size Turnout and then the peer.
func measurements(o scale.Options, sizes, perNamespace, finished []int) []scale.Options {
	var all []scale.Options
	peer := o.Peer
	for _, n := range sizes {
		for _, per := range perNamespace {
			o := o
			o.Applications, o.PerNamespace, o.Burst = n, cmp.Or(per, n), max(0, min(o.Burst, n-2))
			for _, o.FinishedReleases = range finished {
				o.Peer = scale.Peer{}
				all = append(all, o)
			}
			if len(peer.Command) > 0 {
				o.Peer, o.FinishedReleases = peer, 0
				all = append(all, o)
			}
		}
	}
	return all
}

// inBareWorld starts a world without nodes, calls back, and stops it. If that fails, turnout's last
// words are printed.
func inBareWorld(c *cobra.Command, flags upFlags, inside *netns.Namespace, crds []string, then func(started) error) error {
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
		Inside: inside, Dir: dir, CRDs: append([]string{filepath.Join(project, "config", "crd")}, crds...), Bare: true,
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
