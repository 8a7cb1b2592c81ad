package cloudbuild

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	build "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/api/iterator"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
)

// callTimeout bounds one call. The generated client would retry for ten minutes, which would
// block the caller; the caller waits by a pause instead.
const callTimeout = 30 * time.Second

// Config is the access to Cloud Build.
type Config struct {
	// Endpoint is host:port. Empty: Google's own.
	Endpoint string
	// Insecure means plaintext without credentials, for an emulator.
	Insecure bool
	// Interceptor is called around every request, for metrics. Optional.
	Interceptor grpc.UnaryClientInterceptor
}

// Client follows builds over gRPC.
type Client struct {
	api *build.Client
}

// NewClient connects lazily: only the first call notices a dead endpoint. Without Insecure it
// uses the application default credentials, unless the options set others.
func NewClient(ctx context.Context, cfg Config, opts ...option.ClientOption) (*Client, error) {
	opts = slices.Clone(opts)
	if cfg.Endpoint != "" {
		opts = append(opts, option.WithEndpoint(cfg.Endpoint))
	}
	if cfg.Insecure {
		opts = append(opts, option.WithoutAuthentication(), option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	}
	if cfg.Interceptor != nil {
		opts = append(opts, option.WithGRPCDialOption(grpc.WithChainUnaryInterceptor(cfg.Interceptor)))
	}
	api, err := build.NewClient(ctx, opts...)
	if err != nil {
		return nil, fmt.Errorf("connect to Cloud Build: %w", err)
	}
	// No retries here: the caller retries, and records that.
	*api.CallOptions = build.CallOptions{}
	return &Client{api: api}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.api.Close() }

// Handle identifies a build in progress, as it is kept in the record.
type Handle struct {
	Project  string `json:"project"`
	Location string `json:"location"`
	ID       string `json:"id"`
	LogURL   string `json:"logURL,omitempty"`
}

// name is the build's resource name.
func (h Handle) name() string { return parent(h.Project, h.Location) + "/builds/" + h.ID }

// Search describes the build to find.
type Search struct {
	// Project and Location are those of the Request. Each location has its own list:
	// in the wrong one the list is empty, not an error.
	Project, Location string
	// Release and Retry are those of the Request.
	Release string
	Retry   int
	// Trigger is the id of the trigger that was run, and Commit the commit it ran at. Both are
	// empty for a created build: that one carries a tag.
	Trigger, Commit string
	// Since leaves out builds created before it; zero means no bound. Leave a margin
	// for clock skew.
	Since time.Time
}

// Find returns the release's build, created or triggered, or nil if the list shows none. Shortly
// after a Start, nil does not prove that there is none. Of two builds, the one created first is
// the release's.
func (c *Client) Find(ctx context.Context, s Search) (*Handle, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	s.Location = Request{Location: s.Location}.location()
	builds := c.api.ListBuilds(ctx, &cloudbuildpb.ListBuildsRequest{
		Parent: parent(s.Project, s.Location), ProjectId: s.Project, Filter: s.filter(),
	})
	var first *cloudbuildpb.Build
	for {
		b, err := builds.Next()
		if errors.Is(err, iterator.Done) {
			break
		}
		if err != nil {
			return nil, callError("search the release's build in "+parent(s.Project, s.Location), err)
		}
		if s.matches(b) && (first == nil || b.GetCreateTime().AsTime().Before(first.GetCreateTime().AsTime())) {
			first = b
		}
	}
	if first == nil {
		return nil, nil
	}
	return &Handle{Project: s.Project, Location: s.Location, ID: first.GetId(), LogURL: first.GetLogUrl()}, nil
}

// filter holds what the server can filter by; it cannot filter by substitutions.
func (s Search) filter() string {
	filter := fmt.Sprintf("tags=%q", Tag(s.Release, s.Retry))
	if s.Trigger != "" {
		filter = fmt.Sprintf("trigger_id=%q", s.Trigger)
	}
	if !s.Since.IsZero() {
		filter += fmt.Sprintf(" AND create_time>%q", s.Since.UTC().Format(time.RFC3339))
	}
	return filter
}

// matches reports whether a listed build is the one to find.
func (s Search) matches(b *cloudbuildpb.Build) bool {
	if s.Trigger == "" {
		return slices.Contains(b.GetTags(), Tag(s.Release, s.Retry))
	}
	has := b.GetSubstitutions()
	return b.GetBuildTriggerId() == s.Trigger && has[ReleaseSubstitution] == key(s.Release, s.Retry) &&
		(has["COMMIT_SHA"] == s.Commit || has["COMMIT_SHA"] == "")
}

// Start creates the build with one call, never repeated here. After an Uncertain
// error the build may exist; see "The caller's duty".
func (c *Client) Start(ctx context.Context, r Request, f *File) (Handle, error) {
	b, err := r.Build(f)
	if err != nil {
		return Handle{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	what := "create a build in " + parent(r.Project, r.location())
	op, err := c.api.CreateBuild(ctx, &cloudbuildpb.CreateBuildRequest{
		Parent: parent(r.Project, r.location()), ProjectId: r.Project, Build: b,
	})
	if err != nil {
		return Handle{}, callError(what, err)
	}
	meta, _ := op.Metadata() // without metadata there is no id, and handleOf reports that
	return handleOf(what, r.Project, r.location(), meta.GetBuild())
}

// handleOf is the handle of the build in an answer. There may be a build even if the answer names
// none.
func handleOf(what, project, location string, b *cloudbuildpb.Build) (Handle, error) {
	if b.GetId() == "" {
		return Handle{}, &Error{Op: what, Code: codes.Internal, Fault: FaultWorld, Uncertain: true, Err: errors.New("the answer names no build")}
	}
	return Handle{Project: project, Location: location, ID: b.GetId(), LogURL: b.GetLogUrl()}, nil
}

// Poll looks at the build once.
func (c *Client) Poll(ctx context.Context, h Handle) (State, error) {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	b, err := c.api.GetBuild(ctx, &cloudbuildpb.GetBuildRequest{Name: h.name(), ProjectId: h.Project, Id: h.ID})
	if err != nil {
		return State{}, callError("look at the build "+h.name(), err)
	}
	return stateOf(b), nil
}

// Cancel ends the build. If the build has already ended, Cancel does nothing and
// returns no error.
func (c *Client) Cancel(ctx context.Context, h Handle) error {
	callCtx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	_, err := c.api.CancelBuild(callCtx, &cloudbuildpb.CancelBuildRequest{Name: h.name(), ProjectId: h.Project, Id: h.ID})
	if err == nil {
		return nil
	}
	// The API's code for "already over" is not documented, so look instead.
	if state, lookErr := c.Poll(ctx, h); lookErr == nil && state.Done() {
		return nil
	}
	return callError("cancel the build "+h.name(), err)
}

// Error is a failed call to Cloud Build.
type Error struct {
	// Op is what was attempted.
	Op   string
	Code codes.Code
	// Fault: another attempt can help (FaultWorld), or only another file or spec (FaultRelease).
	Fault Fault
	// Uncertain: the call may have taken effect.
	Uncertain bool
	Err       error

	fix string // replaces that of wayOut
}

// Error names the attempt, the answer and, if known, the way out.
func (e *Error) Error() string {
	text := e.Op + ": " + e.Err.Error()
	if fix := cmp.Or(e.fix, wayOut[e.Code]); fix != "" {
		text += "; " + fix
	}
	return text
}

// Unwrap is the gRPC error.
func (e *Error) Unwrap() error { return e.Err }

var wayOut = map[codes.Code]string{
	codes.PermissionDenied:   "grant Turnout's service account roles/cloudbuild.builds.editor in the project, and check spec.build.project",
	codes.Unauthenticated:    "check Turnout's Google credentials",
	codes.FailedPrecondition: "the project may have no quota for builds in this location: try another spec.build.location",
	codes.ResourceExhausted:  "Turnout tries again",
	codes.NotFound:           "check spec.build.project and spec.build.location",
}

// callError decides whose fault a gRPC error is. A status that may come from a proxy or a lost
// connection does not show whether the call took effect.
func callError(op string, err error) *Error {
	code := status.Code(err)
	if errors.Is(err, context.DeadlineExceeded) {
		code = codes.DeadlineExceeded
	}
	if errors.Is(err, context.Canceled) {
		code = codes.Canceled
	}
	e := &Error{Op: op, Code: code, Fault: FaultWorld, Err: err}
	if code == codes.InvalidArgument || code == codes.OutOfRange {
		e.Fault = FaultRelease
	}
	e.Uncertain = slices.Contains([]codes.Code{
		codes.Unknown, codes.Internal, codes.Unavailable, codes.DeadlineExceeded, codes.Canceled, codes.Aborted, codes.AlreadyExists,
		codes.DataLoss,
	}, code)
	return e
}
