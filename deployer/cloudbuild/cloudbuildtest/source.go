package cloudbuildtest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/api/storage/v1"
)

// OpenSource opens a build's source in Cloud Storage, at the generation that the build
// names, for use in a Builder. Close what it returns.
func OpenSource(ctx context.Context, from *storage.Service, b *cloudbuildpb.Build) (*tar.Reader, io.Closer, error) {
	source := b.GetSource().GetStorageSource()
	if source == nil {
		return nil, nil, fmt.Errorf("build %s has no source in Cloud Storage", b.GetId())
	}
	object := from.Objects.Get(source.GetBucket(), source.GetObject()).Context(ctx)
	if source.GetGeneration() != 0 {
		object = object.Generation(source.GetGeneration())
	}
	answer, err := object.Download()
	if err != nil {
		return nil, nil, fmt.Errorf("fetch gs://%s/%s: %w", source.GetBucket(), source.GetObject(), err)
	}
	stored := answer.Body
	unzipped, err := gzip.NewReader(stored)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unzip gs://%s/%s: %w", source.GetBucket(), source.GetObject(), err), stored.Close())
	}
	return tar.NewReader(unzipped), stored, nil
}
