package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/demo"
	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/shell"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// upFlags are the flags of `sandbox up`.
type upFlags struct {
	dir, project, web, github string
	speed                     float64

	// What only measurements need: names inside that lead to the load balancer, more
	// images, and the load balancer's log.
	hosts []string
	seeds func(project string) []world.Seed
	log   *slog.Logger
	// adoption gets the front ends' progress.
	adoption *gclb.Adoption
	// gateways says how the controller of Gateways behaves; nil: there is none.
	gateways func(speed float64) *gateway.Config
}

func upCommand() *cobra.Command {
	flags := upFlags{speed: demo.Speed}
	command := &cobra.Command{
		Use: "up", Short: "Start the world, print its addresses, stay until Ctrl-C", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return up(c, flags) },
	}
	flags.bindPlace(command)
	command.Flags().Float64Var(&flags.speed, "speed", flags.speed, "how much faster than Google's the load balancer is")
	command.Flags().StringVar(&flags.web, "web", "127.0.0.1:8080", "address of the load balancer")
	command.Flags().StringVar(&flags.github, "github", "127.0.0.1:8081", "address of the GitHub stand-in")
	return command
}

// bindPlace binds the flags that every command has.
func (f *upFlags) bindPlace(command *cobra.Command) {
	command.Flags().StringVar(&f.dir, "dir", "", "directory for everything (default: a temporary one, removed at the end)")
	command.Flags().StringVar(&f.project, "project", "",
		"Turnout's own folder, for its CRDs and example (default: the one whose bin/ has the control plane)")
}

func up(c *cobra.Command, flags upFlags) error {
	if err := shell.Keep(); err != nil {
		return err
	}
	return inTurnout(c, flags, func(s started, t *turnout.Turnout) error {
		o := demo.Options{Project: s.project, World: s.world, Turnout: t, Out: c.OutOrStdout()}
		if err := demo.Adopt(c.Context(), o); err != nil {
			return err
		}
		printAddresses(c.OutOrStdout(), s.world, t)
		listener, err := shell.Listen(shell.Socket())
		if err != nil {
			return err
		}
		shell.Serve(c.Context(), listener, []string{
			"KUBECONFIG=" + s.world.Kubeconfig, "PATH=" + filepath.Join(s.project, "bin") + ":" + os.Getenv("PATH"),
		})
		return nil
	})
}

// started is a world that runs.
type started struct {
	world        *world.World
	project, dir string
}

// inWorld starts the world in a network of its own, calls back, and stops it.
func inWorld(c *cobra.Command, flags upFlags, then func(started) error) error {
	hosts := map[string]string{}
	for _, host := range flags.hosts {
		hosts[host], _, _ = net.SplitHostPort(flags.web)
	}
	inside, err := netns.Enter(netns.Options{Hosts: hosts, Listen: map[string]string{
		world.ListenWeb: flags.web, world.ListenGitHub: flags.github,
	}})
	if err != nil {
		return err
	}
	dir, removeDir, err := makeDir(flags.dir)
	if err != nil {
		return err
	}
	defer removeDir()
	project, err := projectDir(flags.project)
	if err != nil {
		return err
	}
	seeds := demo.Seeds
	if flags.seeds != nil {
		seeds = flags.seeds
	}
	crds, gateways, err := flags.gatewayAPI(c.Context(), project)
	if err != nil {
		return err
	}
	out := c.OutOrStdout()
	w, err := world.Start(c.Context(), world.Options{
		Inside: inside, Dir: dir, CRDs: append(crds, filepath.Join(project, "config", "crd")), Seeds: seeds(project), Gateway: gateways,
		BackoffScale: 0.1, LoadBalancer: gclb.Config{Speed: flags.speed, Log: flags.log, Adoption: flags.adoption},
		Log:      slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})),
		Progress: func(line string) { fmt.Fprintln(out, line) },
	})
	if err != nil {
		return err
	}
	defer w.Stop()
	return then(started{world: w, project: project, dir: dir})
}

// gatewayAPI are the definitions that a controller of Gateways needs, if there is one.
func (f *upFlags) gatewayAPI(ctx context.Context, project string) (crds []string, c *gateway.Config, err error) {
	if f.gateways == nil {
		return nil, nil, nil
	}
	dir, err := gateway.Definitions(ctx, filepath.Join(project, "sandbox"))
	return []string{dir}, f.gateways(f.speed), err
}

// makeDir returns the directory to use and what to do with it at the end.
func makeDir(wanted string) (dir string, remove func(), err error) {
	if wanted != "" {
		return wanted, func() {}, os.MkdirAll(wanted, 0o750)
	}
	dir, err = os.MkdirTemp("", "turnout-sandbox-")
	return dir, func() { _ = os.RemoveAll(dir) }, err
}

// projectDir is the project's folder: the one named, else the one whose bin/ has
// the control plane.
func projectDir(named string) (string, error) {
	if named != "" {
		return named, nil
	}
	bin, err := controlplane.FindBinaries()
	return filepath.Dir(bin), err
}

func printAddresses(out io.Writer, w *world.World, t *turnout.Turnout) {
	for _, line := range [][2]string{
		{"application", w.WebURL},
		{"GitHub", w.GitHub.URL() + "/acme/my-python-app"},
		{"turnout", t.URL + "  (webhooks; inside) · " + t.MetricsURL + " · log " + t.Log},
		{"Kubernetes", w.ControlPlane.Config.Host + "  (inside the sandbox's network)"},
		{"kubeconfig", w.Kubeconfig},
		{"Cloud Build", w.CloudBuild.Endpoint() + "  (gRPC, inside)"},
		{"Cloud Storage", w.StorageHost + "  (inside)"},
	} {
		fmt.Fprintf(out, "%-14s %s\n", line[0], line[1])
	}
	fmt.Fprint(out, "\nLook into the cluster, whose network is the sandbox's own:\n"+
		"  bin/sandbox exec -- turnout status -A\n  bin/sandbox exec -- kubectl get bg,rel,pods -A\n")
	hub := w.GitHub.URL()
	fmt.Fprintf(out, "\nFour pull requests are open: a good version, a slow one and two bad ones. Merge one, and say what to do with it, as\n"+
		"alice (who may write) or rita (who may not), on its page or by the commands below. After a bad one, press Revert on its page\n"+
		"and merge that: until then later versions have its mistake, too.\n"+
		"  curl -d user=alice %[1]s/_sandbox/acme/my-python-app/merge/1\n"+
		"  curl -d user=alice --data-urlencode body=/rollback %[1]s/_sandbox/acme/my-python-app/comments/1\n"+
		"Or push a change of your own; any password will do:\n"+
		"  git clone %[2]s\n"+
		"Ctrl-C ends it.\n", hub, strings.Replace(hub, "://", "://alice:any@", 1)+"/acme/my-python-app")
}

// printTail prints a log's last lines: why something failed is there.
func printTail(out io.Writer, path string) {
	const most = 40
	text, err := os.ReadFile(path) //nolint:gosec // G304: a file of our own
	if err != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	fmt.Fprintln(out, "the last lines of "+path+":")
	for _, line := range lines[max(0, len(lines)-most):] {
		fmt.Fprintln(out, "  "+line)
	}
}
