// Package builder does the work of the sandbox's Cloud Build: it fetches the
// source, and carries out the steps of the docker builder on the sandbox's
// [registry].
//
// A step of gcr.io/cloud-builders/docker may build, tag, push and pull; a step of
// any builder may sleep. Other steps are logged and not run, since the sandbox has
// no containers to run them in; the log says so. A docker step that is not understood fails the
// build, with a message that names it: nothing is passed over in silence.
package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// maxSource bounds an unpacked source, against a tarball that never ends.
const maxSource = 1 << 30

// Config says what a Builder works with.
type Config struct {
	// Registry is built into and pushed to.
	Registry *registry.Registry
	// Source opens an object of Cloud Storage; generation 0 is the latest.
	Source func(ctx context.Context, bucket, object string, generation int64) (io.ReadCloser, error)
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
	local     map[string]string // images of this build's docker daemon: reference → digest
	pushed    map[string]string // reference → digest
}

// Write appends to the build's log.
func (w *work) Write(text []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.logs[w.id].Write(text)
}

// Build carries out one build. Its error is the builder's own trouble; what the
// build did wrong is in the result.
func (b *Builder) Build(ctx context.Context, build *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
	b.mu.Lock()
	b.logs[build.GetId()] = &bytes.Buffer{}
	b.mu.Unlock()
	workspace, err := os.MkdirTemp(b.Dir, "workspace-")
	if err != nil {
		return cloudbuildtest.Result{}, fmt.Errorf("making the build's workspace: %w", err)
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

// fetch unpacks the source into the workspace.
func (w *work) fetch(ctx context.Context, source *cloudbuildpb.Source) error {
	if source == nil {
		return nil // a build without source is possible
	}
	object := source.GetStorageSource()
	if object == nil {
		return fmt.Errorf("fetching source: the sandbox reads storageSource only, not %T", source.GetSource())
	}
	name := fmt.Sprintf("gs://%s/%s#%d", object.GetBucket(), object.GetObject(), object.GetGeneration())
	fmt.Fprintf(w, "Fetching %s\n", name)
	stream, err := w.Source(ctx, object.GetBucket(), object.GetObject(), object.GetGeneration())
	if err != nil {
		return fmt.Errorf("fetching %s: %w", name, err)
	}
	defer stream.Close()
	unzipped, err := gzip.NewReader(stream)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", name, err)
	}
	if err := unpack(tar.NewReader(io.LimitReader(unzipped, maxSource)), w.workspace); err != nil {
		return fmt.Errorf("unpacking %s: %w", name, err)
	}
	return nil
}

// unpack writes a tar's directories, files and links below dir, and nowhere else.
func unpack(from *tar.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if name == "" {
			continue
		}
		if err := unpackOne(root, name, header, from); err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, name string, header *tar.Header, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, header.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	}
	return nil // devices and the like have no place in a source; extended headers are read already
}

// dir is a step's working directory.
func (w *work) dir(step *cloudbuildpb.BuildStep) string {
	return filepath.Join(w.workspace, filepath.Clean("/"+strings.TrimPrefix(step.GetDir(), "/workspace")))
}
