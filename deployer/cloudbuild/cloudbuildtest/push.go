package cloudbuildtest

import (
	"context"
	"fmt"
	"regexp"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Pushes is a Builder whose steps push an image themselves, into the registry at host,
// under every name in their arguments. As on Cloud Build, the build reports none of
// these images.
func Pushes(host string) Builder {
	names := regexp.MustCompile(regexp.QuoteMeta(host) + `/[a-z0-9/._-]+(?::[A-Za-z0-9._-]+)?`)
	return func(ctx context.Context, b *cloudbuildpb.Build) (Result, error) {
		for _, step := range b.GetSteps() {
			for _, arg := range step.GetArgs() {
				for _, reference := range names.FindAllString(arg, -1) {
					if _, err := Push(ctx, reference, b.GetId()); err != nil {
						return Result{}, err
					}
				}
			}
		}
		return Result{}, nil
	}
}

// Push pushes an image with a content into a registry, and returns its digest.
func Push(ctx context.Context, reference, content string) (string, error) {
	image, err := mutate.Config(empty.Image, v1.Config{Labels: map[string]string{"content": content}})
	if err != nil {
		return "", fmt.Errorf("make image %s: %w", reference, err)
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", fmt.Errorf("push %s: %w", reference, err)
	}
	if err := remote.Write(ref, image, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("push %s: %w", reference, err)
	}
	digest, err := image.Digest()
	return digest.String(), err
}
