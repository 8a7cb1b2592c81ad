package node

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	podutil "k8s.io/kubernetes/pkg/api/v1/pod"

	"github.com/turnout-dev/turnout/sandbox/registry"
)

// Reasons of waiting containers, as kubelets write them (kubernetes
// pkg/kubelet/images/types.go, kuberuntime_container.go, sync_result.go).
const (
	reasonCreating     = "ContainerCreating"
	reasonInitializing = "PodInitializing"
	reasonPull         = "ErrImagePull"
	reasonPullBackoff  = "ImagePullBackOff"
	reasonInvalidImage = "InvalidImageName"
	reasonConfig       = "CreateContainerConfigError"
	reasonCrashLoop    = "CrashLoopBackOff"
)

// stableAfter is how long a container must have run for its back-off to start
// over: twice the longest back-off (kubernetes client-go flowcontrol.Backoff).
const stableAfter = 10 * time.Minute

// container is one container of a pod through all its restarts.
type container struct {
	worker *worker
	spec   *corev1.Container
	isInit bool
	// end is closed when the container must stop: for a sidecar once all other containers have
	// ended, for all others with the pod's deletion.
	end <-chan struct{}
	// begun is closed once the container has started, and passed its startup probe.
	begun     chan struct{}
	beginOnce sync.Once

	// Guarded by the worker's lock.
	state, lastState corev1.ContainerState
	imageID, id      string
	restarts         int32
	started, ready   bool
	process          *process // while it runs

	// Owned by run.
	image    registry.Image
	failures int // in a row, for the back-off
}

func newContainer(w *worker, spec *corev1.Container, isInit bool) *container {
	c := &container{
		worker: w, spec: spec, isInit: isInit, end: w.deleting, begun: make(chan struct{}), state: waiting(reasonCreating, ""),
	}
	if !isInit && len(w.pod.Spec.InitContainers) > 0 {
		c.state = waiting(reasonInitializing, "")
	}
	return c
}

// run runs the container, repeatedly if its restart policy allows, until it has ended for good,
// the pod is being deleted, or ctx ends.
func (c *container) run(ctx context.Context) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	// No new attempt once deletion has begun; a running one ends by grace.
	waiting, stopWaiting := context.WithCancel(ctx)
	defer stopWaiting()
	go func() {
		select {
		case <-c.end:
			stopWaiting()
		case <-ctx.Done():
		}
	}()
	for waiting.Err() == nil {
		if !c.pull(waiting) {
			return
		}
		process, ok := c.create(waiting)
		if !ok {
			return
		}
		exit := c.attend(ctx, process)
		if !c.afterExit(waiting, exit) {
			return
		}
	}
}

// set changes the container's state and has it reported.
func (c *container) set(change func()) {
	c.worker.mu.Lock()
	defer c.worker.mu.Unlock()
	change()
	if c.started {
		c.beginOnce.Do(func() { close(c.begun) })
	}
	c.worker.poke()
}

// isSidecar reports whether it starts like an init container, and then runs beside the others.
func (c *container) isSidecar() bool {
	return c.isInit && c.spec.RestartPolicy != nil && *c.spec.RestartPolicy == corev1.ContainerRestartPolicyAlways
}

func (c *container) succeeded() bool {
	c.worker.mu.Lock()
	defer c.worker.mu.Unlock()
	return c.state.Terminated != nil && c.state.Terminated.ExitCode == 0
}

func (c *container) event(kind, reason, format string, args ...any) {
	c.worker.agent.events.Eventf(c.worker.current(), kind, reason, format, args...)
}

// pull gets the image; it tries until it succeeds or ctx ends.
func (c *container) pull(ctx context.Context) bool {
	for failures := 1; ; failures++ {
		image, id, err := c.worker.agent.Registry.Pull(c.spec.Image)
		if err == nil {
			c.image = image
			c.set(func() { c.imageID = id })
			c.event(corev1.EventTypeNormal, "Pulled", "Successfully pulled image %q", c.spec.Image)
			return true
		}
		wait := c.worker.agent.backoff(failures)
		if errors.Is(err, registry.ErrInvalidName) {
			message := fmt.Sprintf("Failed to apply default image tag %q: %v", c.spec.Image, err)
			c.event(corev1.EventTypeWarning, "InspectFailed", "%s", message)
			c.set(func() { c.state = waiting(reasonInvalidImage, message) })
		} else {
			message := fmt.Sprintf("failed to pull and unpack image %q: %v", c.spec.Image, err)
			c.event(corev1.EventTypeWarning, "Failed", "Failed to pull image %q: %s", c.spec.Image, message)
			c.set(func() { c.state = waiting(reasonPull, message) })
			// The kubelet shows the error first and the back-off from its next look on.
			if !pause(ctx, min(wait, time.Second)) {
				return false
			}
			c.event(corev1.EventTypeNormal, "BackOff", "Back-off pulling image %q", c.spec.Image)
			c.set(func() {
				c.state = waiting(reasonPullBackoff, fmt.Sprintf("Back-off pulling image %q: %s: %s", c.spec.Image, reasonPull, message))
			})
		}
		if !pause(ctx, wait) {
			return false
		}
	}
}

// create resolves the configuration and starts the process. It retries an unresolvable
// configuration until ctx ends.
func (c *container) create(ctx context.Context) (*process, bool) {
	for {
		p, err := c.prepare(ctx)
		if err == nil {
			return c.start(p), true
		}
		if ctx.Err() != nil {
			return nil, false
		}
		c.event(corev1.EventTypeWarning, "Failed", "Error: %v", err)
		c.set(func() { c.state = waiting(reasonConfig, err.Error()) })
		if !pause(ctx, c.worker.agent.backoff(1)/5) {
			return nil, false
		}
	}
}

// prepare makes everything a process needs: files of its own, its environment,
// its command line.
func (c *container) prepare(ctx context.Context) (*process, error) {
	pod := c.worker.current()
	owner, err := ownerOf(pod, c.spec, c.image.Config.User)
	if err != nil {
		return nil, err
	}
	volumes := mounts{pod: pod, spec: c.spec, from: c}
	if !c.image.OwnRoot {
		if err := volumes.check(); err != nil {
			return nil, err
		}
	}
	env, err := c.environment(ctx)
	if err != nil {
		return nil, err
	}
	c.worker.mu.Lock()
	restarts, network := c.restarts, c.worker.network
	c.worker.mu.Unlock()
	dir := filepath.Join(c.worker.dir, c.spec.Name, strconv.Itoa(int(restarts)))
	root := filepath.Join(dir, "root")
	if err := os.RemoveAll(root); err != nil {
		return nil, fmt.Errorf("emptying the container's directory: %w", err)
	}
	if err := registry.CopyTree(c.image.Root, root); err != nil {
		return nil, err
	}
	if c.image.OwnRoot {
		if err := volumes.furnish(ctx, root); err != nil {
			return nil, err
		}
	}
	message := filepath.Join(root, c.spec.TerminationMessagePath)
	if err := os.MkdirAll(filepath.Dir(message), 0o755); err != nil { //nolint:gosec // G301: it is the container's
		return nil, fmt.Errorf("making the directory of terminationMessagePath %s: %w", c.spec.TerminationMessagePath, err)
	}
	if err := os.WriteFile(message, nil, 0o666); err != nil { //nolint:gosec // G306: whoever the container runs as writes it
		return nil, fmt.Errorf("making terminationMessagePath %s: %w", c.spec.TerminationMessagePath, err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id) // never fails
	return &process{
		id: "turnout://" + hex.EncodeToString(id), network: network, env: env, root: root, config: c.image.Config,
		owner: owner, ownRoot: c.image.OwnRoot,
		spec: c.spec, log: c.logPath(restarts), done: make(chan struct{}),
	}, nil
}

// logPath is where an attempt's output goes.
func (c *container) logPath(restarts int32) string {
	return filepath.Join(c.worker.dir, c.spec.Name, strconv.Itoa(int(restarts))+".log")
}

// start starts the process. A process that cannot start counts as ended.
func (c *container) start(p *process) *process {
	err := p.start()
	if err != nil {
		c.event(corev1.EventTypeWarning, "Failed", "Error: failed to start container %q: %v", c.spec.Name, err)
		return p
	}
	c.event(corev1.EventTypeNormal, "Started", "Container started")
	c.set(func() {
		c.id, c.process, c.state = p.id, p, running()
		c.started = c.spec.StartupProbe == nil
		c.ready = c.started && c.spec.ReadinessProbe == nil
	})
	return p
}

// attend probes the process, and stops it when a probe or the pod's deletion demands it. It
// returns when the process has ended.
func (c *container) attend(ctx context.Context, p *process) corev1.ContainerStateTerminated {
	probing, stopProbing := context.WithCancel(ctx)
	defer stopProbing()
	unhealthy := make(chan string, 2) // one for each probe that can kill
	var stopping atomic.Bool
	c.probe(probing, p, unhealthy, &stopping)
	select {
	case <-p.done:
	case message := <-unhealthy:
		c.event(corev1.EventTypeNormal, "Killing", "Container %s %s, will be restarted", c.spec.Name, message)
		stopping.Store(true)
		c.shutDown(ctx, p, c.grace(true))
	case <-c.end:
		c.event(corev1.EventTypeNormal, "Killing", "Stopping container %s", c.spec.Name)
		stopping.Store(true)
		c.shutDown(ctx, p, c.grace(false))
	case <-ctx.Done():
		p.kill()
	}
	<-p.done
	return p.exit()
}

// grace is how long the container may take to stop.
func (c *container) grace(unhealthy bool) time.Duration {
	pod := c.worker.current()
	seconds := int64(corev1.DefaultTerminationGracePeriodSeconds)
	if pod.Spec.TerminationGracePeriodSeconds != nil {
		seconds = *pod.Spec.TerminationGracePeriodSeconds
	}
	if !unhealthy && pod.DeletionGracePeriodSeconds != nil {
		seconds = *pod.DeletionGracePeriodSeconds
	}
	if probe := c.spec.LivenessProbe; unhealthy && probe != nil && probe.TerminationGracePeriodSeconds != nil {
		seconds = *probe.TerminationGracePeriodSeconds
	}
	return time.Duration(seconds) * time.Second
}

// minimumGrace is the remaining time for SIGTERM, however long preStop took (kubernetes
// kuberuntime_container.go, minimumGracePeriodInSeconds).
const minimumGrace = 2 * time.Second

// shutDown runs preStop, sends the process its signal to stop, and kills it when the grace is
// over.
func (c *container) shutDown(ctx context.Context, p *process, grace time.Duration) {
	begin := time.Now()
	if c.spec.Lifecycle != nil && c.spec.Lifecycle.PreStop != nil && grace > 0 {
		hook, cancel := context.WithTimeout(ctx, grace)
		if err := c.runHook(hook, p, c.spec.Lifecycle.PreStop); err != nil {
			c.event(corev1.EventTypeWarning, "FailedPreStopHook", "PreStopHook failed: %v", err)
		}
		cancel()
	}
	p.terminate()
	left := max(grace-time.Since(begin), min(minimumGrace, grace))
	select {
	case <-p.done:
	case <-time.After(left):
		p.kill()
	case <-ctx.Done():
		p.kill()
	}
}

// afterExit records how the process ended and waits until the next attempt is due. It reports
// whether there is one.
func (c *container) afterExit(ctx context.Context, exit corev1.ContainerStateTerminated) bool {
	c.set(func() {
		c.id, c.process, c.started, c.ready = exit.ContainerID, nil, false, false
		c.state = corev1.ContainerState{Terminated: &exit}
	})
	if ctx.Err() != nil || !podutil.ContainerShouldRestart(*c.spec, c.worker.current().Spec, exit.ExitCode) {
		return false
	}
	if exit.FinishedAt.Sub(exit.StartedAt.Time) > stableAfter {
		c.failures = 0
	}
	// The first restart is immediate.
	if c.failures > 0 && !c.backOff(ctx, exit) {
		return false
	}
	c.failures++
	c.set(func() {
		c.restarts++
		c.lastState = corev1.ContainerState{Terminated: &exit}
		c.state = waiting(reasonCreating, "")
	})
	return true
}

func (c *container) backOff(ctx context.Context, exit corev1.ContainerStateTerminated) bool {
	wait := c.worker.agent.backoff(c.failures)
	pod := c.worker.current()
	id := fmt.Sprintf("%s_%s(%s)", pod.Name, pod.Namespace, pod.UID)
	c.event(corev1.EventTypeWarning, "BackOff", "Back-off restarting failed container %s in pod %s", c.spec.Name, id)
	c.set(func() {
		c.lastState = corev1.ContainerState{Terminated: &exit}
		c.state = waiting(reasonCrashLoop, fmt.Sprintf("back-off %s restarting failed container=%s pod=%s", wait, c.spec.Name, id))
	})
	if pause(ctx, wait) {
		return true
	}
	c.set(func() { c.state, c.lastState = corev1.ContainerState{Terminated: &exit}, corev1.ContainerState{} })
	return false
}

// pause waits; false if ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// now is the time at the precision of statuses: seconds.
func now() metav1.Time { return metav1.Now().Rfc3339Copy() }
