package cloudbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"

	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
	"google.golang.org/api/storage/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// uploadChunk is how much of a source is kept in memory for retries. Cloud Storage wants
// multiples of 256 KiB.
const uploadChunk = 4 << 20

// emulator names another Cloud Storage, as host:port or URL, as for Google's other clients.
const emulator = "STORAGE_EMULATOR_HOST"

// Store keeps sources in Cloud Storage.
type Store struct {
	objects *storage.ObjectsService
}

// NewStore connects to Cloud Storage, or to its emulator. It uses the JSON API's plain client: Google's larger
// one brings gRPC's client of Envoy with it, and was a sixth of the binary.
func NewStore(ctx context.Context, options ...option.ClientOption) (*Store, error) {
	if host := os.Getenv(emulator); host != "" {
		if !strings.Contains(host, "://") {
			host = "http://" + host
		}
		options = append(options, option.WithoutAuthentication(), option.WithEndpoint(strings.TrimSuffix(host, "/")+"/storage/v1/"))
	}
	service, err := storage.NewService(ctx, options...)
	if err != nil {
		return nil, fmt.Errorf("connect to Cloud Storage (%s names another): %w", emulator, err)
	}
	return &Store{objects: service.Objects}, nil
}

// Upload describes what to store, and where.
type Upload struct {
	// Bucket; empty: DefaultBucket(Project).
	Bucket string
	// Project the bucket belongs to, for its default name and for messages.
	Project string
	// Repository (owner/name), Commit and Release name the object.
	Repository, Commit, Release string
	// Open starts the download of the commit as a gzipped tar with one top directory, as GitHub's
	// tarball endpoint and "git archive" make it. It is only called if the object does not exist
	// yet.
	Open func(context.Context) (io.ReadCloser, error)
}

// DefaultBucket is the bucket that gcloud uses for sources as well.
func DefaultBucket(project string) string { return project + "_cloudbuild" }

// bucket is where the upload goes.
func (u Upload) bucket() string {
	if u.Bucket == "" {
		return DefaultBucket(u.Project)
	}
	return u.Bucket
}

// object is the same for every attempt of one release, so a repeated upload finds the
// first.
func (u Upload) object() string {
	return fmt.Sprintf("turnout/%s/%s-%s.tar.gz", u.Repository, u.Commit, u.Release)
}

// BucketError is a bucket that cannot be used.
type BucketError struct {
	Bucket, Project string
	// Missing: the bucket does not exist; otherwise Turnout may not read or write it.
	Missing bool
	Err     error
}

// Error names the bucket, the field and the way out.
func (e *BucketError) Error() string {
	if e.Missing {
		return fmt.Sprintf("the bucket %s does not exist: create it in project %s, or name another in spec.build.source.bucket of the BlueGreen",
			e.Bucket, e.Project)
	}
	return fmt.Sprintf("Turnout may not use the bucket %s: grant its service account the role roles/storage.objectAdmin on it, or name "+
		"another in spec.build.source.bucket of the BlueGreen: %v", e.Bucket, e.Err)
}

// ShellCommands returns the command that creates a missing bucket. There is none for a missing
// role: the bucket's answer does not name the account.
func (e *BucketError) ShellCommands() []v1alpha1.ShellCommand {
	if !e.Missing {
		return nil
	}
	return v1alpha1.Commands(v1alpha1.Shell("gcloud", "storage", "buckets", "create", "gs://"+e.Bucket, "--project="+e.Project))
}

// Unwrap is Cloud Storage's error.
func (e *BucketError) Unwrap() error { return e.Err }

// Upload stores the source and returns the generation to build. It looks first: an existing
// object is complete (Cloud Storage shows no partial objects). So Upload may run twice, and two
// concurrent runs agree on one generation. A source that must not be built is a *SourceError; a
// bucket that cannot be used is a *BucketError; anything else is the world's fault.
func (s *Store) Upload(ctx context.Context, u Upload) (Object, error) {
	if found, err := s.look(ctx, u); found != nil || err != nil {
		return orEmpty(found), err
	}
	written, err := s.write(ctx, u)
	if err == nil {
		return written, nil
	}
	if !isCode(err, http.StatusPreconditionFailed) {
		return Object{}, u.explain("store the source", err)
	}
	// Another attempt wrote it in the meantime: use that one.
	found, err := s.look(ctx, u)
	if found == nil && err == nil {
		err = fmt.Errorf("store the source in gs://%s/%s: it was there and is now gone; try again", u.bucket(), u.object())
	}
	return orEmpty(found), err
}

// look returns the object, or nil if the bucket does not have it.
func (s *Store) look(ctx context.Context, u Upload) (*Object, error) {
	found, err := s.objects.Get(u.bucket(), u.object()).Context(ctx).Do()
	if isCode(err, http.StatusNotFound) {
		return nil, nil // the answer for a missing bucket is the same; write distinguishes them
	}
	if err != nil {
		return nil, u.explain("look for the source", err)
	}
	return &Object{Bucket: found.Bucket, Name: found.Name, Generation: found.Generation}, nil
}

// write streams the source into the object, if it does not exist.
func (s *Store) write(ctx context.Context, u Upload) (Object, error) {
	source, err := u.Open(ctx)
	if err != nil {
		return Object{}, fmt.Errorf("open the source of %s at %s: %w", u.Repository, u.Commit, err)
	}
	defer func() { _ = source.Close() }()
	type outcome struct {
		object *storage.Object
		err    error
	}
	body, packed := io.Pipe()
	insert := s.objects.Insert(u.bucket(), &storage.Object{Name: u.object()}).IfGenerationMatch(0).Context(ctx)
	stored := make(chan outcome, 1)
	go func() {
		object, err := insert.Media(body, googleapi.ChunkSize(uploadChunk), googleapi.ContentType("application/gzip")).Do()
		_ = body.CloseWithError(err) // whoever still packs is told why
		stored <- outcome{object, err}
	}()
	err = Repack(packed, source)
	_ = packed.CloseWithError(err) // unless it is nil, what was written so far becomes no object
	out := <-stored
	if err != nil {
		return Object{}, err
	}
	if out.err != nil {
		return Object{}, out.err
	}
	return Object{Bucket: out.object.Bucket, Name: out.object.Name, Generation: out.object.Generation}, nil
}

// explain wraps an error of Cloud Storage, with the way out if a person must fix
// something.
func (u Upload) explain(what string, err error) error {
	if isCode(err, http.StatusNotFound) {
		return &BucketError{Bucket: u.bucket(), Project: u.Project, Missing: true, Err: err}
	}
	if isCode(err, http.StatusForbidden) || isCode(err, http.StatusUnauthorized) {
		return &BucketError{Bucket: u.bucket(), Project: u.Project, Err: err}
	}
	return fmt.Errorf("%s in gs://%s/%s: %w", what, u.bucket(), u.object(), err)
}

func isCode(err error, code int) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == code
}

func orEmpty(found *Object) Object {
	if found == nil {
		return Object{}
	}
	return *found
}

// SourceError is a source that must not be built. It is the release's fault.
type SourceError struct {
	// Entry is the path in the archive; "" means the archive as a whole.
	Entry  string
	Reason string
}

// Error names the entry and its fault.
func (e *SourceError) Error() string {
	return strings.TrimPrefix(fmt.Sprintf("%q in the source archive ", e.Entry), `"" in `) + e.Reason
}
