// Package nodetest gives a package's tests a cluster whose nodes run pods: a real
// control plane, the sandbox's nodes and a registry, in a network of its own.
package nodetest

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/node"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// Cluster is what all tests of a package share.
type Cluster struct {
	Plane    *controlplane.ControlPlane
	Clients  kubernetes.Interface
	Registry *registry.Registry
	// Dir is removed after the tests.
	Dir string
}

// Run runs a package's tests while *c is a cluster, and returns TestMain's exit
// status. Prepare, where there is one, is called before them, and before any node
// runs, with a directory for its files.
func Run(m *testing.M, c *Cluster, prepare func(ctx context.Context, dir string) error) int {
	inside, err := netns.Enter(netns.Options{})
	if err == nil {
		err = run(m, inside, c, prepare)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func run(m *testing.M, inside *netns.Namespace, c *Cluster, prepare func(context.Context, string) error) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	begin := time.Now()
	plane, err := controlplane.Start(ctx, controlplane.Options{Address: netns.HostAddress})
	if err != nil {
		return err
	}
	defer plane.Stop()
	fmt.Printf("control plane ready after %s\n", time.Since(begin).Round(time.Millisecond))
	dir, err := os.MkdirTemp("", "turnout-node-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.Dir = dir
	plane.Config.WarningHandler = rest.NoWarnings{} // an Ingress's class annotation is deprecated in Kubernetes, not in GKE
	c.Plane, c.Clients = plane, kubernetes.NewForConfigOrDie(plane.Config)
	if c.Registry, err = registry.New(filepath.Join(dir, "registry")); err != nil {
		return err
	}
	if prepare != nil {
		if err := prepare(ctx, dir); err != nil {
			return err
		}
	}
	tls, err := plane.KubeletTLS(netns.HostAddress)
	if err != nil {
		return err
	}
	ready, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- node.Run(ctx, node.Config{
			Rest: plane.Config, Bridge: inside.Bridge, Registry: c.Registry, TLS: tls, Dir: dir, BackoffScale: 0.1,
		}, func() { close(ready) })
	}()
	select {
	case <-ready:
	case err := <-ended:
		return err
	}
	status := m.Run()
	cancel()
	if err := <-ended; err != nil {
		return err
	}
	if status != 0 {
		return fmt.Errorf("tests ended with status %d", status)
	}
	return nil
}
