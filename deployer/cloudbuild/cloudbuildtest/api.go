package cloudbuildtest

import (
	"context"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/longrunning/autogen/longrunningpb"
	"github.com/google/uuid"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

var (
	parentName = regexp.MustCompile(`^projects/([^/]+)/locations/([^/]+)$`)
	buildName  = regexp.MustCompile(`^projects/([^/]+)/locations/([^/]+)/builds/([^/]+)$`)
)

// where reads a parent; without one, it is the legacy global location.
func where(parent, project string) (string, string, error) {
	if parent == "" && project != "" {
		return project, "global", nil
	}
	m := parentName.FindStringSubmatch(parent)
	if m == nil {
		return "", "", status.Errorf(codes.InvalidArgument, "invalid parent %q", parent)
	}
	return m[1], m[2], nil
}

// CreateBuild validates and queues a build.
func (s *Server) CreateBuild(_ context.Context, r *cloudbuildpb.CreateBuildRequest) (*longrunningpb.Operation, error) {
	project, location, err := where(r.GetParent(), r.GetProjectId())
	if err != nil {
		return nil, err
	}
	sent := proto.CloneOf(r.GetBuild())
	if sent != nil {
		sent.BuildTriggerId = "" // only the API writes it
	}
	pb, err := accept(sent, project, location)
	if err != nil {
		return nil, err
	}
	return s.add(pb, s.config.NeedsApproval)
}

// add keeps a build, which is listed after the lag, and starts it.
func (s *Server) add(pb *cloudbuildpb.Build, approval bool) (*longrunningpb.Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	m := buildName.FindStringSubmatch(pb.GetName())
	b := &build{project: m[1], location: m[2], pb: pb, listedFrom: time.Now().Add(s.config.ListLag)}
	s.builds = append(s.builds, b)
	if approval {
		pb.Status = cloudbuildpb.Build_PENDING
	} else {
		s.enqueue(b)
	}
	return operation(b)
}

// accept returns the build to store: the request, checked and expanded, without the fields that
// only the API writes.
func accept(sent *cloudbuildpb.Build, project, location string) (*cloudbuildpb.Build, error) {
	if sent == nil {
		return nil, status.Error(codes.InvalidArgument, "invalid build: build is required")
	}
	pb := proto.CloneOf(sent)
	pb.Results, pb.StatusDetail, pb.FailureInfo, pb.Approval, pb.Warnings = nil, "", nil, nil, nil
	pb.StartTime, pb.FinishTime, pb.Timing, pb.SourceProvenance = nil, nil, nil, nil
	if err := validate(pb); err != nil {
		return nil, err
	}
	id := uuid.NewString()
	pb.Id, pb.ProjectId = id, project
	pb.Name = fmt.Sprintf("projects/%s/locations/%s/builds/%s", project, location, id)
	pb.CreateTime = timestamppb.Now()
	pb.LogUrl = fmt.Sprintf("https://console.cloud.google.com/cloud-build/builds;region=%s/%s?project=%s", location, id, project)
	if pb.Timeout == nil {
		pb.Timeout = durationpb.New(defaultTimeout)
	}
	if err := substitute(pb, project, location, id); err != nil {
		return nil, err
	}
	return pb, nil
}

// GetBuild finds a build at once, whether listed or not.
func (s *Server) GetBuild(_ context.Context, r *cloudbuildpb.GetBuildRequest) (*cloudbuildpb.Build, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.lookup(r.GetName(), r.GetProjectId(), r.GetId())
	if err != nil {
		return nil, err
	}
	return proto.CloneOf(b.pb), nil
}

// CancelBuild ends a build in progress.
func (s *Server) CancelBuild(_ context.Context, r *cloudbuildpb.CancelBuildRequest) (*cloudbuildpb.Build, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, err := s.lookup(r.GetName(), r.GetProjectId(), r.GetId())
	if err != nil {
		return nil, err
	}
	switch b.pb.GetStatus() {
	case cloudbuildpb.Build_PENDING, cloudbuildpb.Build_QUEUED, cloudbuildpb.Build_WORKING:
		if b.cancel != nil {
			b.cancel(errCancelled)
		}
		b.pb.Status = cloudbuildpb.Build_CANCELLED
		b.pb.FinishTime = timestamppb.Now()
		return proto.CloneOf(b.pb), nil
	default:
		return nil, status.Error(codes.FailedPrecondition, "build is already finished")
	}
}

// lookup finds a build by its name, or by project and id in global.
func (s *Server) lookup(name, project, id string) (*build, error) {
	location := "global"
	if name != "" {
		m := buildName.FindStringSubmatch(name)
		if m == nil {
			return nil, status.Errorf(codes.InvalidArgument, "invalid build name %q", name)
		}
		project, location, id = m[1], m[2], m[3]
	}
	for _, b := range s.builds {
		if b.project == project && b.location == location && b.pb.GetId() == id {
			return b, nil
		}
	}
	return nil, status.Error(codes.NotFound, "Requested entity was not found.")
}

// defaultPage and maxPage are sizes of a list's page.
const (
	defaultPage = 50
	maxPage     = 1000
)

// ListBuilds lists the location's builds once their lag is over, the newest first.
func (s *Server) ListBuilds(_ context.Context, r *cloudbuildpb.ListBuildsRequest) (*cloudbuildpb.ListBuildsResponse, error) {
	project, location, err := where(r.GetParent(), r.GetProjectId())
	if err != nil {
		return nil, err
	}
	match, err := parseFilter(r.GetFilter())
	if err != nil {
		return nil, status.Errorf(codes.InvalidArgument, "invalid filter: %v", err)
	}
	start, err := offset(r.GetPageToken())
	if err != nil {
		return nil, err
	}
	builds, next := page(s.list(project, location, match), start, r.GetPageSize())
	return &cloudbuildpb.ListBuildsResponse{Builds: builds, NextPageToken: next}, nil
}

func (s *Server) list(project, location string, match filter) []*cloudbuildpb.Build {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*cloudbuildpb.Build
	for _, b := range slices.Backward(s.builds) {
		if b.project == project && b.location == location && !time.Now().Before(b.listedFrom) && match(b.pb) {
			found = append(found, proto.CloneOf(b.pb))
		}
	}
	return found
}

// operations is the long-running operations service that belongs to CreateBuild.
type operations struct {
	longrunningpb.UnimplementedOperationsServer
	server *Server
}

// GetOperation returns a build as an operation.
func (o *operations) GetOperation(_ context.Context, r *longrunningpb.GetOperationRequest) (*longrunningpb.Operation, error) {
	o.server.mu.Lock()
	defer o.server.mu.Unlock()
	for _, b := range o.server.builds {
		if operationName(b) == r.GetName() {
			return operation(b)
		}
	}
	return nil, status.Error(codes.NotFound, "Requested entity was not found.")
}

func operationName(b *build) string {
	return "operations/build/" + b.project + "/" + base64.StdEncoding.EncodeToString([]byte(b.pb.GetId()))
}

// operation wraps a build's current state.
func operation(b *build) (*longrunningpb.Operation, error) {
	meta, err := anypb.New(&cloudbuildpb.BuildOperationMetadata{Build: proto.CloneOf(b.pb)})
	if err != nil {
		return nil, status.Errorf(codes.Internal, "pack the operation's metadata: %v", err)
	}
	op := &longrunningpb.Operation{Name: operationName(b), Metadata: meta}
	if b.pb.GetFinishTime() == nil {
		return op, nil
	}
	op.Done = true
	if b.pb.GetStatus() != cloudbuildpb.Build_SUCCESS {
		op.Result = &longrunningpb.Operation_Error{Error: status.Newf(codes.Unknown, "build %s ended as %s", b.pb.GetId(),
			b.pb.GetStatus()).Proto()}
		return op, nil
	}
	response, err := anypb.New(proto.CloneOf(b.pb))
	if err != nil {
		return nil, status.Errorf(codes.Internal, "pack the operation's response: %v", err)
	}
	op.Result = &longrunningpb.Operation_Response{Response: response}
	return op, nil
}
