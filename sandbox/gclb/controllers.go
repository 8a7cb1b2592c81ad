package gclb

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/process"
)

// binary is ingress-gce's program, next to the control plane's.
const binary = "ingress-gce"

// controllers are Google's own: the Ingress controller, the NEG controller with its readiness
// reflector and garbage collection, and those for firewalls and instance groups, which come with
// them.
type controllers struct {
	*process.Process
	health string // the address of their health endpoint
	log    string // the file
}

// startControllers starts them with our compute API.
func startControllers(c *Config) (*controllers, error) {
	compute := c.Compute.Addr().String()
	bin, err := controlplane.FindBinaries()
	if err != nil {
		return nil, err
	}
	program := filepath.Join(bin, binary)
	if _, err := os.Stat(program); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("no %s in %s: run `make controlplane` in the project's folder to build it (once, about 5 minutes on 2 cores)",
			binary, bin)
	}
	dir, err := os.MkdirTemp(c.Dir, binary+"-")
	if err != nil {
		return nil, fmt.Errorf("creating a directory for %s: %w", binary, err)
	}
	cloud, kubeconfig := filepath.Join(dir, "gce.conf"), filepath.Join(dir, "kubeconfig")
	if err := errors.Join(os.WriteFile(cloud, cloudConfig(c, compute), 0o600), os.WriteFile(kubeconfig, c.Kubeconfig, 0o600)); err != nil {
		return nil, fmt.Errorf("configuring %s: %w", binary, err)
	}
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	log := filepath.Join(dir, binary+".log")
	running, err := process.Start(process.Options{
		Program: program, Log: log,
		// Otherwise it would ask the machine for its facts about Google Cloud.
		Env: []string{"GCE_METADATA_HOST=" + compute, "PATH=" + os.Getenv("PATH"), "HOME=" + dir},
		Args: append([]string{
			"--running-in-cluster=false", "--kubeconfig=" + kubeconfig, "--config-file-path=" + cloud,
			"--leader-elect=false", "--v=2", "--healthz-port=" + strconv.Itoa(port),
			// As on GKE: names begin with k8s2, and Ingresses are cleaned up before they are
			// deleted.
			"--enable-v2-frontend-namer", "--enable-finalizer-add", "--enable-finalizer-remove",
			// Dozens of applications are released here at once, in one cluster. At client-go's 5
			// requests a second their events would be minutes late.
			"--kube-client-qps=100", "--kube-client-burst=200",
			// How long operations take is Delays' to say: the API answers when one is done.
			"--gce-operation-poll-interval=1ms", "--gce-ratelimit=ga.Operations.Get,qps,1000,1000",
		}, c.Flags...),
	})
	if err != nil {
		return nil, err
	}
	return &controllers{Process: running, health: "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) + "/healthz", log: log}, nil
}

// cloudConfig says where the cluster is, and where the compute API.
func cloudConfig(c *Config, compute string) []byte {
	return fmt.Appendf(nil, `[global]
project-id = %q
local-zone = %q
network-name = %q
subnetwork-name = %q
node-tags = %q
api-endpoint = "http://%s/compute/v1/"
`, c.Project, c.Zone, networkName, networkName, "node", compute)
}

func freePort() (int, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("looking for a free port: %w", err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port, nil
}

// supervise ends the controllers when ctx ends, and is an error if they end before.
func (g *controllers) supervise(ctx context.Context) error {
	select {
	case <-g.Done():
		return g.Err()
	case <-ctx.Done():
		g.Stop()
		return nil
	}
}

// controllersTimeout bounds their start.
const controllersTimeout = 2 * time.Minute

// errStarting: not all controllers run yet.
var errStarting = errors.New("not all controllers run")

// negsFollowed is the NEG controller's last log line before it begins to work. It checks its
// caches every 5 s, and its health endpoint does not report that.
const negsFollowed = "Starting network endpoint group controller"

// await returns when both controllers run.
func (g *controllers) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, controllersTimeout)
	defer cancel()
	return g.Await(ctx, func(ctx context.Context) error {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, g.health, http.NoBody)
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		said, err := io.ReadAll(response.Body)
		if err != nil {
			return err
		}
		for _, controller := range []string{"ingress: OK", "neg-controller: OK"} {
			if !strings.Contains(string(said), controller) {
				return fmt.Errorf("%w: %s", errStarting, said)
			}
		}
		logged, err := os.ReadFile(g.log)
		if err == nil && !strings.Contains(string(logged), negsFollowed) {
			return fmt.Errorf("%w: the NEG controller has not begun", errStarting)
		}
		return err
	})
}
