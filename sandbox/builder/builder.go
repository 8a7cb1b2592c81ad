// Package builder does the work of the sandbox's Cloud Build: it fetches the source, from Cloud
// Storage or with git, and carries out the steps of the docker builder on the sandbox's
// [registry].
//
// A step of gcr.io/cloud-builders/docker may build, tag, push and pull; a step of any builder may
// sleep. Other steps are logged but not run, since the sandbox has no containers for them. An
// unknown docker step fails the build, with a message that names it: nothing is skipped silently.
package builder

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"sync"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// Config configures a Builder.
type Config struct {
	// Registry is built into and pushed to.
	Registry *registry.Registry
	// Source opens an object of Cloud Storage; generation 0 is the latest.
	Source func(ctx context.Context, bucket, object string, generation int64) (io.ReadCloser, error)
	// GitHub is the address that replaces https://github.com, without a final slash. Default:
	// that one itself.
	GitHub string
	// Dir holds the builds' workspaces. Default: the system's temporary directory.
	Dir string
}

// Builder builds. Its method Build is a cloudbuildtest.Builder.
type Builder struct {
	Config

	mu   sync.Mutex // guards logs
	logs map[string]*bytes.Buffer
}

// New returns a Builder.
func New(c Config) *Builder {
	return &Builder{Config: c, logs: map[string]*bytes.Buffer{}}
}

// Log returns what a build printed so far; "" if it is not known.
func (b *Builder) Log(id string) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if log := b.logs[id]; log != nil {
		return log.String()
	}
	return ""
}

// work is one build in progress.
type work struct {
	*Builder
	id        string
	workspace string
	sourceDir string            // of the source, where steps run: relative to the workspace
	local     map[string]string // images of this build's docker daemon: reference → digest
	pushed    map[string]string // reference → digest
}

// Write appends to the build's log.
func (w *work) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[w.id].Write(text)
}

// Build carries out one build. Its error is the builder's own trouble; the build's failures are
// in the result.
func (b *Builder) Build(ctx context.Context, build *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
	b.mu.Lock()
	b.logs[build.GetId()] = &bytes.Buffer{}
	b.mu.Unlock()
	workspace, err := os.MkdirTemp(b.Dir, "workspace-")
	if err != nil {
		return cloudbuildtest.Result{}, fmt.Errorf("creating the build's workspace: %w", err)
	}
	defer os.RemoveAll(workspace)
	w := &work{Builder: b, id: build.GetId(), workspace: workspace, local: map[string]string{}, pushed: map[string]string{}}
	if err := w.fetch(ctx, build.GetSource()); err != nil {
		fmt.Fprintf(w, "ERROR: %v\n", err)
		return failure(cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED, err), nil
	}
	steps, err := w.steps(ctx, build.GetSteps())
	if err != nil {
		fmt.Fprintf(w, "ERROR: %v\n", err)
		result := failure(cloudbuildpb.Build_FailureInfo_USER_BUILD_STEP, err)
		result.Steps = steps
		return result, nil
	}
	for _, image := range build.GetImages() {
		if err := w.push(image); err != nil {
			fmt.Fprintf(w, "ERROR: %v\n", err)
			result := failure(cloudbuildpb.Build_FailureInfo_PUSH_IMAGE_NOT_FOUND, err)
			result.Steps = steps
			return result, nil
		}
	}
	fmt.Fprintln(w, "DONE")
	result := cloudbuildtest.Result{Steps: steps}
	for _, image := range build.GetImages() {
		result.Images = append(result.Images, cloudbuildtest.Image{Name: image, Digest: w.pushed[image]})
	}
	return result, nil
}

func failure(kind cloudbuildpb.Build_FailureInfo_FailureType, err error) cloudbuildtest.Result {
	return cloudbuildtest.Result{
		Status: cloudbuildpb.Build_FAILURE, Detail: err.Error(),
		Failure: &cloudbuildtest.Failure{Type: kind, Detail: err.Error()},
	}
}
