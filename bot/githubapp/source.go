package githubapp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-github/v60/github"

	"github.com/turnout-dev/turnout/bot/command"
)

// ErrNoFile says that the repository has no such file at that commit. Asking again does not
// help.
var ErrNoFile = errors.New("no such file in the repository at that commit")

// maxFile is the largest file that GitHub sends with its metadata, in bytes (REST docs,
// "Get repository content").
const maxFile = 1 << 20

// Source reads repositories through GitHub, for the deployer.
type Source struct {
	GitHub *Client
}

// Closed says why nothing of a repository can be read, and what to do about it; "" if it
// can be read. It returns an error if GitHub does not answer, or refuses only for now.
func (s Source) Closed(ctx context.Context, repository string) (string, error) {
	return s.GitHub.to.closed(ctx, repository)
}

// HasBranch reports whether the repository has a branch now.
func (s Source) HasBranch(ctx context.Context, repository, branch string) (bool, error) {
	head, err := s.GitHub.Head(ctx, repository, branch)
	return head != "", err
}

// File returns a file at a commit, or [ErrNoFile]; at most 1 MB.
func (s Source) File(ctx context.Context, repository, commit, path string) ([]byte, error) {
	var content []byte
	err := s.GitHub.to.call(ctx, repository, fmt.Sprintf("reading %s at %s", path, commit), func(ctx context.Context, r repo) error {
		file, _, _, err := r.Repositories.GetContents(ctx, r.owner, r.name, path, &github.RepositoryContentGetOptions{Ref: commit})
		switch {
		case isStatus(err, http.StatusNotFound):
			return ErrNoFile
		case err != nil:
			return err
		case file == nil || file.GetType() != "file":
			return fmt.Errorf("it is not a file: %w", ErrNoFile)
		case file.GetSize() > maxFile:
			return fmt.Errorf("it has %d bytes, and GitHub sends at most %d", file.GetSize(), maxFile)
		}
		text, err := file.GetContent()
		content = []byte(text)
		return err
	})
	return content, err
}

// Archive returns the tree of a commit as a gzipped tar with one top directory, named by
// GitHub. The caller closes it; ctx also bounds the reading.
func (s Source) Archive(ctx context.Context, repository, commit string) (io.ReadCloser, error) {
	var address *url.URL
	err := s.GitHub.to.call(ctx, repository, "asking for the archive of "+commit, func(ctx context.Context, r repo) error {
		var err error
		address, _, err = r.Repositories.GetArchiveLink(ctx, r.owner, r.name, github.Tarball, &github.RepositoryContentGetOptions{Ref: commit}, 2)
		return err
	})
	if err != nil {
		return nil, err
	}
	// The address carries its own token. So the request carries none, and the address must
	// not be logged.
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address.String(), nil)
	if err != nil {
		return nil, fmt.Errorf("building the request for the archive of %s at %s: the address is malformed", repository, commit)
	}
	resp, err := s.GitHub.to.plain.Do(req)
	if hidden := (*url.Error)(nil); errors.As(err, &hidden) {
		err = hidden.Err // without the address
	}
	if err != nil {
		return nil, fmt.Errorf("fetching the archive of %s at %s: %w", repository, commit, err)
	}
	if resp.StatusCode != http.StatusOK {
		_ = resp.Body.Close()
		return nil, fmt.Errorf("fetching the archive of %s at %s: %s", repository, commit, resp.Status)
	}
	return resp.Body, nil
}

// HasCommit reports whether the repository has a commit.
func (s Source) HasCommit(ctx context.Context, repository, commit string) (bool, error) {
	has := false
	err := s.GitHub.to.call(ctx, repository, "looking for commit "+commit, func(ctx context.Context, r repo) error {
		_, _, err := r.Repositories.GetCommitSHA1(ctx, r.owner, r.name, commit, "")
		if isStatus(err, http.StatusUnprocessableEntity) { // "No commit found for SHA"
			return nil
		}
		has = err == nil
		return err
	})
	return has, err
}

// IsAncestor reports whether descendant contains ancestor; a commit contains itself. It
// reports false for commits that GitHub does not know.
func (s Source) IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error) {
	order, err := s.GitHub.Order(ctx, repository, descendant, ancestor)
	return order == command.OrderSame || order == command.OrderNewer, err
}

// ErrUnknown says that GitHub does not know the branch or the commit. It may know it soon.
var ErrUnknown = errors.New("GitHub does not know it")

// BranchContains reports whether a branch contains a commit now. If GitHub does not know
// one of them, it returns [ErrUnknown], which is not an answer.
func (s Source) BranchContains(ctx context.Context, repository, branch, commit string) (bool, error) {
	head, err := s.GitHub.Head(ctx, repository, branch)
	if err != nil {
		return false, err
	}
	if head == "" {
		return false, fmt.Errorf("branch %s: %w", branch, ErrUnknown)
	}
	switch order, err := s.GitHub.Order(ctx, repository, head, commit); {
	case err != nil:
		return false, err
	case order == command.OrderUnknown:
		return false, fmt.Errorf("commit %s: %w", commit, ErrUnknown)
	default:
		return order == command.OrderSame || order == command.OrderNewer, nil
	}
}

// RepositoryID is the number of the repository that now has the name.
func (s Source) RepositoryID(ctx context.Context, repository string) (int64, error) {
	var id int64
	err := s.GitHub.to.call(ctx, repository, "asking for the number", func(ctx context.Context, r repo) error {
		found, _, err := r.Repositories.Get(ctx, r.owner, r.name)
		if err == nil && found.GetID() == 0 {
			return errors.New("GitHub's answer has none")
		}
		id = found.GetID()
		return err
	})
	return id, err
}

// CloneURL is the address for git clone.
func (s Source) CloneURL(repository string) string {
	web := strings.TrimSuffix(s.GitHub.to.base, "/api/v3")
	if web == "https://api.github.com" {
		web = "https://github.com"
	}
	return web + "/" + repository + ".git"
}
