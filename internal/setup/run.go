package setup

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// Run serves the page on a listener until there is an App, and returns it: one that was
// registered here, by another process, or long ago. It closes the listener.
func (p *Page) Run(ctx context.Context, listener net.Listener) (App, error) {
	srv := &http.Server{
		Handler: p.handler(), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 30 * time.Second, WriteTimeout: time.Minute,
		MaxHeaderBytes: maxForm,
	}
	failed := make(chan error, 1)
	go func() { failed <- srv.Serve(listener) }()
	app, err := p.await(ctx, failed)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deliveryTime+5*time.Second)
	defer cancel()
	if closing := srv.Shutdown(ctx); closing != nil { // the last answer is still being read
		_ = srv.Close()
	}
	return app, err
}

// await waits for an App, and reads the Secret now and then.
func (p *Page) await(ctx context.Context, failed <-chan error) (App, error) {
	poll := p.Poll
	if poll <= 0 {
		poll = 2 * time.Second
	}
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		if now, err := p.Secret.read(ctx); err == nil && now.app != nil {
			p.known.Store(now.app)
			return *now.app, nil
		}
		select {
		case err := <-failed:
			if errors.Is(err, http.ErrServerClosed) {
				err = net.ErrClosed
			}
			return App{}, fmt.Errorf("serving the setup page: %w", err)
		case <-ctx.Done():
			return App{}, fmt.Errorf("waiting for a GitHub App: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

// Registered is the App in the Secret; nil if there is none.
func (s *Secret) Registered(ctx context.Context) (*App, error) {
	now, err := s.read(ctx)
	return now.app, err
}
