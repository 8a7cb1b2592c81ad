package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/record"
)

// botRecord implements the bot's interface with the record over Kubernetes. Neither package
// knows the other; only their sentinel errors differ.
type botRecord struct{ *record.Record }

var _ bot.Record = botRecord{}

func (r botRecord) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	bg, err := r.Record.Application(ctx, key)
	return bg, translate(err)
}

// known is the record as the cache has it, with the bot's errors.
type known struct{ record.Known }

func (k known) Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error) {
	bg, err := k.Known.Application(ctx, key)
	return bg, translate(err)
}

func (r botRecord) Submit(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	stored, created, err := r.Record.Submit(ctx, rel)
	return stored, created, translate(err)
}

func (r botRecord) Approve(ctx context.Context, key types.NamespacedName, a v1alpha1.Approval) error {
	return translate(r.Record.Approve(ctx, key, a))
}

func (r botRecord) Promote(ctx context.Context, key types.NamespacedName, p v1alpha1.Promotion) error {
	return translate(r.Record.Promote(ctx, key, p))
}

func (r botRecord) Cancel(ctx context.Context, key types.NamespacedName, c v1alpha1.Cancel) error {
	return translate(r.Record.Cancel(ctx, key, c))
}

func (r botRecord) Lock(ctx context.Context, app types.NamespacedName, l v1alpha1.Lock) error {
	return translate(r.Record.Lock(ctx, app, l))
}

func (r botRecord) Unlock(ctx context.Context, app types.NamespacedName, by string) (*v1alpha1.Lock, error) {
	was, err := r.Record.Unlock(ctx, app, by)
	return was, translate(err)
}

func (r botRecord) PublishGitHub(ctx context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error {
	return translate(r.Record.PublishGitHub(ctx, rel, s))
}

func translate(err error) error {
	switch {
	case errors.Is(err, record.ErrIdentity):
		return fmt.Errorf("%w: %w", bot.ErrIdentity, err)
	case errors.Is(err, record.ErrSet):
		return fmt.Errorf("%w: %w", bot.ErrSet, err)
	case errors.Is(err, record.ErrPublished):
		return fmt.Errorf("%w: %w", bot.ErrRace, err)
	case apierrors.IsNotFound(err):
		return fmt.Errorf("%w: %w", bot.ErrNotFound, err)
	}
	return err
}

// gitHubSource implements the deployer's interface with GitHub.
type gitHubSource struct{ githubapp.Source }

func (s gitHubSource) BranchContains(ctx context.Context, repository, branch, commit string) (bool, error) {
	contains, err := s.Source.BranchContains(ctx, repository, branch, commit)
	if errors.Is(err, githubapp.ErrUnknown) {
		return false, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return contains, err
}

func (s gitHubSource) File(ctx context.Context, repository, commit, path string) ([]byte, error) {
	data, err := s.Source.File(ctx, repository, commit, path)
	if errors.Is(err, githubapp.ErrNoFile) {
		return nil, fmt.Errorf("%w: %w", fs.ErrNotExist, err)
	}
	return data, err
}
