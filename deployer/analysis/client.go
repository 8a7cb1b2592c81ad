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
	// maxAnswer bounds what is read of one, in bytes: it is one number.
	maxAnswer = 1 << 20
)

// MonitoringAddress is Cloud Monitoring's, whose API of Prometheus is that of a project
// (https://cloud.google.com/monitoring/api/ref_v3/rest/v1/projects.location.prometheus.api.v1/query).
const MonitoringAddress = "https://monitoring.googleapis.com"

// GoogleURL is where a project's metrics are asked for.
func GoogleURL(address, project string) string {
	return strings.TrimSuffix(address, "/") + "/v1/projects/" + project + "/location/global/prometheus"
}

// Config says what is asked, and how.
type Config struct {
	// URL of the server, without /api/v1.
	URL string
	// Transport to it: it decides what is connected to, and adds credentials.
	Transport http.RoundTripper
	// Lookback: the server takes Prometheus' lookback_delta.
	Lookback bool
}

// Client asks a server for metrics.
type Client struct {
	api      promv1.API
	lookback bool
}

// New makes a client. It asks nothing. Redirects are not followed: credentials are
// for the server that was granted, and no other.
func New(c Config) (*Client, error) {
	client, err := api.NewClient(api.Config{Address: c.URL, Client: &http.Client{
		Transport:     bounded{c.Transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}})
	if err != nil {
		return nil, fmt.Errorf("%s is no address of a Prometheus: %w", c.URL, err)
	}
	return &Client{api: promv1.NewAPI(client), lookback: c.Lookback}, nil
}

// QueryError is why a query has no number.
type QueryError struct {
	// Because is Refused or Unreachable.
	Because v1alpha1.NoVerdictReason
	text    string
}

func (e *QueryError) Error() string { return e.text }

func refused(format string, args ...any) *QueryError {
	return &QueryError{Because: v1alpha1.NoVerdictRefused, text: fmt.Sprintf(format, args...)}
}

// Query asks for one number as of a time; nil if there is none. The error is a
// [*QueryError].
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
	if len(warnings) > 0 { // such as that a part of the data is missing
		return nil, refused("it answered with a warning: %s", warnings[0])
	}
	return number(value)
}

// errNoResult: whatever answers there is no Prometheus, or in trouble. What has no time is
// no result either: it is what reading a null leaves.
var errNoResult = &QueryError{Because: v1alpha1.NoVerdictUnreachable, text: "its answer has no result"}

// number is the one number of an answer; nil if it found nothing.
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

// explainError says whether a query was refused, or not answered.
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

// deniedKey is where the words of a 403 are put: a query that is denied as a POST is asked
// once more as a GET (client_golang api/prometheus/v1, DoGetFallback), and a server that
// knows no such GET, as Cloud Monitoring's documents none, would answer 404 to that.
type deniedKey struct{}

// deniedLimit bounds the words of a 403, in bytes.
const deniedLimit = 1 << 10

// bounded reads no more of an answer than maxAnswer.
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
