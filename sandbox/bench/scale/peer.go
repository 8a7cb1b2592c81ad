package scale

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"text/template"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// Peer is a controller to compare with.
type Peer struct {
	// Name is its name in the result. Default: its command's.
	Name string
	// Command starts it; KUBECONFIG names a file for an administrator.
	Command []string
	// CRDs are files or folders of its definitions.
	CRDs []string
	// Manifests is the file of an application: a Go template of YAML, with .Namespace, .Name, .Image,
	// .Replicas and .Node. Its pods have the label app: NAME, the nodeName .Node and no grace period.
	// Its users have the Service NAME, and move when the controller changes that Service's selector.
	Manifests string
}

// peer is a controller of somebody else. It tells nothing about itself, so its process and its
// objects are looked at from outside.
type peer struct {
	*run
	manifests *template.Template
	cmd       *exec.Cmd
	done      chan error
	versions  map[string]int // of the burst, and of the first application
}

func newPeer(r *run) (*peer, error) {
	text, err := os.ReadFile(r.Peer.Manifests)
	if err != nil {
		return nil, fmt.Errorf("reading the peer's manifests: %w", err)
	}
	p := &peer{run: r, versions: map[string]int{}}
	if p.manifests, err = template.New("").Option("missingkey=error").Parse(string(text)); err != nil {
		return nil, fmt.Errorf("reading the peer's manifests %s: %w", r.Peer.Manifests, err)
	}
	return p, nil
}

func (p *peer) name() string {
	if p.Peer.Name != "" {
		return p.Peer.Name
	}
	return filepath.Base(p.Peer.Command[0])
}

func (*peer) prepare(context.Context) error { return nil }
func (*peer) past(context.Context) error    { return nil }

func (p *peer) objects(a app) ([]client.Object, error) { return p.render(a, firstImage) }

func (p *peer) render(a app, image string) ([]client.Object, error) {
	var text bytes.Buffer
	values := map[string]any{"Namespace": a.Namespace, "Name": a.Name, "Image": image, "Replicas": podsEach, "Node": node}
	if err := p.manifests.Execute(&text, values); err != nil {
		return nil, fmt.Errorf("filling in the peer's manifests: %w", err)
	}
	var all []client.Object
	for decoder := yaml.NewYAMLOrJSONDecoder(&text, 4096); ; {
		u := &unstructured.Unstructured{}
		switch err := decoder.Decode(u); {
		case errors.Is(err, io.EOF):
			return all, nil
		case err != nil:
			return nil, fmt.Errorf("reading the peer's manifests: %w", err)
		}
		u.SetNamespace(a.Namespace)
		all = append(all, u)
	}
}

func (p *peer) start(context.Context) (int, error) {
	log, err := os.OpenFile(filepath.Join(p.Dir, "peer.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return 0, fmt.Errorf("opening the peer's log: %w", err)
	}
	defer log.Close()
	p.cmd = exec.Command(p.Peer.Command[0], p.Peer.Command[1:]...) //nolint:gosec // G204: the caller's own
	p.cmd.Env = append(os.Environ(), "KUBECONFIG="+p.World.Kubeconfig)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	started := make(chan error)
	p.done = make(chan error, 1)
	go func() { // the kernel kills the process with the thread that started it
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := p.cmd.Start()
		started <- err
		if err == nil {
			p.done <- p.cmd.Wait()
		}
	}()
	if err := <-started; err != nil {
		p.cmd = nil
		return 0, fmt.Errorf("starting the peer: %w", err)
	}
	return p.cmd.Process.Pid, nil
}

// lacks waits until its controller has given every Service a selector, and all pods run.
func (p *peer) lacks(ctx context.Context) (string, error) {
	select {
	case err := <-p.done:
		return "", fmt.Errorf("the peer ended: %w", cmpError(err))
	default:
	}
	if led := p.seen.count(); led < p.Applications {
		return fmt.Sprintf("%d of %d services lead to a version", led, p.Applications), nil
	}
	var pods corev1.PodList
	if err := p.kube.List(ctx, &pods); err != nil {
		return "", fmt.Errorf("listing pods: %w", err)
	}
	if n := len(pods.Items) - p.ForeignPods; n != p.Applications*podsEach {
		return fmt.Sprintf("%d pods, want %d", n, p.Applications*podsEach), nil
	}
	return "", nil
}

func cmpError(err error) error {
	if err == nil {
		return errors.New("without an error")
	}
	return err
}

func (p *peer) release(ctx context.Context, branch string) error {
	p.versions[branch]++
	image := fmt.Sprintf("%s-%d", strings.Replace(firstImage, "first", "next", 1), p.versions[branch])
	var all []client.Object
	for _, a := range p.apps() {
		if a.branch != branch {
			continue
		}
		objects, err := p.render(a, image)
		if err != nil {
			return err
		}
		for _, o := range objects {
			if o.GetObjectKind().GroupVersionKind().Kind != "Service" { // its selector is the controller's by now
				all = append(all, o)
			}
		}
	}
	return p.makeAll(ctx, all, func(ctx context.Context, o client.Object) error {
		u, _ := o.(*unstructured.Unstructured)
		err := p.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(u), client.FieldOwner("bench"), client.ForceOwnership)
		if err != nil {
			return fmt.Errorf("applying %s: %w", client.ObjectKeyFromObject(o), err)
		}
		return nil
	})
}

func (*peer) rollback(context.Context) (bool, error) { return false, nil }

// ended: no pod of another version is left, or will be within the peer's own delay.
func (p *peer) ended(ctx context.Context, a app) (bool, error) {
	n, err := p.podsOf(ctx, a)
	return n == podsEach, err
}

func (*peer) requests(context.Context) (float64, error) { return 0, nil }
func (*peer) reported(context.Context, *Row) error      { return nil }

func (p *peer) stop() error {
	if p.cmd == nil {
		return nil
	}
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return fmt.Errorf("ending the peer: %w", err)
	}
	<-p.done //nolint:errcheck // it was ended
	p.cmd = nil
	return nil
}
