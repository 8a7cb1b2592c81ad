// Package world puts the sandbox together: a real control plane, nodes that run pods as processes, a
// registry, Cloud Storage, Cloud Build, GitHub, and load balancers, all on one machine. world.go
// starts and stops everything, balancers.go has the load balancers, cloud.go the cloud's services.
//
// [Start] must be called inside the network namespace that netns.Enter creates, with the listeners
// that it passes in. [World.Stop] ends everything.
//
// # Decisions
//
// Most parts listen on netns.HostAddress, which the machine outside cannot reach. GitHub and the
// load balancer, which people want to open, get listeners that answer outside and inside at one
// address.
//
// Google's own controllers program the load balancer, which serves the same Ingresses as on GKE:
// class "gce", "gce-internal", or none. The plain proxy stands for another team's controller in the
// same cluster: it serves a class of its own.
package world

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/fsouza/fake-gcs-server/fakestorage"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/builder"
	"github.com/turnout-dev/turnout/sandbox/gateway"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/node"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// Names of the listeners in netns.Namespace.Listeners, for netns.Options.Listen.
const (
	ListenWeb    = "web"    // the load balancer
	ListenGitHub = "github" // the GitHub stand-in
)

// PlainClass is the class of the Ingresses that the plain proxy serves, for
// spec.ingressClassName.
const PlainClass = "plain"

// GatewayClass is the class of the Gateways that the world's controller serves.
const GatewayClass = "gke-l7-global-external-managed"

// Options select the parts of a world.
type Options struct {
	// Inside is the result of netns.Enter, with the listeners ListenWeb and ListenGitHub; a
	// missing one is only opened inside.
	Inside *netns.Namespace
	// Dir contains everything: etcd's data, images, pods, repositories, logs. It must exist; Stop
	// leaves it.
	Dir string
	// CRDs are files or directories of CustomResourceDefinitions.
	CRDs []string
	// Bucket is created in Cloud Storage. Default acme-prod_cloudbuild.
	Bucket string
	// Seeds are images that the registry starts with.
	Seeds []Seed
	// Nodes are the nodes' names. Default: two.
	Nodes []string
	// Zones are the nodes' own, see node.Config. Default: one for all.
	Zones []string
	// BackoffScale multiplies the kubelet's back-offs. Default 1.
	BackoffScale float64
	// LoadBalancer configures Google's load balancer, for example its speed. Start sets Rest,
	// Listener, Address and, if missing, Log.
	LoadBalancer gclb.Config
	// Plain starts a second Ingress controller, of the class PlainClass: package
	// proxy, which follows an Ingress at once.
	Plain bool
	// Gateway configures the controller of Gateways, see [GatewayClass]; nil: there is none. CRDs
	// must include the Gateway API's ([gateway.Definitions]).
	Gateway *gateway.Config
	// Audit names the users whose requests to Kubernetes are recorded, in
	// ControlPlane.AuditLog.
	Audit []string
	// BuildListLag is how long Cloud Build keeps a new build out of lists.
	BuildListLag time.Duration
	// Bare leaves out the nodes, the load balancer and real builds: the caller writes the status
	// of pods. A build pushes its listed images at once.
	Bare bool
	// Progress receives a line for each part that starts. Default: none.
	Progress func(line string)
	// Log receives the parts' logs. Default: slog.Default().
	Log *slog.Logger
}

// Seed is an image built and pushed before anything runs.
type Seed struct {
	// Ref is its name with a tag.
	Ref string
	// Context is the directory it is built from.
	Context string
	// Files replace or add files of the context: path → content.
	Files map[string]string
}

// World is a running sandbox. Its fields may be used until Stop.
type World struct {
	ControlPlane *controlplane.ControlPlane
	Registry     *registry.Registry
	Builder      *builder.Builder
	CloudBuild   *cloudbuildtest.Server
	Storage      *fakestorage.Server
	GitHub       *githubtest.Server

	// WebURL is the load balancer's address, inside and outside.
	WebURL string
	// ComputeURL is the Compute API that programs the load balancer, and Project the cluster's
	// project there.
	ComputeURL, Project string
	// Speed is the load balancer's speed, as a multiple of Google's.
	Speed float64
	// PlainURL is the plain proxy's address, inside; empty without Options.Plain.
	PlainURL string
	// GatewayURL is the address of all Gateways, inside; empty without Options.Gateway.
	GatewayURL string
	// StorageHost is host:port for STORAGE_EMULATOR_HOST.
	StorageHost string
	// Kubeconfig is a file for kubectl and turnout, an administrator's.
	Kubeconfig string

	stop     context.CancelFunc
	running  sync.WaitGroup
	log      *slog.Logger
	progress func(line string)
	balancer *part
}

// leavesOut reports whether a part of the world does not start.
func (o *Options) leavesOut(part string) bool {
	switch part {
	case "plain proxy":
		return !o.Plain
	case "gateways":
		return o.Gateway == nil
	case balancerName, "nodes":
		return o.Bare
	}
	return false
}

// Start starts the world and returns once everything but the load balancer answers. Google's
// controllers take 8 s by their own timers, in which the caller can do what needs no Ingress,
// before [World.AwaitLoadBalancer]. If Start fails, nothing is left running; ctx bounds the start
// only.
func Start(ctx context.Context, o Options) (_ *World, err error) {
	o.setDefaults()
	running, stop := context.WithCancel(context.WithoutCancel(ctx))
	w := &World{stop: stop, log: o.Log, progress: o.Progress}
	defer func() {
		if err != nil {
			w.Stop()
		}
	}()
	for _, part := range []struct {
		name  string
		start func() error
	}{
		{"registry", func() error { return w.startRegistry(ctx, o) }},
		{"control plane", func() error { return w.startControlPlane(ctx, o) }},
		{balancerName, func() error { return w.startLoadBalancer(running, o) }}, // the slowest first
		{"nodes", func() error { return w.startNodes(running, o) }},
		{"plain proxy", func() error { return w.startProxy(running, o) }},
		{"gateways", func() error { return w.startGateways(running, o) }},
		{"Cloud Storage", func() error { return w.startStorage(o) }},
		{"Cloud Build", func() error { return w.startCloudBuild(o) }},
		{"GitHub", func() error { return w.startGitHub(o) }},
	} {
		if o.leavesOut(part.name) {
			continue
		}
		begin := time.Now()
		if err := part.start(); err != nil {
			return nil, fmt.Errorf("starting the sandbox's %s: %w", part.name, err)
		}
		if part.name == balancerName {
			o.Progress(part.name + " starts")
		} else {
			o.Progress(fmt.Sprintf("%s ready after %s", part.name, time.Since(begin).Round(time.Millisecond)))
		}
	}
	return w, nil
}

func (o *Options) setDefaults() {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Progress == nil {
		o.Progress = func(string) {}
	}
	if o.Bucket == "" {
		o.Bucket = "acme-prod_cloudbuild"
	}
}

// Stop ends everything, in reverse order. The directory stays.
func (w *World) Stop() {
	if w.GitHub != nil {
		if err := w.GitHub.Close(); err != nil {
			w.log.Error("close the GitHub stand-in", "error", err)
		}
	}
	if w.CloudBuild != nil {
		w.CloudBuild.Close()
	}
	if w.Storage != nil {
		w.Storage.Stop()
	}
	w.stop()
	w.running.Wait()
	if w.ControlPlane != nil {
		w.ControlPlane.Stop()
	}
}

func (w *World) startRegistry(ctx context.Context, o Options) error {
	var err error
	if w.Registry, err = registry.New(filepath.Join(o.Dir, "registry")); err != nil {
		return err
	}
	for _, seed := range o.Seeds {
		if err := w.seed(ctx, o.Dir, seed); err != nil {
			return fmt.Errorf("building the image %s: %w", seed.Ref, err)
		}
	}
	return nil
}

func (w *World) seed(ctx context.Context, dir string, seed Seed) error {
	source, err := os.MkdirTemp(dir, "seed-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(source)
	if err := registry.CopyTree(seed.Context, source); err != nil {
		return err
	}
	for name, content := range seed.Files {
		if err := os.WriteFile(filepath.Join(source, filepath.Clean("/"+name)), []byte(content), 0o600); err != nil {
			return err
		}
	}
	digest, err := w.Registry.Build(ctx, registry.BuildRequest{Context: source})
	if err != nil {
		return err
	}
	return w.Registry.Push(seed.Ref, digest)
}

func (w *World) startControlPlane(ctx context.Context, o Options) error {
	var err error
	w.ControlPlane, err = controlplane.Start(ctx, controlplane.Options{
		Dir: filepath.Join(o.Dir, "controlplane"), CRDs: o.CRDs, Address: netns.HostAddress, Audit: o.Audit,
	})
	if err != nil {
		return err
	}
	w.Kubeconfig = filepath.Join(o.Dir, "kubeconfig")
	return os.WriteFile(w.Kubeconfig, w.ControlPlane.Kubeconfig, 0o600)
}

func (w *World) startNodes(running context.Context, o Options) error {
	tls, err := w.ControlPlane.KubeletTLS(netns.HostAddress)
	if err != nil {
		return err
	}
	return w.startUntil(running, "nodes", func(ready func()) error {
		return node.Run(running, node.Config{
			Rest: w.ControlPlane.Config, Names: o.Nodes, Zones: o.Zones, Bridge: o.Inside.Bridge, Registry: w.Registry,
			TLS: tls, Dir: o.Dir, BackoffScale: o.BackoffScale, Log: o.Log,
		}, ready)
	})
}

// listener returns the listener from outside, or opens one.
func (o *Options) listener(name string) (net.Listener, error) {
	if listener := o.Inside.Listeners[name]; listener != nil {
		return listener, nil
	}
	return net.Listen("tcp", net.JoinHostPort(netns.HostAddress, "0"))
}
