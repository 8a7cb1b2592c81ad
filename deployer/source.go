package deployer

import (
	"context"
	"io"
)

// Source is what the deployer needs to know of a repository. The bot fills it
// from GitHub, and so do the command line and the Action. All of it speaks of
// commits, which never change, so answers may be kept.
type Source interface {
	// File returns a file at a commit. A file that does not exist there is an
	// error for which errors.Is(err, fs.ErrNotExist) holds; every other error is
	// the world's and is tried again.
	File(ctx context.Context, repository, commit, path string) ([]byte, error)

	// Archive returns the tree at a commit as a gzipped tar with one folder at
	// its top. The caller closes it.
	Archive(ctx context.Context, repository, commit string) (io.ReadCloser, error)

	// HasCommit reports whether the repository has a commit. Right after a push it
	// may not have it yet.
	HasCommit(ctx context.Context, repository, commit string) (bool, error)

	// IsAncestor reports whether a commit is contained in another, or is it.
	IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error)

	// CloneURL is the address that git clones the repository from, over HTTPS and
	// without credentials: of use only for a public one.
	CloneURL(repository string) string
}
