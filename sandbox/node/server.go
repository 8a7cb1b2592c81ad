package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"time"

	criforward "k8s.io/cri-streaming/pkg/streaming/portforward"
	criremote "k8s.io/cri-streaming/pkg/streaming/remotecommand"
	utilexec "k8s.io/utils/exec"
)

// serve serves the part of the kubelet's API that the API server uses for
// pods/log, pods/exec and pods/portforward, until stop is called.
func (a *Agent) serve(listener net.Listener) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /containerLogs/{namespace}/{pod}/{container}", a.serveLogs)
	mux.HandleFunc("/exec/{namespace}/{pod}/{container}", a.serveExec)
	mux.HandleFunc("/portForward/{namespace}/{pod}", a.serveForward)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "the sandbox's kubelet does not serve "+r.URL.Path, http.StatusNotFound)
	})
	server := &http.Server{
		Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		ErrorLog: slog.NewLogLogger(a.Log.Handler(), slog.LevelDebug),
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.Log.Error("serve the kubelet's API", "error", err)
		}
	}()
	return func() {
		_ = server.Close() // streams end with their processes
		<-done
	}
}

// container finds the container a request names.
func (a *Agent) container(r *http.Request) (*container, error) {
	namespace, pod, name := r.PathValue("namespace"), r.PathValue("pod"), r.PathValue("container")
	w := a.worker(namespace, pod)
	if w == nil {
		return nil, fmt.Errorf("pod %s/%s not found on this node", namespace, pod)
	}
	for _, c := range w.containers {
		if c.spec.Name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("container %q not found in pod %q", name, pod)
}

func (a *Agent) serveLogs(w http.ResponseWriter, r *http.Request) {
	c, err := a.container(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	options, err := parseLogOptions(r.URL.Query())
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	path, done, err := c.logOf(options.previous)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := copyLog(r.Context(), w, path, options, done); err != nil && r.Context().Err() == nil {
		a.Log.ErrorContext(r.Context(), "copy container log", "path", path, "error", err)
	}
}

// logOf returns the log of the present attempt, or of the latest one that ended,
// and a channel that is closed once nothing more will be written.
func (c *container) logOf(previous bool) (string, <-chan struct{}, error) {
	c.worker.mu.Lock()
	attempt, process, state := c.restarts, c.process, c.state
	c.worker.mu.Unlock()
	ended := make(chan struct{})
	close(ended)
	over := state.Terminated != nil || state.Waiting != nil && state.Waiting.Reason == reasonCrashLoop
	switch {
	case process != nil && !previous:
		return c.logPath(attempt), process.done, nil
	case previous && attempt == 0:
		return "", nil, fmt.Errorf("previous terminated container %q in pod %q not found", c.spec.Name, c.worker.name)
	case previous, !over && attempt > 0:
		return c.logPath(attempt - 1), ended, nil
	case over:
		return c.logPath(attempt), ended, nil
	}
	return "", nil, fmt.Errorf("container %q in pod %q is waiting to start: %s", c.spec.Name, c.worker.name, state.Waiting.Reason)
}

func (a *Agent) serveExec(w http.ResponseWriter, r *http.Request) {
	c, err := a.container(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusNotFound)
		return
	}
	// NewOptions reads the form; the kubelet's names for it are input, output, error, tty.
	options, err := criremote.NewOptions(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	criremote.ServeExec(w, r, executor{c}, c.worker.name, string(c.worker.current().UID), c.spec.Name, r.Form["command"],
		options, time.Hour, 30*time.Second, criremote.SupportedStreamingProtocols)
}

// executor runs commands in a container for the streaming server.
type executor struct{ container *container }

// ExecInContainer implements the streaming server's Executor.
func (e executor) ExecInContainer(ctx context.Context, _, _, _ string, line []string, in io.Reader, out, errOut io.WriteCloser, _ bool,
	_ <-chan criremote.TerminalSize, _ time.Duration,
) error {
	c := e.container
	c.worker.mu.Lock()
	process := c.process
	c.worker.mu.Unlock()
	if process == nil {
		return fmt.Errorf("container %q in pod %q is not running", c.spec.Name, c.worker.name)
	}
	var input *os.File
	err := process.run(ctx, line, func(cmd *exec.Cmd) {
		if out != nil {
			cmd.Stdout = out
		}
		if cmd.Stderr = io.Writer(errOut); errOut == nil {
			cmd.Stderr = cmd.Stdout // a terminal has one stream
		}
		input = connect(cmd, in)
	})
	if input != nil {
		_ = input.Close() // ends the copying
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		code, _ := exitCode(exit.ProcessState)
		return utilexec.CodeExitError{Err: err, Code: int(code)}
	}
	return err
}

// connect feeds the client's input to the command through a pipe of our own:
// given the stream itself, Wait would wait for the client to close it.
func connect(cmd *exec.Cmd, in io.Reader) *os.File {
	if in == nil {
		return nil
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil
	}
	cmd.Stdin = read
	go func() {
		_, _ = io.Copy(write, in) // ends with either side
		_ = write.Close()
	}()
	return read
}

// serveForward serves pods/portforward.
func (a *Agent) serveForward(w http.ResponseWriter, r *http.Request) {
	pod := a.worker(r.PathValue("namespace"), r.PathValue("pod"))
	if pod == nil {
		http.Error(w, fmt.Sprintf("pod %s/%s not found on this node", r.PathValue("namespace"), r.PathValue("pod")), http.StatusNotFound)
		return
	}
	options, err := criforward.NewV4Options(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	criforward.ServePortForward(w, r, forwarder{pod}, pod.name, string(pod.current().UID), options, time.Hour, 30*time.Second,
		criforward.SupportedProtocols)
}

// forwarder connects to a pod's ports, on its loopback device, too.
type forwarder struct{ pod *worker }

// PortForward implements the streaming server's PortForwarder. It returns when either side has
// ended.
func (f forwarder) PortForward(ctx context.Context, _, _ string, port int32, stream io.ReadWriteCloser) error {
	f.pod.mu.Lock()
	network := f.pod.network
	f.pod.mu.Unlock()
	if network == nil {
		return fmt.Errorf("pod %s has no network yet", f.pod.name)
	}
	connection, err := network.Dial(net.JoinHostPort("127.0.0.1", strconv.Itoa(int(port))))
	if err != nil {
		return err
	}
	defer connection.Close()
	defer stream.Close()
	ended := make(chan struct{}, 2)
	for _, pair := range [][2]io.ReadWriter{{stream, connection}, {connection, stream}} {
		go func() {
			_, _ = io.Copy(pair[0], pair[1]) // ends with either side
			ended <- struct{}{}
		}()
	}
	select {
	case <-ended:
	case <-ctx.Done():
	}
	return nil
}
