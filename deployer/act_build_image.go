package deployer

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/oauth2"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/registry"
	"github.com/turnout-dev/turnout/internal/imageref"
	"github.com/turnout-dev/turnout/internal/publicnet"
)

// imaging finds the digest of the built image.
type imaging struct {
	access   googleAccess
	registry *registry.Client
}

// builtImage is the image of a successful build, by digest, as the build or else its registry
// reports it. Asking writes nothing, so it is simply repeated after a crash.
func (i imaging) builtImage(ctx context.Context, a *attempt, state cloudbuild.State) (string, error) {
	b := a.rel.Status.Build
	image, err := state.Digest(b.Image)
	if err == nil {
		return image, nil
	}
	if b.Reference == "" {
		return "", &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedNoDigest, message: err.Error()}
	}
	reference, err := cloudbuild.WithBuildID(b.Reference, b.ID)
	if err != nil {
		return "", &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedNoDigest, message: err.Error()}
	}
	digest, err := i.askRegistry(ctx, a, reference)
	if err != nil {
		return "", registryFault(reference, err)
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
func registryFault(reference string, err error) error {
	var (
		missing *registry.MissingError
		refused *registry.RefusedError
		private *publicnet.RefusedError
	)
	switch {
	case errors.As(err, &missing):
		return releaseFault(v1alpha1.FailedNoDigest,
			"the build succeeded, but %s is not in its registry: the build pushed another name, or nothing; correct the name in the "+
				"step that pushes, or spec.build.image of the BlueGreen", reference)
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
