package cloudbuildtest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"path"
	"slices"
	"sync"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// defaultTimeout applies to a build that sets none (comments of Build.timeout).
const defaultTimeout = time.Hour

// Config configures a Server.
type Config struct {
	// Listener to serve on; the server closes it. Nil means a free port on loopback.
	Listener net.Listener
	// Builder does the work of each build. Nil means Digests.
	Builder Builder
	// ListLag is how long a new build stays out of lists. 0: it is listed at once.
	ListLag time.Duration
	// QueueTime is how long a build stays QUEUED. 0: it is WORKING at once.
	QueueTime time.Duration
	// NeedsApproval makes every build wait as PENDING for Approve.
	NeedsApproval bool
	// Repository reads the files that triggers name. Nil: no repository is connected, so
	// only triggers that hold their own build can run.
	Repository Repository
	// Log receives a debug line per call. Nil: nothing is logged.
	Log *slog.Logger
}

// Fault makes calls of one method fail.
type Fault struct {
	// Code and Message of the answer. Code OK (the zero value) means Unavailable.
	Code    codes.Code
	Message string
	// Performed: the call takes effect and only its reply is lost.
	Performed bool
	// Times is how many calls fail. 0 means one.
	Times int
	// Until is when calls succeed again. Zero: the next ones fail, whenever they come.
	Until time.Time
}

// Server is a Cloud Build. Use Start or New.
type Server struct {
	cloudbuildpb.UnimplementedCloudBuildServer
	operations
	config  Config
	address string
	grpc    *grpc.Server
	running context.Context // ends with Close; the parent of every build's context
	stop    context.CancelFunc
	work    sync.WaitGroup // builds being run, and the serving goroutine

	mu       sync.Mutex
	builds   []*build   // in the order of creation
	triggers []*trigger // in the order of creation
	calls    map[string]int
	faults   map[string][]Fault
	failed   map[Fault]int
	unknown  []string
}

// Start serves until Close.
func Start(cfg Config) (*Server, error) {
	if cfg.Builder == nil {
		cfg.Builder = Digests
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Listener == nil {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("listening for Cloud Build calls: %w", err)
		}
		cfg.Listener = listener
	}
	s := &Server{
		config: cfg, address: cfg.Listener.Addr().String(), calls: map[string]int{}, faults: map[string][]Fault{}, failed: map[Fault]int{},
	}
	s.server = s
	s.running, s.stop = context.WithCancel(context.Background())
	s.grpc = grpc.NewServer(grpc.UnaryInterceptor(s.intercept))
	cloudbuildpb.RegisterCloudBuildServer(s.grpc, s)
	longrunningpb.RegisterOperationsServer(s.grpc, &s.operations)
	s.work.Go(func() {
		if err := s.grpc.Serve(cfg.Listener); err != nil {
			cfg.Log.Error("serving Cloud Build ended", "error", err)
		}
	})
	return s, nil
}

// TB is what New needs of a *testing.T.
type TB interface {
	Helper()
	Fatal(args ...any)
	Cleanup(func())
}

// New starts a server that ends with the test.
func New(t TB, cfg Config) *Server {
	t.Helper()
	s, err := Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// Endpoint is the server's host:port.
func (s *Server) Endpoint() string { return s.address }

// Close stops serving, cancels the builds and waits for their builders.
func (s *Server) Close() {
	s.stop()
	s.grpc.Stop()
	s.work.Wait()
}

// Fail makes the next calls of a method, such as "CreateBuild", fail. A method's faults are used
// up in the order given.
func (s *Server) Fail(method string, fault Fault) {
	if fault.Code == codes.OK {
		fault.Code = codes.Unavailable
	}
	if fault.Message == "" {
		fault.Message = "injected fault"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for range max(fault.Times, 1) {
		s.faults[method] = append(s.faults[method], fault)
	}
}

// Failed counts the calls that failed so, by code and whether they were performed.
func (s *Server) Failed() map[Fault]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.failed)
}

// Calls counts the calls of each method, including failed ones.
func (s *Server) Calls() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.calls)
}

// Unknown lists the methods that were called but are not implemented.
func (s *Server) Unknown() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.unknown)
}

// Builds are copies of all builds of a location, oldest first, including unlisted ones. For
// assertions only: no client sees them like that.
func (s *Server) Builds(project, location string) []*cloudbuildpb.Build {
	s.mu.Lock()
	defer s.mu.Unlock()
	var out []*cloudbuildpb.Build
	for _, b := range s.builds {
		if b.project == project && b.location == location {
			out = append(out, proto.CloneOf(b.pb))
		}
	}
	return out
}

// Keep takes over a build from another server, under its id. A build in progress starts again.
func (s *Server) Keep(pb *cloudbuildpb.Build) error {
	m := buildName.FindStringSubmatch(pb.GetName())
	if m == nil {
		return fmt.Errorf("keep build %q: invalid name", pb.GetName())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	b := &build{project: m[1], location: m[2], pb: proto.CloneOf(pb)}
	s.builds = append(s.builds, b)
	switch b.pb.GetStatus() {
	case cloudbuildpb.Build_QUEUED, cloudbuildpb.Build_WORKING:
		s.enqueue(b)
	default: // it is over, or waits for a person
	}
	return nil
}

// Approve lets a PENDING build continue, as a person does in the console. It reports whether
// there was one.
func (s *Server) Approve(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.builds {
		if b.pb.GetId() == id && b.pb.GetStatus() == cloudbuildpb.Build_PENDING {
			s.enqueue(b)
			return true
		}
	}
	return false
}

// intercept counts each call, makes it fail if a fault is due, and records methods that are not
// implemented.
func (s *Server) intercept(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	method := path.Base(info.FullMethod)
	fault := s.begin(method)
	if fault != nil && !fault.Performed {
		return nil, status.Error(fault.Code, fault.Message)
	}
	reply, err := handler(ctx, request)
	s.config.Log.DebugContext(ctx, "cloud build call", "method", method, "code", status.Code(err).String())
	if status.Code(err) == codes.Unimplemented {
		s.mu.Lock()
		s.unknown = append(s.unknown, method)
		s.mu.Unlock()
		s.config.Log.ErrorContext(ctx, "cloud build method is not implemented", "method", method)
	}
	if fault != nil {
		return nil, status.Error(fault.Code, fault.Message)
	}
	return reply, err
}

// begin counts the call and takes the fault that is due, if any.
func (s *Server) begin(method string) *Fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[method]++
	due := slices.DeleteFunc(s.faults[method], func(f Fault) bool { return !f.Until.IsZero() && !time.Now().Before(f.Until) })
	s.faults[method] = due
	if len(due) == 0 {
		return nil
	}
	s.faults[method] = due[1:]
	s.failed[Fault{Code: due[0].Code, Performed: due[0].Performed}]++
	return &due[0]
}
