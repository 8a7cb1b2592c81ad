package analysis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// queryLimit bounds how long an answer may take.
	queryLimit = 10 * time.Second
	// maxAnswer bounds the bytes read of an answer, which is one number.
	maxAnswer = 1 << 20
)

// MonitoringAddress is Cloud Monitoring's, which offers Prometheus' API for each project
// (https://cloud.google.com/monitoring/api/ref_v3/rest/v1/projects.location.prometheus.api.v1/query).
const MonitoringAddress = "https://monitoring.googleapis.com"

// GoogleURL returns the URL of a project's Prometheus API.
func GoogleURL(address, project string) string {
	return strings.TrimSuffix(address, "/") + "/v1/projects/" + project + "/location/global/prometheus"
}

// Config configures a [Client].
type Config struct {
	// URL of the server, without /api/v1.
	URL string
	// Transport to the server: it restricts connections, and adds credentials.
	Transport http.RoundTripper
	// Lookback reports whether the server supports Prometheus' lookback_delta.
	Lookback bool
}

// Client queries a server for metrics.
type Client struct {
	api      promv1.API
	lookback bool
}

// New returns a client, without a request. It does not follow redirects: credentials are only for
// the granted server.
func New(c Config) (*Client, error) {
	client, err := api.NewClient(api.Config{Address: c.URL, Client: &http.Client{
		Transport:     bounded{c.Transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("%s is not the address of a Prometheus: %w", c.URL, err)
	}
	return &Client{api: promv1.NewAPI(client), lookback: c.Lookback}, nil
}

// QueryError says why a query returned no number.
type QueryError struct {
	// Because is Refused or Unreachable.
	Because v1alpha1.NoVerdictReason
	text    string
}

func (e *QueryError) Error() string { return e.text }

func refused(format string, args ...any) *QueryError {
	return &QueryError{Because: v1alpha1.NoVerdictRefused, text: fmt.Sprintf(format, args...)}
}

// Query returns one number as of a time, nil if there is none. The error is a [*QueryError].
func (c *Client) Query(ctx context.Context, query string, at time.Time, window time.Duration) (*float64, error) {
	ctx, cancel := context.WithTimeout(ctx, queryLimit)
	defer cancel()
	options := []promv1.Option{promv1.WithTimeout(queryLimit)}
	if c.lookback {
		options = append(options, promv1.WithLookbackDelta(window))
	}
	denied := ""
	value, warnings, _, err := c.api.Query(context.WithValue(ctx, deniedKey{}, &denied), query, at, options...)
	if err != nil && denied != "" {
		return nil, &QueryError{Because: v1alpha1.NoVerdictUnreachable, text: denied}
	}
	if err != nil {
		return nil, explainError(err)
	}
	if len(warnings) > 0 { // for example, a part of the data is missing
		return nil, refused("it answered with a warning: %s", warnings[0])
	}
	return number(value)
}

// errNoResult: the server is not a Prometheus, or has a problem. A value without a time is not a
// result either: that is what a null is decoded to.
var errNoResult = &QueryError{Because: v1alpha1.NoVerdictUnreachable, text: "its answer has no result"}

// number returns the one number of an answer, nil if the query found nothing.
func number(value model.Value) (*float64, error) {
	switch v := value.(type) {
	case nil:
		return nil, errNoResult
	case *model.Scalar:
		if v.Timestamp == 0 {
			return nil, errNoResult
		}
		return new(float64(v.Value)), nil
	case model.Vector:
		switch {
		case len(v) == 0:
			return nil, nil
		case len(v) > 1:
			return nil, refused("it has %d series, and must have one: sum them up", len(v))
		case v[0] == nil || v[0].Timestamp == 0:
			return nil, errNoResult
		case v[0].Histogram != nil:
			return nil, refused("it is a histogram, and must be a number: use histogram_quantile")
		}
		return new(float64(v[0].Value)), nil
	}
	return nil, refused("it is a %s, and must be a number", value.Type())
}

// explainError distinguishes a refused query from an unanswered one.
func explainError(err error) *QueryError {
	said, ok := errors.AsType[*promv1.Error](err)
	if ok && (said.Type == promv1.ErrBadData || said.Type == promv1.ErrExec) {
		return refused("%s", said.Msg)
	}
	text := err.Error()
	if ok && said.Detail != "" {
		text += ": " + said.Detail
	}
	return &QueryError{Because: v1alpha1.NoVerdictUnreachable, text: text}
}

// deniedKey is the key of the text of a 403. The library repeats a POST that was denied as a GET
// (client_golang api/prometheus/v1, DoGetFallback). A server without that GET, which Cloud
// Monitoring does not document, would answer 404 and hide the reason.
type deniedKey struct{}

// deniedLimit bounds the text of a 403, in bytes.
const deniedLimit = 1 << 10

// bounded reads at most maxAnswer bytes of an answer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	if to, asked := r.Context().Value(deniedKey{}).(*string); asked && *to == "" && resp.StatusCode == http.StatusForbidden {
		words, err := io.ReadAll(io.LimitReader(resp.Body, deniedLimit))
		if err != nil {
			_ = resp.Body.Close()
			return nil, err
		}
		*to = "it answered 403: " + string(words)
	}
	return resp, nil
}
