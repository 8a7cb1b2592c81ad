package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/oauth2"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/registry"
	"github.com/turnout-dev/turnout/internal/imageref"
	"github.com/turnout-dev/turnout/internal/publicnet"
	"github.com/turnout-dev/turnout/record"
)

// imaging finds the digests of the built images.
type imaging struct {
	access   googleAccess
	registry *registry.Client
}

// builtImages are the application's image of a successful build, and its others, by digest. Asking
// writes nothing, so it is simply repeated after a crash.
func (i imaging) builtImages(ctx context.Context, a *attempt, state cloudbuild.State) (own string, others []string, err error) {
	b := a.rel.Status.Build
	if own, err = i.builtImage(ctx, a, state, v1alpha1.BuildImage{Image: b.Image, Reference: b.Reference}); err != nil {
		return "", nil, err
	}
	for _, other := range b.Images {
		image, err := i.builtImage(ctx, a, state, other)
		if err != nil {
			return "", nil, err
		}
		others = append(others, image)
	}
	for _, reported := range state.Images { // the spec may name them later
		image := imageref.Repository(reported.Name) + "@" + reported.Digest
		known := slices.ContainsFunc(append([]string{own}, others...), func(k string) bool {
			return imageref.Repository(k) == imageref.Repository(image)
		})
		if !known && reported.Digest != "" && len(others) < v1alpha1.MaxOtherImages && record.IsName(image, record.ImageLimit) {
			others = append(others, image)
		}
	}
	return own, others, nil
}

// builtImage is one of a build's images, by digest, as the build or else its registry reports it.
func (i imaging) builtImage(ctx context.Context, a *attempt, state cloudbuild.State, want v1alpha1.BuildImage) (string, error) {
	image, err := state.Digest(want.Image)
	if err == nil {
		return image, nil
	}
	if want.Reference == "" {
		if none, ok := errors.AsType[*cloudbuild.NoDigestError](err); ok {
			none.Field = want.Field
		}
		return "", &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedNoDigest, message: err.Error()}
	}
	reference, err := cloudbuild.WithBuildID(want.Reference, a.rel.Status.Build.ID)
	if err != nil {
		return "", &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedNoDigest, message: err.Error()}
	}
	digest, err := i.askRegistry(ctx, a, reference)
	if err != nil {
		return "", registryFault(reference, cmp.Or(want.Field, "spec.build.image"), err)
	}
	return imageref.Repository(reference) + "@" + digest, nil
}

// askRegistry asks for the name that the build's own plan fixed. It asks Google's registries with
// the account granted to the namespace, and only about projects granted to it. Otherwise the
// namespace's owner could look into others' registries.
func (i imaging) askRegistry(ctx context.Context, a *attempt, reference string) (string, error) {
	signIn := func(context.Context) (oauth2.TokenSource, error) { return nil, nil }
	if home := registry.Project(reference); home != "" {
		var err error
		if signIn, err = i.access.googleTokens(ctx, a.bg.Namespace,
			v1alpha1.ProjectGrant(home, "status.build.reference of release "+a.rel.Name)); err != nil {
			return "", err
		}
	}
	registry := i.registry
	return ask(ctx, a.turn, question{what: "asking the registry for " + reference}, func(ctx context.Context) (string, error) {
		tokens, err := signIn(ctx)
		if err != nil {
			return "", err
		}
		return registry.Digest(ctx, reference, tokens)
	})
}

// registryFault separates what another commit or spec fixes, and what a grant fixes, from
// temporary trouble.
func registryFault(reference, field string, err error) error {
	var (
		missing *registry.MissingError
		refused *registry.RefusedError
		private *publicnet.RefusedError
	)
	switch {
	case errors.As(err, &missing):
		return releaseFault(v1alpha1.FailedNoDigest,
			"the build succeeded, but %s is not in its registry: the build pushed another name, or nothing; correct the name in the "+
				"step that pushes, or %s of the BlueGreen", reference, field)
	case errors.As(err, &refused):
		return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedRegistryRefused, message: "the build succeeded, but " + refused.Error()}
	case errors.As(err, &private):
		return &fault{
			class: v1alpha1.FaultWorld, reason: v1alpha1.FailedRegistryRefused,
			message: fmt.Sprintf("the build succeeded, but the registry of %s cannot be asked: %v", reference, private),
		}
	}
	return err
}
