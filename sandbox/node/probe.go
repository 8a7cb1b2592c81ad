package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"strconv"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/kubernetes/pkg/probe"
	grpcprobe "k8s.io/kubernetes/pkg/probe/grpc"
	httpprobe "k8s.io/kubernetes/pkg/probe/http"
	tcpprobe "k8s.io/kubernetes/pkg/probe/tcp"
)

// probe starts the container's probes; they end with ctx. Liveness and readiness
// wait for the startup probe. A startup or liveness probe that has failed often
// enough sends to unhealthy; once stopping is set, neither does.
func (c *container) probe(ctx context.Context, p *process, unhealthy chan<- string, stopping *atomic.Bool) {
	started := make(chan struct{})
	fatal := func(kind string) func(bool) {
		return func(ok bool) {
			if !ok && !stopping.Load() {
				unhealthy <- "failed " + kind + " probe"
			}
		}
	}
	if c.spec.StartupProbe == nil {
		close(started)
	} else {
		onFailure := fatal("startup")
		c.watch(ctx, p, "Startup", c.spec.StartupProbe, func(ok bool) bool {
			if !ok {
				onFailure(false)
				return false
			}
			c.set(func() { c.started, c.ready = true, c.spec.ReadinessProbe == nil })
			close(started)
			return false
		}, nil)
	}
	if c.spec.ReadinessProbe != nil {
		c.watch(ctx, p, "Readiness", c.spec.ReadinessProbe, func(ok bool) bool {
			c.set(func() { c.ready = ok && c.process == p })
			return true
		}, started)
	}
	if c.spec.LivenessProbe != nil {
		onFailure := fatal("liveness")
		c.watch(ctx, p, "Liveness", c.spec.LivenessProbe, func(ok bool) bool {
			onFailure(ok)
			return ok
		}, started)
	}
}

// watch probes at the probe's pace from when after is closed, and calls decided
// each time a threshold is reached, until that returns false or ctx ends.
func (c *container) watch(ctx context.Context, p *process, kind string, spec *corev1.Probe, decided func(ok bool) bool,
	after <-chan struct{},
) {
	go func() {
		if after != nil {
			select {
			case <-after:
			case <-ctx.Done():
				return
			}
		}
		if !pause(ctx, time.Duration(spec.InitialDelaySeconds)*time.Second) {
			return
		}
		tick := time.NewTicker(time.Duration(spec.PeriodSeconds) * time.Second)
		defer tick.Stop()
		counter := streak{success: spec.SuccessThreshold, failure: spec.FailureThreshold}
		for ctx.Err() == nil {
			ok := c.tryOnce(ctx, p, kind, spec)
			if ctx.Err() != nil || counter.add(ok) && !decided(ok) {
				return
			}
			select {
			case <-tick.C:
			case <-ctx.Done():
			}
		}
	}()
}

// streak counts equal results in a row.
type streak struct {
	success, failure int32
	last             bool
	length           int32
}

// add reports whether the streak has reached its threshold.
func (s *streak) add(ok bool) bool {
	if ok != s.last {
		s.last, s.length = ok, 0
	}
	s.length++
	if ok {
		return s.length >= s.success
	}
	return s.length >= s.failure
}

// tryOnce probes once and reports a failure as an event.
func (c *container) tryOnce(ctx context.Context, p *process, kind string, spec *corev1.Probe) bool {
	timeout := time.Duration(spec.TimeoutSeconds) * time.Second
	result, output, err := c.handler(ctx, p, spec.ProbeHandler, timeout)
	if err == nil && (result == probe.Success || result == probe.Warning) {
		return true
	}
	if ctx.Err() == nil {
		if err != nil {
			output = err.Error()
		}
		c.event(corev1.EventTypeWarning, "Unhealthy", "%s probe failed: %s", kind, output)
	}
	return false
}

// handler carries out one probe with the kubelet's own probers.
func (c *container) handler(ctx context.Context, p *process, h corev1.ProbeHandler, timeout time.Duration) (probe.Result, string, error) {
	ip := p.network.IP.String()
	switch {
	case h.Exec != nil:
		return c.execProbe(ctx, p, h.Exec.Command, timeout)
	case h.HTTPGet != nil:
		request, err := httpprobe.NewRequestForHTTPGetAction(h.HTTPGet, c.spec, ip, "probe")
		if err != nil {
			return probe.Unknown, "", err
		}
		return httpprobe.New(false).Probe(request.WithContext(ctx), timeout)
	case h.TCPSocket != nil:
		port, err := c.portNumber(h.TCPSocket.Port)
		if err != nil {
			return probe.Unknown, "", err
		}
		host := h.TCPSocket.Host
		if host == "" {
			host = ip
		}
		return tcpprobe.New().Probe(host, port, timeout)
	case h.GRPC != nil:
		service := ""
		if h.GRPC.Service != nil {
			service = *h.GRPC.Service
		}
		return grpcprobe.New().Probe(ip, service, int(h.GRPC.Port), timeout, grpcprobe.ProbeOptions{})
	}
	return probe.Unknown, "", errors.New("the probe has no handler")
}

func (c *container) execProbe(ctx context.Context, p *process, line []string, timeout time.Duration) (probe.Result, string, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	var output bytes.Buffer
	err := p.run(ctx, line, func(cmd *exec.Cmd) { cmd.Stdout, cmd.Stderr = &output, &output })
	var exit *exec.ExitError
	switch {
	case err == nil:
		return probe.Success, output.String(), nil
	case errors.Is(err, context.DeadlineExceeded):
		return probe.Failure, fmt.Sprintf("command timed out: %q timed out after %s", line, timeout), nil
	case errors.As(err, &exit):
		return probe.Failure, output.String(), nil
	}
	return probe.Unknown, "", err
}

// portNumber resolves a port's name in the container's own ports.
func (c *container) portNumber(port intstr.IntOrString) (int, error) {
	if port.Type == intstr.Int {
		return port.IntValue(), nil
	}
	for _, p := range c.spec.Ports {
		if p.Name == port.StrVal {
			return int(p.ContainerPort), nil
		}
	}
	if number, err := strconv.Atoi(port.StrVal); err == nil {
		return number, nil
	}
	return 0, fmt.Errorf("couldn't find port %q in container %s", port.StrVal, c.spec.Name)
}

// runHook runs a preStop hook until it ends, or until ctx, the grace period, does.
func (c *container) runHook(ctx context.Context, p *process, hook *corev1.LifecycleHandler) error {
	switch {
	case hook.Sleep != nil:
		select {
		case <-p.done:
		case <-time.After(time.Duration(hook.Sleep.Seconds) * time.Second):
		case <-ctx.Done():
		}
		return ctx.Err()
	case hook.Exec != nil:
		return p.run(ctx, hook.Exec.Command, func(*exec.Cmd) {})
	case hook.HTTPGet != nil:
		request, err := httpprobe.NewRequestForHTTPGetAction(hook.HTTPGet, c.spec, p.network.IP.String(), "lifecycle")
		if err != nil {
			return err
		}
		response, err := http.DefaultClient.Do(request.WithContext(ctx))
		if err != nil {
			return err
		}
		return response.Body.Close()
	}
	return nil
}
