package deployer

import (
	"context"
	"io"
)

// Source is the deployer's access to repositories. The bot implements it with GitHub. Answers
// about commits alone never change, and may be cached.
type Source interface {
	// Closed reports why a repository cannot be read, with the way out: a sentence without its
	// full stop; "" if it can be read. Temporary trouble is an error.
	Closed(ctx context.Context, repository string) (why string, err error)

	// HasBranch reports whether the repository has a branch now.
	HasBranch(ctx context.Context, repository, branch string) (bool, error)

	// File returns a file at a commit. If it does not exist there, errors.Is(err, fs.ErrNotExist)
	// holds; every other error is the world's and is retried.
	File(ctx context.Context, repository, commit, path string) ([]byte, error)

	// Archive returns the tree at a commit as a gzipped tar with one top-level folder. The caller
	// closes it.
	Archive(ctx context.Context, repository, commit string) (io.ReadCloser, error)

	// HasCommit reports whether the repository has a commit. Right after a push it may not have
	// it yet.
	HasCommit(ctx context.Context, repository, commit string) (bool, error)

	// IsAncestor reports whether a commit contains another, or is the same.
	IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error)

	// BranchContains reports whether a branch contains a commit now. If the branch or the commit
	// is unknown, errors.Is(err, fs.ErrNotExist) holds: it may be known soon.
	BranchContains(ctx context.Context, repository, branch, commit string) (bool, error)

	// RepositoryID is the ID of the repository that has the name now. A repository keeps its ID
	// when it is renamed.
	RepositoryID(ctx context.Context, repository string) (int64, error)

	// CloneURL is the address for git clone over HTTPS without credentials, so it only works for
	// a public repository.
	CloneURL(repository string) string
}

// ownSource is the only access to one application's source. The BlueGreen decides which
// repository to ask, never a release. Without the grant, or if another repository has its name
// now, it asks nothing at all.
type ownSource struct {
	Source
	repository string
	barred     error // why nothing may be asked; nil if it may
}

// Closed is [Source].Closed of the application's repository.
func (s ownSource) Closed(ctx context.Context) (string, error) {
	if s.barred != nil {
		return "", s.barred
	}
	return s.Source.Closed(ctx, s.repository)
}

// HasBranch is [Source].HasBranch of the application's repository.
func (s ownSource) HasBranch(ctx context.Context, branch string) (bool, error) {
	if s.barred != nil {
		return false, s.barred
	}
	return s.Source.HasBranch(ctx, s.repository, branch)
}

// File is [Source].File of the application's repository.
func (s ownSource) File(ctx context.Context, commit, path string) ([]byte, error) {
	if s.barred != nil {
		return nil, s.barred
	}
	return s.Source.File(ctx, s.repository, commit, path)
}

// Archive is [Source].Archive of the application's repository.
func (s ownSource) Archive(ctx context.Context, commit string) (io.ReadCloser, error) {
	if s.barred != nil {
		return nil, s.barred
	}
	return s.Source.Archive(ctx, s.repository, commit)
}

// HasCommit is [Source].HasCommit of the application's repository.
func (s ownSource) HasCommit(ctx context.Context, commit string) (bool, error) {
	if s.barred != nil {
		return false, s.barred
	}
	return s.Source.HasCommit(ctx, s.repository, commit)
}

// IsAncestor is [Source].IsAncestor of the application's repository.
func (s ownSource) IsAncestor(ctx context.Context, ancestor, descendant string) (bool, error) {
	if s.barred != nil {
		return false, s.barred
	}
	return s.Source.IsAncestor(ctx, s.repository, ancestor, descendant)
}

// BranchContains is [Source].BranchContains of the application's repository.
func (s ownSource) BranchContains(ctx context.Context, branch, commit string) (bool, error) {
	if s.barred != nil {
		return false, s.barred
	}
	return s.Source.BranchContains(ctx, s.repository, branch, commit)
}

// RepositoryID is [Source].RepositoryID of the application's repository.
func (s ownSource) RepositoryID(ctx context.Context) (int64, error) {
	if s.barred != nil {
		return 0, s.barred
	}
	return s.Source.RepositoryID(ctx, s.repository)
}

// CloneURL is [Source].CloneURL of the application's repository.
func (s ownSource) CloneURL() string { return s.Source.CloneURL(s.repository) }
