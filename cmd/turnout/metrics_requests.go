package main

import (
	"context"
	"net/http"
	"path"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// gitHubTransport counts requests to GitHub, and records the rate limit in its answers.
type gitHubTransport struct {
	base http.RoundTripper
	m    *metrics
}

// RoundTrip implements [http.RoundTripper].
func (t gitHubTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		t.m.github.WithLabelValues(req.Method, "error").Inc()
		return resp, err
	}
	t.m.github.WithLabelValues(req.Method, strconv.Itoa(resp.StatusCode)).Inc()
	for header, gauge := range map[string]*prometheus.GaugeVec{"X-Ratelimit-Remaining": t.m.remaining, "X-Ratelimit-Limit": t.m.limit} {
		if n, err := strconv.Atoi(resp.Header.Get(header)); err == nil {
			gauge.WithLabelValues(rateLimitResource(resp.Header.Get("X-Ratelimit-Resource"))).Set(float64(n))
		}
	}
	return resp, nil
}

// rateLimitResource is the limit in an answer, if Turnout's requests count against it
// (GitHub REST docs, "Rate limits").
func rateLimitResource(header string) string {
	switch header {
	case "core", "code_scanning_upload", "graphql", "integration_manifest", "search":
		return header
	}
	return "other"
}

// cloudBuild counts a request to Cloud Build.
func (m *metrics) cloudBuild(ctx context.Context, method string, req, reply any, conn *grpc.ClientConn, invoke grpc.UnaryInvoker,
	opts ...grpc.CallOption,
) error {
	err := invoke(ctx, method, req, reply, conn, opts...)
	m.cloudbuild.WithLabelValues(path.Base(method), status.Code(err).String()).Inc()
	return err
}
