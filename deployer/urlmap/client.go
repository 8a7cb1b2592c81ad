package urlmap

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"

	"google.golang.org/api/compute/v1"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	htransport "google.golang.org/api/transport/http"
)

// maxAnswer bounds an answer, in bytes. Google's own limit for a URL map is 1 MB.
const maxAnswer = 4 << 20

// Config selects the project and the API.
type Config struct {
	// Project that the cluster's load balancers are in.
	Project string
	// Endpoint of the Compute API, such as https://compute-x.p.googleapis.com/compute/v1/;
	// empty: Google's. One without TLS is a stand-in, and gets no credentials.
	Endpoint string
}

// Client reads the URL maps of one project.
type Client struct {
	project string
	maps    *compute.UrlMapsService
	regions *compute.RegionUrlMapsService
}

var (
	projectName = regexp.MustCompile(`^([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$`)
	// resource is the name of any resource of the Compute API (RFC 1035).
	resource = regexp.MustCompile(`^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$`)
)

// New finds this process's credentials, unless none are needed. It sends no request.
func New(ctx context.Context, cfg Config) (*Client, error) {
	if !projectName.MatchString(cfg.Project) {
		return nil, fmt.Errorf("%q is not the id of a Google project", cfg.Project)
	}
	transport, options := http.DefaultTransport, []option.ClientOption{}
	plain := false
	if cfg.Endpoint != "" {
		u, err := url.Parse(cfg.Endpoint)
		if err != nil || u.Host == "" {
			return nil, fmt.Errorf("%q is no address, such as https://compute.googleapis.com/compute/v1/", cfg.Endpoint)
		}
		plain = u.Scheme == "http"
		options = append(options, option.WithEndpoint(cfg.Endpoint))
	}
	if !plain {
		var err error
		if transport, err = htransport.NewTransport(ctx, transport, option.WithScopes(compute.ComputeReadonlyScope)); err != nil {
			return nil, fmt.Errorf("find this process's own credentials of Google: %w", err)
		}
	}
	client := &http.Client{
		Transport: bounded{transport},
		// A token is only for the chosen host.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	service, err := compute.NewService(ctx, append(options, option.WithHTTPClient(client))...)
	if err != nil {
		return nil, fmt.Errorf("reach the Compute API: %w", err)
	}
	return &Client{cfg.Project, service.UrlMaps, service.RegionUrlMaps}, nil
}

// Project is the project whose URL maps are read.
func (c *Client) Project() string { return c.project }

// Get reads a URL map; region is empty for a global one. It returns an [*Error] if it
// cannot be read.
func (c *Client) Get(ctx context.Context, region, name string) (Map, error) {
	if !resource.MatchString(name) || region != "" && !resource.MatchString(region) {
		return Map{}, fmt.Errorf("%q is not a URL map's name", name)
	}
	var read *compute.UrlMap
	var err error
	if region == "" {
		read, err = c.maps.Get(c.project, name).Context(ctx).Do()
	} else {
		read, err = c.regions.Get(c.project, region, name).Context(ctx).Do()
	}
	if err != nil {
		return Map{}, c.explain(region, name, err)
	}
	return fromAPI(read)
}

// Error is why a URL map could not be read.
type Error struct {
	// Code is the HTTP status; 0 if there was no answer.
	Code int
	text string
	err  error
}

func (e *Error) Error() string { return e.text }
func (e *Error) Unwrap() error { return e.err }

// explain describes an error, with the way out.
func (c *Client) explain(region, name string, err error) *Error {
	e := &Error{err: err}
	where := "project " + c.project
	if region != "" {
		where += ", region " + region
	}
	answer, answered := errors.AsType[*googleapi.Error](err)
	if answered {
		e.Code = answer.Code
	}
	switch e.Code {
	case http.StatusForbidden:
		e.text = fmt.Sprintf("URL map %s may not be read: give Turnout's Google account compute.urlMaps.get in project %s (403: %s)", name,
			c.project, answer.Message)
	case http.StatusNotFound:
		e.text = fmt.Sprintf("there is no URL map %s in %s: check that --load-balancer-project names the cluster's project (404)", name, where)
	case 0:
		e.text = fmt.Sprintf("URL map %s of %s could not be read: %v", name, where, err)
	default:
		e.text = fmt.Sprintf("URL map %s of %s could not be read: the Compute API answered %d %s", name, where, e.Code, answer.Message)
	}
	return e
}

// bounded reads no more of an answer than maxAnswer.
type bounded struct{ http.RoundTripper }

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(r)
	if err == nil {
		resp.Body = http.MaxBytesReader(nil, resp.Body, maxAnswer)
	}
	return resp, err
}
