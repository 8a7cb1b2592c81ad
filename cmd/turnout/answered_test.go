package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/rest"
)

func TestStartWaitsForAnAPIServerThatAnswersWithErrors(t *testing.T) {
	broken := fmt.Errorf("connecting: %w", apierrors.NewInternalError(errors.New("etcd is away")))
	busy := apierrors.NewTooManyRequests("later", 1)
	refused := apierrors.NewUnauthorized("who are you?")
	for _, tt := range []struct {
		name   string
		errs   []error // of the trials, the last one of all others
		trials int
		want   error
		after  time.Duration
	}{
		{"it answers", []error{nil}, 1, nil, 0},
		{"it answers later", []error{broken, busy, broken, nil}, 4, nil, 3 * time.Second},
		{"it refuses", []error{broken, refused}, 2, refused, time.Second},
		{"nobody is there", []error{errors.ErrUnsupported}, 1, errors.ErrUnsupported, 0},
		{"it never answers", []error{broken}, 121, broken, startPatience},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				trials, began := 0, time.Now()
				_, err := untilAnswered(t.Context(), slog.New(slog.DiscardHandler), func() (struct{}, error) {
					trials++
					return struct{}{}, tt.errs[min(trials, len(tt.errs))-1]
				})
				if !errors.Is(err, tt.want) || trials != tt.trials || time.Since(began) != tt.after {
					t.Errorf("%d trials in %s: %v; want %d in %s: %v", trials, time.Since(began), err, tt.trials, tt.after, tt.want)
				}
			})
		})
	}
}

func TestStartThatIsStoppedWaitsForNothing(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	broken := apierrors.NewGenericServerResponse(http.StatusBadGateway, "get", schema.GroupResource{}, "", "", 0, false)
	_, err := untilAnswered(ctx, slog.New(slog.DiscardHandler), func() (struct{}, error) { return struct{}{}, broken })
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// A real manager's error has the API server's status in it.
func TestManagerTellsThatTheAPIServerAnswersWithErrors(t *testing.T) {
	var code atomic.Int32
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(int(code.Load())) }))
	t.Cleanup(api.Close)
	for status, want := range map[int]bool{
		http.StatusInternalServerError: true, http.StatusServiceUnavailable: true, http.StatusUnauthorized: false,
	} {
		code.Store(int32(status)) //nolint:gosec // a status
		_, err := (&serveConfig{metricsListen: "0"}).manager(&rest.Config{Host: api.URL}, "turnout", slog.New(slog.DiscardHandler))
		if err == nil || passes(err) != want {
			t.Errorf("status %d: %v, which passes: %v, want %v", status, err, err != nil && passes(err), want)
		}
	}
}
