package githubapp

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/go-github/v60/github"

	"github.com/turnout-dev/turnout/bot/command"
)

// Permissions of a collaborator, as the REST API names them: it reports maintain as write,
// and triage as read.
const (
	permissionAdmin = "admin"
	permissionWrite = "write"
	permissionNone  = "none"
)

// MayWrite reports whether a permission allows commands that change something.
func MayWrite(permission string) bool {
	return permission == permissionWrite || permission == permissionAdmin
}

// Permission returns what somebody may do in a repository now.
func (g *Client) Permission(ctx context.Context, repository, login string) (string, error) {
	permission := permissionNone
	err := g.to.call(ctx, repository, "asking for the permission of "+login, func(ctx context.Context, r repo) error {
		level, _, err := r.Repositories.GetPermissionLevel(ctx, r.owner, r.name, login)
		if isStatus(err, http.StatusNotFound) { // not even a user
			return nil
		}
		if err == nil {
			permission = level.GetPermission()
		}
		return err
	})
	return permission, err
}

// PullRequest reads a pull request.
func (g *Client) PullRequest(ctx context.Context, repository string, number int) (command.PullRequest, error) {
	var out command.PullRequest
	err := g.to.call(ctx, repository, "reading a pull request", func(ctx context.Context, r repo) error {
		pr, _, err := r.PullRequests.Get(ctx, r.owner, r.name, number)
		if err == nil {
			out = ownPullRequest(pr)
		}
		return err
	})
	return out, err
}

// PullRequestsOf lists the merged pull requests that brought a commit to a branch. It
// returns none for an unknown commit.
func (g *Client) PullRequestsOf(ctx context.Context, repository, commit, branch string) ([]command.PullRequest, error) {
	var out []command.PullRequest
	err := g.to.call(ctx, repository, "listing the pull requests of a commit", func(ctx context.Context, r repo) error {
		list, _, err := r.PullRequests.ListPullRequestsWithCommit(ctx, r.owner, r.name, commit, &github.ListOptions{PerPage: 100})
		if isStatus(err, http.StatusNotFound) || isStatus(err, http.StatusUnprocessableEntity) {
			return nil
		}
		for _, pr := range list {
			if own := ownPullRequest(pr); own.Merged && own.Base == branch {
				out = append(out, own)
			}
		}
		return err
	})
	return out, err
}

// ownPullRequest decodes a pull request. A list has merged_at but not merged. Before the
// merge, merge_commit_sha is a test merge without meaning.
func ownPullRequest(pr *github.PullRequest) command.PullRequest {
	out := command.PullRequest{
		Number: pr.GetNumber(), URL: pr.GetHTMLURL(), Base: pr.GetBase().GetRef(),
		Merged: pr.GetMerged() || pr.MergedAt != nil, Commits: pr.GetCommits(), CreatedAt: pr.GetCreatedAt().Time,
	}
	if out.Merged {
		out.MergeCommit = pr.GetMergeCommitSHA()
	}
	return out
}

// Head returns the commit that a branch points at, or "" if the branch does not exist.
func (g *Client) Head(ctx context.Context, repository, branch string) (string, error) {
	var head string
	err := g.to.call(ctx, repository, "reading a branch", func(ctx context.Context, r repo) error {
		var answer struct {
			Commit struct {
				SHA string `json:"sha"`
			} `json:"commit"`
		}
		_, err := r.get(ctx, r.path("branches/%s", url.PathEscape(branch)), &answer)
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		head = answer.Commit.SHA
		return err
	})
	return head, err
}

// Order compares a commit with another one. If GitHub does not know one of them, it returns
// OrderUnknown.
func (g *Client) Order(ctx context.Context, repository, commit, against string) (command.Order, error) {
	switch {
	case commit == "" || against == "":
		return command.OrderUnknown, nil
	case commit == against:
		return command.OrderSame, nil
	}
	order := command.OrderUnknown
	err := g.to.call(ctx, repository, "comparing two commits", func(ctx context.Context, r repo) error {
		answer, _, err := r.Repositories.CompareCommits(ctx, r.owner, r.name, against, commit, &github.ListOptions{PerPage: 1})
		if isStatus(err, http.StatusNotFound) {
			return nil
		}
		order = compareStatus[answer.GetStatus()]
		return err
	})
	return order, err
}

// maxCompared is how many pages of a comparison are read, 100 commits each.
const maxCompared = 4

// FirstParents lists what came onto a branch when it moved from base to head: head and its
// first parents, newest first, down to what base contains. Merging a pull request adds one
// first parent (a merge commit or a squashed commit), or, by a rebase, as many as it has
// commits. The other commits of a merged branch are behind second parents. For commits that
// GitHub does not know, it returns only head.
//
// complete is false if the comparison is too large to be read to its end.
func (g *Client) FirstParents(ctx context.Context, repository, base, head string) (commits []string, complete bool, err error) {
	if base == "" || base == head {
		return []string{head}, true, nil
	}
	c := comparison{base: base, head: head, parents: map[string]string{}}
	err = g.to.call(ctx, repository, "comparing two commits", func(ctx context.Context, r repo) error {
		if err := c.read(ctx, r, 1); err != nil {
			return err
		}
		commits, err = c.walk(ctx, r)
		return err
	})
	if len(commits) == 0 {
		commits = []string{head}
	}
	return commits, !c.cut, err
}

// comparison is what one commit has and another lacks, in pages, the oldest first (REST
// docs, "Compare two commits").
type comparison struct {
	base, head string
	parents    map[string]string // first parents of the commits read so far
	reads      int
	next       int  // the page to read next: the first page, then from the last backwards
	cut        bool // it has more pages than are read
}

// read adds a page. It stays empty for commits that GitHub does not know.
func (c *comparison) read(ctx context.Context, r repo, page int) error {
	answer, _, err := r.Repositories.CompareCommits(ctx, r.owner, r.name, c.base, c.head, &github.ListOptions{Page: page, PerPage: 100})
	if isStatus(err, http.StatusNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if c.reads++; c.reads == 1 {
		c.next = (answer.GetTotalCommits() + 99) / 100
	}
	for _, commit := range answer.Commits {
		first := ""
		if len(commit.Parents) > 0 {
			first = commit.Parents[0].GetSHA()
		}
		c.parents[commit.GetSHA()] = first
	}
	return nil
}

// walk follows first parents back from head, and reads pages as needed.
func (c *comparison) walk(ctx context.Context, r repo) (chain []string, err error) {
	for at := c.head; ; {
		first, known := c.parents[at]
		for !known && c.next > 1 {
			if c.reads == maxCompared {
				c.cut = true
				return chain, nil
			}
			if err := c.read(ctx, r, c.next); err != nil {
				return nil, err
			}
			c.next--
			first, known = c.parents[at]
		}
		if !known {
			return chain, nil
		}
		chain, at = append(chain, at), first
	}
}

// compareStatus translates GitHub's words for how the head relates to the base.
var compareStatus = map[string]command.Order{
	"identical": command.OrderSame, "ahead": command.OrderNewer, "behind": command.OrderOlder, "diverged": command.OrderDiverged,
}
