package main

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// startPatience is how long a start waits for a Kubernetes API that answers with errors of its own. A
// process that ended at the first one would be started again by the kubelet ever later, after five
// minutes in the end, and nobody would lead when the API is back.
const startPatience = 2 * time.Minute

// untilAnswered tries again, every second, while the Kubernetes API answers with errors of its own or
// that it is too busy. Whatever else fails is the result at once: no trial would mend it.
func untilAnswered[T any](ctx context.Context, log *slog.Logger, try func() (T, error)) (T, error) {
	for began := time.Now(); ; {
		result, err := try()
		if err == nil || !passes(err) || time.Since(began) >= startPatience {
			return result, err
		}
		log.WarnContext(ctx, "Kubernetes does not answer yet, trying again", "error", err)
		select {
		case <-ctx.Done():
			return result, err
		case <-time.After(time.Second):
		}
	}
}

// passes reports whether an error is one of the API server, or of its load.
func passes(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return false
	}
	code := status.Status().Code
	return code >= http.StatusInternalServerError || code == http.StatusTooManyRequests
}
