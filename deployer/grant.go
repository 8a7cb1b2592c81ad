package deployer

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// retryGrant is when to look for a grant again if no watch reports it.
const retryGrant = 30 * time.Second

// readGrants reads a namespace's grants; a namespace that is gone has none.
func readGrants(ctx context.Context, from client.Reader, namespace string) (v1alpha1.Grants, error) {
	var ns corev1.Namespace
	err := from.Get(ctx, types.NamespacedName{Name: namespace}, &ns)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	return ns.Annotations, nil
}

// googleAccess is an application's only way to Google.
type googleAccess struct {
	google Google
	reader client.Reader // past the cache
}

// signIn gets the credentials for Google's registries and metrics.
type signIn func(context.Context) (oauth2.TokenSource, error)

// reach is the access to Google's builds and sources. Call it right before a call to Google. It
// reads the grants past the cache, so that a withdrawn grant also ends what is in progress. It
// returns a [notGranted] unless all needs are granted.
func (g googleAccess) reach(ctx context.Context, a *attempt, needs ...v1alpha1.Grant) (*cloudbuild.Client, *cloudbuild.Store, error) {
	account, err := g.googleAccount(ctx, a.bg.Namespace, needs...)
	if err != nil {
		return nil, nil, err
	}
	builds, store, err := g.google.As(ctx, account)
	return builds, store, asAccount(account, a.bg.Namespace, err)
}

// googleTokens is the access to Google's registries and metrics, by the same rules. The returned
// function calls Google, so use it only inside a function given to ask.
func (g googleAccess) googleTokens(ctx context.Context, namespace string, needs ...v1alpha1.Grant) (signIn, error) {
	account, err := g.googleAccount(ctx, namespace, needs...)
	if err != nil {
		return nil, err
	}
	google := g.google
	return func(ctx context.Context) (oauth2.TokenSource, error) {
		tokens, err := google.Tokens(ctx, account)
		return tokens, asAccount(account, namespace, err)
	}, nil
}

// googleAccount is the account that the namespace uses with Google, "" for Turnout's own, if all
// needs are granted.
func (g googleAccess) googleAccount(ctx context.Context, namespace string, needs ...v1alpha1.Grant) (string, error) {
	granted, err := readGrants(ctx, g.reader, namespace)
	if err != nil {
		return "", err
	}
	if missing := granted.Missing(needs...); len(missing) > 0 {
		return "", &notGranted{granted.Explain(namespace, missing)}
	}
	return granted.Impersonated(), nil
}

// asAccount adds to an error the account that called Google.
func asAccount(account, namespace string, err error) error {
	if err == nil || account == "" {
		return err
	}
	return fmt.Errorf("calling Google as %s, which namespace %s names in %s: %w", account, namespace, v1alpha1.ImpersonateAnnotation, err)
}

// builds is the client for the recorded build, whose project may differ from the application's
// current one.
func (g googleAccess) builds(ctx context.Context, a *attempt) (*cloudbuild.Client, error) {
	project := v1alpha1.ProjectGrant(a.rel.Status.Build.Project, "status.build.project of release "+a.rel.Name)
	builds, _, err := g.reach(ctx, a, project)
	return builds, err
}
