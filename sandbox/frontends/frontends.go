// Package frontends is what front ends of a load balancer have in common, whichever
// configuration they serve by: each adopts a new one at its own time ([Stagger],
// [Adopted]), clients are spread over them ([Serve]), and tests see how far they are
// ([Adoption]).
package frontends

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"
)

// Timeouts of a front end: idle connections from clients last at most 610 s
// (cloud.google.com/load-balancing/docs/https, timeouts and retries).
const (
	clientKeepAlive = 610 * time.Second
	shutdownTimeout = 5 * time.Second
)

// Configuration is what a front end serves by. A newer one has a larger serial.
type Configuration interface{ Serial() int }

// Adopted is the configuration that one front end serves by.
type Adopted[C Configuration] struct{ current atomic.Pointer[C] }

// Adopt replaces it by a newer one; an older one changes nothing.
func (a *Adopted[C]) Adopt(c C) {
	for {
		before := a.current.Load()
		if before != nil && (*before).Serial() >= c.Serial() || a.current.CompareAndSwap(before, &c) {
			return
		}
	}
}

// Load returns it, or the zero value if there is none yet.
func (a *Adopted[C]) Load() (c C) {
	if p := a.current.Load(); p != nil {
		return *p
	}
	return c
}

// Stagger calls adopt for each of n front ends: for the first one after a time, for the
// last one after another, and for those between evenly spread.
func Stagger(n int, first, last time.Duration, adopt func(i int)) {
	for i := range n {
		delay := first
		if n > 1 {
			delay += (last - first) * time.Duration(i) / time.Duration(n-1)
		}
		if delay <= 0 {
			adopt(i)
			continue
		}
		time.AfterFunc(delay, func() { adopt(i) })
	}
}

// frontEndKey carries a connection's front end.
type frontEndKey struct{}

// Serve answers clients until ctx ends, and then the requests in progress. New connections
// go to the front ends in turn; a connection stays with its own for its whole life.
func Serve(ctx context.Context, listener net.Listener, log *slog.Logger, frontEnds []http.Handler) error {
	var turn atomic.Uint64
	server := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		IdleTimeout:       clientKeepAlive,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Context().Value(frontEndKey{}).(http.Handler).ServeHTTP(w, r)
		}),
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
			return context.WithValue(ctx, frontEndKey{}, frontEnds[turn.Add(1)%uint64(len(frontEnds))])
		},
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return fmt.Errorf("serving clients: %w", err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
	defer cancel()
	err := server.Shutdown(drain)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close()
	}
	return err
}
