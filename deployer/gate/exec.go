package gate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/tools/remotecommand"
	"k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// commandTimeout is the default of spec.gate.exec.timeout in the schema.
const commandTimeout = 10 * time.Second

// Limits on a command's recorded output: it goes into the record and into a comment.
const (
	outputLines = 20      // the last lines
	outputKept  = 4 << 10 // the last bytes of those
	lineShown   = 200     // of the command line
)

// command is the command to run in every pod, and its container.
type command struct {
	line      []string
	timeout   time.Duration
	container string
	field     string // of the timeout
}

// String describes a command, such as: command python -m shop.selfcheck.
func (c command) String() string {
	words := make([]string, len(c.line))
	for i, w := range c.line {
		words[i] = w
		if w == "" || strings.ContainsAny(w, " \t\r\n\"'") {
			words[i] = strconv.Quote(w)
		}
	}
	return "command " + prose.Line(strings.Join(words, " "), lineShown)
}

// run runs a command once in a pod and judges how it ended. A command that does not end in time
// counts as failed: its streams are closed, and it keeps running.
func (a Access) run(ctx context.Context, c command, pod track.Pod) outcome {
	parent := ctx
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var out output
	err := a.stream(ctx, c, pod, &out)
	exit, exited := errors.AsType[exec.CodeExitError](err)
	reason, notStarted := cannotStart(err)
	switch {
	case err == nil:
		return a.passed(parent, c, pod)
	case exited:
		o := c.bad(pod, &out, exitMessage(exit.Code))
		code := int32(exit.Code) //nolint:gosec // G115: the protocol has 8 bits
		o.problem.ExitCode = &code
		return o
	case parent.Err() != nil:
		return outcome{couldNotLook: fmt.Errorf("%s in pod %s was interrupted: %w", c, pod.Name, parent.Err())}
	case ctx.Err() != nil:
		o := c.bad(pod, &out, fmt.Sprintf("did not end within %s (%s)", c.timeout, c.field))
		if o.problem.Log != "" {
			return o // it has written something, so it runs
		}
		return o.silently()
	case notStarted:
		return c.bad(pod, &out, "cannot be executed: "+clip(reason))
	}
	return outcome{couldNotLook: fmt.Errorf("%s in pod %s: %w", c, pod.Name, err)}
}

// passed is the outcome of a command that ended with 0 according to the API server. The API
// server also reports that when it loses a node's kubelet halfway, so a pass counts only if the
// kubelet is still there.
func (a Access) passed(ctx context.Context, c command, pod track.Pod) outcome {
	if err := a.wayToNode(ctx, pod, c.container); err != nil {
		return outcome{couldNotLook: fmt.Errorf("%s: %w", c, err)}
	}
	return outcome{}
}

// stream runs a command through the API server and waits for its end. It uses WebSocket, or SPDY
// if something in between refuses WebSocket. client-go's log of a closed stream is discarded: the
// error has the same content.
func (a Access) stream(ctx context.Context, c command, pod track.Pod, out *output) error {
	url := a.core.RESTClient().Post().Namespace(pod.Namespace).Resource("pods").Name(pod.Name).SubResource("exec").
		VersionedParams(&corev1.PodExecOptions{Container: c.container, Command: c.line, Stdout: true, Stderr: true}, scheme.ParameterCodec).
		URL()
	webSocket, err := remotecommand.NewWebSocketExecutor(a.config, "GET", url.String())
	if err != nil {
		return fmt.Errorf("make a client for the API server: %w", err)
	}
	spdy, err := remotecommand.NewSPDYExecutor(a.config, "POST", url)
	if err != nil {
		return fmt.Errorf("make a client for the API server: %w", err)
	}
	refused := func(err error) bool { return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err) }
	either, err := remotecommand.NewFallbackExecutor(webSocket, spdy, refused)
	if err != nil {
		return fmt.Errorf("make a client for the API server: %w", err)
	}
	stdout, stderr := out.both()
	return either.StreamWithContext(logr.NewContext(ctx, logr.Discard()), remotecommand.StreamOptions{Stdout: stdout, Stderr: stderr})
}

func (c command) bad(pod track.Pod, out *output, message string) outcome {
	return outcome{problem: &v1alpha1.Evidence{
		Pod: pod.Name, Container: c.container, Request: c.String(), Message: message, Log: out.String(),
	}}
}

// exitMessage describes how a command ended, and what shells mean by two of the codes.
func exitMessage(code int) string {
	switch code {
	case 126:
		return "exited with 126: found, but not executable"
	case 127:
		return "exited with 127: command not found"
	}
	return fmt.Sprintf("exited with %d", code)
}

// startPrefix is how a kubelet's streaming server begins the container runtime's message
// about a command that did not run (k8s.io/cri-streaming
// pkg/streaming/remotecommand/exec.go).
const startPrefix = "error executing command in container: "

// cannotStart reports whether a runtime's message means that the command is missing from the
// container or cannot run there, which is the release's fault. Runtimes word it differently
// (runc, crun, gVisor); any other wording does not count.
func cannotStart(err error) (reason string, ok bool) {
	if err == nil {
		return "", false
	}
	_, said, found := strings.Cut(err.Error(), startPrefix)
	if !found {
		return "", false
	}
	lower := strings.ToLower(said)
	for _, words := range []string{
		"executable file", "no such file or directory", "permission denied", "exec format error",
		"is a directory",
	} {
		if strings.Contains(lower, words) {
			return said, true
		}
	}
	return "", false
}

// wayToNode checks that commands reach a pod's node. A container's log takes the same
// way, through the API server to the kubelet.
func (a Access) wayToNode(ctx context.Context, pod track.Pod, container string) error {
	ctx, cancel := context.WithTimeout(ctx, pingTimeout)
	defer cancel()
	one := int64(1)
	_, err := a.core.Pods(pod.Namespace).GetLogs(pod.Name,
		&corev1.PodLogOptions{Container: container, TailLines: &one, LimitBytes: &one}).DoRaw(ctx)
	if err == nil || apierrors.IsBadRequest(err) { // the kubelet's answer for a container without a log
		return nil
	}
	return fmt.Errorf("the API server does not reach the node of pod %s, not even for a log: %w", pod.Name, err)
}

// output keeps the end of a command's two streams, in the order in which lines end. A line that
// arrives in pieces is not mixed with the other stream's.
type output struct {
	mu      sync.Mutex // each stream has a goroutine, which may outlive the command
	kept    []byte
	cut     bool      // kept may begin in the middle of a line
	streams [2]stream // standard output and standard error
}

// stream is one of the two streams.
type stream struct {
	to   *output
	line []byte // not ended yet
	cut  bool   // line may begin in the middle
}

// both returns the writers of standard output and standard error.
func (o *output) both() (stdout, stderr io.Writer) {
	for i := range o.streams {
		o.streams[i].to = o
	}
	return &o.streams[0], &o.streams[1]
}

// Write implements [io.Writer].
func (s *stream) Write(p []byte) (int, error) {
	s.to.mu.Lock()
	defer s.to.mu.Unlock()
	s.line = append(s.line, p...)
	if end := bytes.LastIndexByte(s.line, '\n') + 1; end > 0 {
		s.to.keep(whole(s.line[:end], s.cut))
		s.line, s.cut = append(s.line[:0], s.line[end:]...), false
	}
	s.line, s.cut = lastBytes(s.line, s.cut)
	return len(p), nil
}

// keep adds text; the caller holds o.mu.
func (o *output) keep(text []byte) { o.kept, o.cut = lastBytes(append(o.kept, text...), o.cut) }

// lastBytes bounds a text, and reports whether it was cut.
func lastBytes(text []byte, cut bool) ([]byte, bool) {
	if spare := len(text) - 2*outputKept; spare > 0 {
		return append(text[:0], text[spare:]...), true
	}
	return text, cut
}

// whole drops the incomplete beginning of a text that was cut.
func whole(text []byte, cut bool) []byte {
	if cut {
		return []byte(prose.AfterCut(string(text)))
	}
	return text
}

// String returns the last lines.
func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(whole(o.kept, o.cut))
	for _, s := range o.streams {
		if len(s.line) > 0 {
			all = append(append(all, whole(s.line, s.cut)...), '\n')
		}
	}
	return prose.LastLines(string(all), outputLines, outputKept)
}
