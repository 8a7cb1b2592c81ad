package controlplanetest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/cri-streaming/pkg/streaming/remotecommand"

	"github.com/turnout-dev/turnout/internal/controlplane"
)

// Command is a command to run in a container.
type Command struct {
	Namespace, Pod, Container string
	// Line is the command and its arguments.
	Line []string
	// Stdout and Stderr go to the caller.
	Stdout, Stderr io.Writer
}

// Exec runs a command. Its error is an exit code if it is a CodeExitError of
// k8s.io/utils/exec, else a message of the container's runtime about a command that did not
// run. ctx ends with the connection.
type Exec func(ctx context.Context, c Command) error

// Kubelet is the agent of a node without pods: it serves the API server's requests about
// pods of its node.
type Kubelet struct {
	server *httptest.Server
	exec   Exec
	hangs  atomic.Bool
	mu     sync.Mutex
	conns  []net.Conn
}

// StartKubelet makes a node whose kubelet runs commands with exec, over the kubelet's own
// streaming protocol, and has one line in every log. Stop ends the kubelet; the node stays.
func StartKubelet(ctx context.Context, cp *controlplane.ControlPlane, node string, exec Exec) (*Kubelet, error) {
	const address = "127.0.0.1"
	tls, err := cp.KubeletTLS(address)
	if err != nil {
		return nil, err
	}
	k := &Kubelet{exec: exec}
	k.server = httptest.NewUnstartedServer(k.handler())
	k.server.Listener, k.server.TLS = listener{k.server.Listener, k}, tls
	k.server.StartTLS()
	port := k.server.Listener.Addr().(*net.TCPAddr).Port //nolint:forcetypeassert // httptest listens on TCP
	nodes := kubernetes.NewForConfigOrDie(cp.Config).CoreV1().Nodes()
	if _, err := nodes.Create(ctx, &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: node}}, metav1.CreateOptions{}); err != nil {
		k.Stop()
		return nil, fmt.Errorf("creating node %s: %w", node, err)
	}
	err = wait.PollUntilContextTimeout(ctx, 10*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		n, err := nodes.Get(ctx, node, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: address}}
		n.Status.DaemonEndpoints.KubeletEndpoint.Port = int32(port) //nolint:gosec // G115: a port
		_, err = nodes.UpdateStatus(ctx, n, metav1.UpdateOptions{})
		return err == nil, nil // controllers write nodes, too
	})
	if err != nil {
		k.Stop()
		return nil, fmt.Errorf("recording the kubelet's address of node %s: %w", node, err)
	}
	return k, nil
}

// Stop ends the kubelet.
func (k *Kubelet) Stop() {
	k.Disconnect() // the server no longer owns connections of commands
	k.server.Close()
}

func (k *Kubelet) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", k.serveExec)
	mux.HandleFunc("/containerLogs/{namespace}/{pod}/{container}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "a line") })
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if k.hangs.Load() {
			<-r.Context().Done()
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Hang keeps the kubelet from answering any further request.
func (k *Kubelet) Hang() { k.hangs.Store(true) }

// Disconnect breaks every connection, as if the node died.
func (k *Kubelet) Disconnect() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, c := range k.conns {
		_ = c.Close()
	}
	k.conns = nil
}

func (k *Kubelet) serveExec(w http.ResponseWriter, r *http.Request) {
	// NewOptions reads the form; the kubelet's names for it are input, output, error, tty.
	options, err := remotecommand.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c := Command{Namespace: r.PathValue("namespace"), Pod: r.PathValue("pod"), Container: r.PathValue("container"), Line: r.Form["command"]}
	remotecommand.ServeExec(w, r, executor{k.exec, c}, c.Pod, "", c.Container, c.Line,
		options, time.Minute, 10*time.Second, remotecommand.SupportedStreamingProtocols)
}

// executor is the streaming server's view of a command.
type executor struct {
	run     Exec
	command Command
}

// ExecInContainer implements the streaming server's Executor.
func (e executor) ExecInContainer(ctx context.Context, _, _, _ string, _ []string, _ io.Reader, out, errOut io.WriteCloser, _ bool,
	_ <-chan remotecommand.TerminalSize, _ time.Duration,
) error {
	e.command.Stdout, e.command.Stderr = out, errOut
	return e.run(ctx, e.command)
}

// listener remembers connections.
type listener struct {
	net.Listener
	kubelet *Kubelet
}

// Accept implements [net.Listener].
func (l listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err == nil {
		l.kubelet.mu.Lock()
		defer l.kubelet.mu.Unlock()
		l.kubelet.conns = append(l.kubelet.conns, c)
	}
	return c, err
}
