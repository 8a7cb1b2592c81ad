package deployer

import (
	"context"
	"errors"
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

// Google is what Turnout has of Google: one identity for all namespaces. What a
// namespace may have done with it, its Namespace's annotations say; so nothing of
// this package reaches Google but by [attempt.google] and [attempt.googleTokens],
// which read them first.
type Google interface {
	// As returns Cloud Build and the store of sources, asked as an account; empty:
	// as Turnout's own.
	As(ctx context.Context, account string) (*cloudbuild.Client, *cloudbuild.Store, error)
	// Tokens are what an account signs in to Google's registries with.
	Tokens(ctx context.Context, account string) (oauth2.TokenSource, error)
}

// notGranted is a grant that an act needs and its namespace lacks, or lacks since.
type notGranted struct{ v1alpha1.Advice }

func (e *notGranted) Error() string { return e.Text }

// ShellCommands are those that grant it.
func (e *notGranted) ShellCommands() []v1alpha1.ShellCommand { return e.Commands }

// retryGrant is when a grant is looked for again where no watch tells of it.
const retryGrant = 30 * time.Second

// readGrants reads what a namespace is granted; one that is gone is granted nothing.
func readGrants(ctx context.Context, from client.Reader, namespace string) (v1alpha1.Grants, error) {
	var ns corev1.Namespace
	err := from.Get(ctx, types.NamespacedName{Name: namespace}, &ns)
	if err != nil && !apierrors.IsNotFound(err) {
		return nil, fmt.Errorf("reading namespace %s: %w", namespace, err)
	}
	return ns.Annotations, nil
}

// google is the way to Google's builds and sources. It is asked right before a call, and reads the
// grants past the cache: one that is taken away ends what is under way. It returns
// a [notGranted] unless all needs are granted.
func (a *attempt) google(ctx context.Context, needs ...v1alpha1.Grant) (*cloudbuild.Client, *cloudbuild.Store, error) {
	account, err := a.googleAccount(ctx, needs...)
	if err != nil {
		return nil, nil, err
	}
	builds, store, err := a.d.Google.As(ctx, account)
	return builds, store, asAccount(account, a.bg.Namespace, err)
}

// googleTokens is the way to Google's registries, by the same rules. What is returned
// asks Google for what it signs in with, and so is for a function given to ask.
func (a *attempt) googleTokens(ctx context.Context, needs ...v1alpha1.Grant) (func(context.Context) (oauth2.TokenSource, error), error) {
	account, err := a.googleAccount(ctx, needs...)
	if err != nil {
		return nil, err
	}
	google, namespace := a.d.Google, a.bg.Namespace
	return func(ctx context.Context) (oauth2.TokenSource, error) {
		tokens, err := google.Tokens(ctx, account)
		return tokens, asAccount(account, namespace, err)
	}, nil
}

// googleAccount is as whom the namespace asks Google, "" for Turnout's own account,
// if all needs are granted.
func (a *attempt) googleAccount(ctx context.Context, needs ...v1alpha1.Grant) (string, error) {
	granted, err := readGrants(ctx, a.d.Record.Reader, a.bg.Namespace)
	if err != nil {
		return "", err
	}
	if missing := granted.Missing(needs...); len(missing) > 0 {
		return "", &notGranted{granted.Explain(a.bg.Namespace, missing)}
	}
	return granted.Impersonated(), nil
}

// asAccount says, of an error, as whom Google was asked.
func asAccount(account, namespace string, err error) error {
	if err == nil || account == "" {
		return err
	}
	return fmt.Errorf("asking Google as %s, which namespace %s names in %s: %w", account, namespace, v1alpha1.ImpersonateAnnotation, err)
}

// builds is Cloud Build for what concerns a build on record: its project may be
// another one than the application's now.
func (a *attempt) builds(ctx context.Context) (*cloudbuild.Client, error) {
	project := v1alpha1.ProjectGrant(a.rel.Status.Build.Project, "status.build.project of release "+a.rel.Name)
	builds, _, err := a.google(ctx, project)
	return builds, err
}

// plannedBuilds is Cloud Build for a build that is planned, by what its plan needs.
func (a *attempt) plannedBuilds(ctx context.Context, p buildPlan) (*cloudbuild.Client, error) {
	builds, _, err := a.google(ctx, append(a.bg.Needs(), p.needs...)...)
	return builds, err
}

// lacksGrant tells a missing grant from other errors.
func lacksGrant(err error) bool {
	var lacks *notGranted
	return errors.As(err, &lacks)
}
