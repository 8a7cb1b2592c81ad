package cloudbuildtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Builder does the work of one build, whose substitutions are already expanded. It
// must return soon after ctx ends (a cancel, the build's timeout, Close). An error is
// Cloud Build's own trouble and ends the build as INTERNAL_ERROR; the build's own
// failures go into the Result.
type Builder func(ctx context.Context, b *cloudbuildpb.Build) (Result, error)

// Result is how a build ended.
type Result struct {
	// Status is the terminal status. Unknown (the zero value) means FAILURE if Failure
	// is set or a step failed, otherwise SUCCESS.
	Status cloudbuildpb.Build_Status
	// Detail is the build's status_detail.
	Detail string
	// Images that were pushed. As on Cloud Build, only those that the build lists are
	// reported.
	Images []Image
	// Steps in the build's order. Missing ones count as successful if the build is, and
	// as never started otherwise.
	Steps []Step
	// Failure is the build's failure_info. Nil: none, or USER_BUILD_STEP if a
	// step failed.
	Failure *Failure
}

// Image is a pushed image.
type Image struct {
	// Name is the name that the build lists, Digest "sha256:…".
	Name, Digest string
}

// Step is how a step ended.
type Step struct {
	// Status: SUCCESS, FAILURE, TIMEOUT, CANCELLED, or QUEUED if it never ran.
	Status   cloudbuildpb.Build_Status
	ExitCode int32
}

// Failure is why a build failed.
type Failure struct {
	Type   cloudbuildpb.Build_FailureInfo_FailureType
	Detail string
}

// Digests is a Builder that runs nothing: it "pushes" every listed image, with a digest
// computed from the image's name, the source and the steps.
func Digests(_ context.Context, b *cloudbuildpb.Build) (Result, error) {
	content, err := proto.MarshalOptions{Deterministic: true}.Marshal(&cloudbuildpb.Build{Source: b.GetSource(), Steps: b.GetSteps()})
	if err != nil {
		return Result{}, fmt.Errorf("digest build %s: %w", b.GetId(), err)
	}
	var r Result
	for _, name := range listed(b) {
		r.Images = append(r.Images, Image{Name: name, Digest: fmt.Sprintf("sha256:%x", sha256.Sum256(append([]byte(name+"\n"), content...)))})
	}
	return r, nil
}

// build is a build with its state that no client sees.
type build struct {
	project, location string
	pb                *cloudbuildpb.Build
	listedFrom        time.Time
	cancel            context.CancelCauseFunc // nil until it is queued
}

var errCancelled = errors.New("cancelled by CancelBuild")

// enqueue starts the life of a build. The caller holds mu.
func (s *Server) enqueue(b *build) {
	b.pb.Status = cloudbuildpb.Build_QUEUED
	ctx, cancel := context.WithCancelCause(s.running)
	b.cancel = cancel
	s.work.Go(func() {
		defer cancel(nil)
		s.live(ctx, b)
	})
}

// live takes a build from QUEUED to its end.
func (s *Server) live(ctx context.Context, b *build) {
	if s.config.QueueTime > 0 {
		select {
		case <-time.After(s.config.QueueTime):
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		s.finish(b, Result{Status: cloudbuildpb.Build_CANCELLED})
		return
	}
	s.mu.Lock()
	b.pb.Status = cloudbuildpb.Build_WORKING
	b.pb.StartTime = timestamppb.Now()
	task := proto.CloneOf(b.pb)
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, timeout(task))
	defer cancel()
	result, err := s.config.Builder(ctx, task)
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		result.Status = cloudbuildpb.Build_TIMEOUT
	case ctx.Err() != nil:
		result.Status = cloudbuildpb.Build_CANCELLED
	case err != nil:
		result = Result{Status: cloudbuildpb.Build_INTERNAL_ERROR, Detail: err.Error()}
	}
	s.finish(b, result)
}

func timeout(b *cloudbuildpb.Build) time.Duration {
	if d := b.GetTimeout().AsDuration(); d > 0 {
		return d
	}
	return defaultTimeout
}

// finish writes the whole outcome at once.
func (s *Server) finish(b *build, r Result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.pb.GetStatus() == cloudbuildpb.Build_CANCELLED { // whatever the builder returned
		r.Status = cloudbuildpb.Build_CANCELLED
	} else {
		b.pb.FinishTime = timestamppb.Now()
	}
	r = settle(r)
	b.pb.Status = r.Status
	b.pb.StatusDetail = r.Detail
	b.pb.Results = &cloudbuildpb.Results{}
	for i, step := range b.pb.Steps {
		finishStep(step, r, i)
	}
	if r.Failure != nil {
		b.pb.FailureInfo = &cloudbuildpb.Build_FailureInfo{Type: r.Failure.Type, Detail: r.Failure.Detail}
	}
	if r.Status == cloudbuildpb.Build_SUCCESS {
		b.pb.Results.Images = report(b.pb, r.Images)
	}
}

// settle fills in what the builder left open.
func settle(r Result) Result {
	failed := -1
	for i, step := range r.Steps {
		if step.Status == cloudbuildpb.Build_FAILURE && failed < 0 {
			failed = i
		}
	}
	if r.Status == cloudbuildpb.Build_STATUS_UNKNOWN {
		r.Status = cloudbuildpb.Build_SUCCESS
		if failed >= 0 || r.Failure != nil {
			r.Status = cloudbuildpb.Build_FAILURE
		}
	}
	if r.Status == cloudbuildpb.Build_FAILURE && r.Failure == nil && failed >= 0 {
		r.Failure = &Failure{
			Type:   cloudbuildpb.Build_FailureInfo_USER_BUILD_STEP,
			Detail: fmt.Sprintf("build step %d failed: step exited with non-zero status: %d", failed, r.Steps[failed].ExitCode),
		}
	}
	return r
}

func finishStep(step *cloudbuildpb.BuildStep, r Result, i int) {
	switch {
	case i < len(r.Steps):
		step.Status, step.ExitCode = r.Steps[i].Status, r.Steps[i].ExitCode
	case r.Status == cloudbuildpb.Build_SUCCESS:
		step.Status = cloudbuildpb.Build_SUCCESS
	default:
		step.Status = cloudbuildpb.Build_QUEUED
	}
}

// report keeps the images that the build lists: Cloud Build does not see what steps push.
func report(b *cloudbuildpb.Build, pushed []Image) []*cloudbuildpb.BuiltImage {
	var out []*cloudbuildpb.BuiltImage
	for _, name := range listed(b) {
		for _, image := range pushed {
			if image.Name == name {
				out = append(out, &cloudbuildpb.BuiltImage{Name: name, Digest: image.Digest})
			}
		}
	}
	return out
}

func listed(b *cloudbuildpb.Build) []string {
	return append(append([]string{}, b.GetImages()...), b.GetArtifacts().GetImages()...)
}
