package scale

import (
	"context"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"
)

// tool is what is measured.
type tool interface {
	name() string
	// prepare makes what it needs in the cluster, before the applications.
	prepare(ctx context.Context) error
	// objects are one application, with its first version.
	objects(a app) ([]client.Object, error)
	// past gives every application its finished releases.
	past(ctx context.Context) error
	// start starts its process, and returns that process's ID when it is ready.
	start(ctx context.Context) (pid int, err error)
	// lacks says what it still has to do before every application can be released; "" if nothing.
	lacks(ctx context.Context) (string, error)
	// release lets the applications of a branch have the next version.
	release(ctx context.Context, branch string) error
	// rollback asks for the previous version of [branchBack]'s application. Whoever cannot returns false.
	rollback(ctx context.Context) (bool, error)
	// ended reports whether an application's release is over, and the previous version's pods are gone,
	// unless it can be rolled back.
	ended(ctx context.Context, a app) (bool, error)
	// requests is how many requests it has sent to the API server; 0 if it does not tell.
	requests(ctx context.Context) (float64, error)
	// reported waits until it has told everybody of the burst that began then.
	reported(ctx context.Context, row *Row) error
	stop() error
}

// Measure measures a tool. The world cannot be used for anything else afterwards.
func Measure(ctx context.Context, o Options) (Row, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := newRun(o)
	if err != nil {
		return Row{}, err
	}
	defer func() { _ = r.tool.stop() }()
	parts := []func(context.Context) error{r.prepare, r.settle, r.rest, r.react, r.back, r.burst}
	if o.Bare {
		parts = parts[:3]
	}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return r.row, err
		}
	}
	return r.row, nil
}

// since is when something happened, in seconds.
func since(began time.Time) float64 { return time.Since(began).Seconds() }
