package world_test

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	cloudbuild "cloud.google.com/go/cloudbuild/apiv1/v2"
	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"cloud.google.com/go/storage"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
)

// upload packs a directory to Cloud Storage with Google's own client.
func upload(t *testing.T, dir string) *cloudbuildpb.StorageSource {
	t.Helper()
	t.Setenv("STORAGE_EMULATOR_HOST", running.StorageHost)
	api, err := storage.NewClient(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	object := api.Bucket("acme-prod_cloudbuild").Object("source/test.tar.gz").NewWriter(t.Context())
	zipped := gzip.NewWriter(object)
	packed := tar.NewWriter(zipped)
	if err := packed.AddFS(os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	for _, closer := range []io.Closer{packed, zipped, object} {
		if err := closer.Close(); err != nil {
			t.Fatal(err)
		}
	}
	return &cloudbuildpb.StorageSource{Bucket: object.Attrs().Bucket, Object: object.Attrs().Name, Generation: object.Attrs().Generation}
}

func TestReferenceApplicationIsBuiltFromCloudStorage(t *testing.T) {
	source := upload(t, filepath.Join("..", "testdata", "reference-app"))
	api, err := cloudbuild.NewClient(t.Context(), option.WithEndpoint(running.CloudBuild.Endpoint()), option.WithoutAuthentication(),
		option.WithGRPCDialOption(grpc.WithTransportCredentials(insecure.NewCredentials())))
	if err != nil {
		t.Fatal(err)
	}
	defer api.Close()
	const image = "gcr.io/your-gcp-project-id/my-python-app:abc"
	operation, err := api.CreateBuild(t.Context(), &cloudbuildpb.CreateBuildRequest{ProjectId: "acme-prod", Build: &cloudbuildpb.Build{
		Source: &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{StorageSource: source}},
		Steps: []*cloudbuildpb.BuildStep{
			{Name: "gcr.io/cloud-builders/docker", Args: []string{"build", "-t", image, "."}},
			{Name: "gcr.io/cloud-builders/docker", Args: []string{"push", image}},
		},
		Images: []string{image},
	}})
	if err != nil {
		t.Fatal(err)
	}
	metadata, err := operation.Metadata()
	if err != nil {
		t.Fatal(err)
	}
	id := metadata.GetBuild().GetId()
	var build *cloudbuildpb.Build
	await(t, "the build to end", func(ctx context.Context) bool {
		build, err = api.GetBuild(ctx, &cloudbuildpb.GetBuildRequest{ProjectId: "acme-prod", Id: id})
		return err == nil && build.GetStatus() != cloudbuildpb.Build_QUEUED && build.GetStatus() != cloudbuildpb.Build_WORKING
	})
	results := build.GetResults().GetImages()
	if build.GetStatus() != cloudbuildpb.Build_SUCCESS || len(results) != 1 {
		t.Fatalf("the build ended %v; log:\n%s", build.GetStatus(), running.Builder.Log(id))
	}
	if _, _, err := running.Registry.Pull("gcr.io/your-gcp-project-id/my-python-app@" + results[0].GetDigest()); err != nil {
		t.Errorf("pulling the reported digest: %v", err)
	}
}
