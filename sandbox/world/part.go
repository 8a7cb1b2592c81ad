package world

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// part runs until the world stops, and may not be ready yet.
type part struct {
	ready chan struct{}
	took  time.Duration // its start, once ready is closed
	ended chan error
}

var errEnded = errors.New("it ended")

// begin starts a part.
func (w *World) begin(running context.Context, name string, run func(ready func()) error) *part {
	p := &part{ready: make(chan struct{}), ended: make(chan error, 1)}
	began := time.Now()
	w.running.Go(func() {
		err := run(func() {
			p.took = time.Since(began)
			close(p.ready)
		})
		if err != nil && running.Err() == nil {
			w.log.ErrorContext(running, "a part of the sandbox ended", "part", name, "error", err)
		}
		p.ended <- err
	})
	return p
}

// await waits until the part is ready. If the part ends first, that is an error.
func (p *part) await(ctx context.Context) error {
	select {
	case <-p.ready:
		return nil
	case err := <-p.ended:
		return errors.Join(errEnded, err)
	case <-ctx.Done():
		return ctx.Err()
	}
}

// startUntil starts a part and waits until it is ready.
func (w *World) startUntil(running context.Context, name string, run func(ready func()) error) error {
	return w.begin(running, name, run).await(running)
}

const balancerName = "load balancer"

// AwaitLoadBalancer returns once Google's controllers work and new pods and Services pass their
// webhooks. Create none before.
func (w *World) AwaitLoadBalancer(ctx context.Context) error {
	begin := time.Now()
	if err := w.balancer.await(ctx); err != nil {
		return fmt.Errorf("starting the sandbox's %s: %w", balancerName, err)
	}
	w.progress(fmt.Sprintf("%s ready after %s; everything else waited %s for it", balancerName,
		w.balancer.took.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond)))
	return nil
}
