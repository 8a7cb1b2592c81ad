package cloudbuildtest

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/storage"
)

// OpenSource opens a build's source in Cloud Storage, at the generation that the build
// names, for use in a Builder. Close what it returns. With fake-gcs-server, give the
// client storage.WithJSONReads or set the server's PublicHost: otherwise reads go to
// another address.
func OpenSource(ctx context.Context, client *storage.Client, b *cloudbuildpb.Build) (*tar.Reader, io.Closer, error) {
	source := b.GetSource().GetStorageSource()
	if source == nil {
		return nil, nil, fmt.Errorf("build %s has no source in Cloud Storage", b.GetId())
	}
	object := client.Bucket(source.GetBucket()).Object(source.GetObject())
	if source.GetGeneration() != 0 {
		object = object.Generation(source.GetGeneration())
	}
	stored, err := object.NewReader(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("fetch gs://%s/%s: %w", source.GetBucket(), source.GetObject(), err)
	}
	unzipped, err := gzip.NewReader(stored)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unzip gs://%s/%s: %w", source.GetBucket(), source.GetObject(), err), stored.Close())
	}
	return tar.NewReader(unzipped), stored, nil
}
