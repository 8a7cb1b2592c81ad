package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// issue is an issue, or the part of a pull request that it shares with one.
type issue struct {
	repo        *Repository
	id          int64
	number      int
	title, body string
	author      *User
	state       string // open or closed
	createdAt   time.Time
	updatedAt   time.Time
	closedAt    time.Time // zero while open
	pull        *pull     // nil: a plain issue
}

// pull is what a pull request has beyond an issue.
type pull struct {
	id               int64
	head, base       string // branches
	headSHA, baseSHA string
	mergeCommit      string
	rebased          []string // commits that a rebase recreated, oldest first
	mergedBy         *User
	mergedAt         time.Time
}

// PullRequest is a pull request of a repository.
type PullRequest struct {
	Number int
	is     *issue
}

// NewPullRequest opens a pull request.
type NewPullRequest struct {
	Title, Body string
	Head        string // a branch with commits of its own
	Base        string // default: the default branch
	Author      *User  // default: the repository's owner
}

// OpenPullRequest opens a pull request from a branch.
func (r *Repository) OpenPullRequest(opened NewPullRequest) (*PullRequest, error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if opened.Base == "" {
		opened.Base = r.defaultBranch
	}
	head, hasHead := r.git.resolve("refs/heads/" + opened.Head)
	base, hasBase := r.git.resolve("refs/heads/" + opened.Base)
	if !hasHead || !hasBase || r.git.isAncestor(head, base) {
		return nil, fmt.Errorf("opening a pull request in %s: no commits between %s and %s", r.FullName(), opened.Base, opened.Head)
	}
	is := r.newIssue(opened.Author, opened.Title, opened.Body)
	is.pull = &pull{id: r.server.nextID(), head: opened.Head, base: opened.Base, headSHA: head, baseSHA: base}
	r.server.sendPullRequest(is, is.author, "opened", nil)
	return &PullRequest{Number: is.number, is: is}, nil
}

// OpenIssue opens a plain issue and returns its number.
func (r *Repository) OpenIssue(author *User, title, body string) int {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	return r.newIssue(author, title, body).number
}

func (r *Repository) newIssue(author *User, title, body string) *issue {
	if author == nil {
		author = r.owner
	}
	is := &issue{
		repo: r, id: r.server.nextID(), number: len(r.issues) + 1, title: title, body: body, author: author,
		state: "open", createdAt: now(), updatedAt: now(),
	}
	r.issues = append(r.issues, is)
	r.server.notify()
	return is
}

// issue finds an issue or pull request by number.
func (r *Repository) issue(number int64) *issue {
	if number < 1 || number > int64(len(r.issues)) {
		return nil
	}
	return r.issues[number-1]
}

// PullRequest returns the pull request of a number.
func (r *Repository) PullRequest(number int) (*PullRequest, error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	is := r.issue(int64(number))
	if is == nil || is.pull == nil {
		return nil, fmt.Errorf("%s has no pull request #%d", r.FullName(), number)
	}
	return &PullRequest{Number: number, is: is}, nil
}

// HeadSHA is the newest commit of the pull request's branch.
func (p *PullRequest) HeadSHA() string {
	p.is.repo.server.mu.Lock()
	defer p.is.repo.server.mu.Unlock()
	return p.is.pull.headSHA
}

// MergeCommit is the commit that merged it, or "".
func (p *PullRequest) MergeCommit() string {
	p.is.repo.server.mu.Lock()
	defer p.is.repo.server.mu.Unlock()
	return p.is.pull.mergeCommit
}

// WebURL is the address of its page.
func (p *PullRequest) WebURL() string { return fmt.Sprintf("%s/pull/%d", p.is.repo.WebURL(), p.Number) }

// Close closes it without merging.
func (p *PullRequest) Close(by *User) {
	p.is.repo.server.mu.Lock()
	defer p.is.repo.server.mu.Unlock()
	if p.is.state != "open" {
		return
	}
	p.is.state, p.is.closedAt, p.is.updatedAt = "closed", now(), now()
	p.is.repo.server.sendPullRequest(p.is, by, "closed", nil)
}

// pulls returns the repository's pull requests, newest first.
func (r *Repository) pulls(match func(*issue) bool) []*issue {
	var found []*issue
	for _, is := range slices.Backward(r.issues) {
		if is.pull != nil && match(is) {
			found = append(found, is)
		}
	}
	return found
}

func listPulls(c *call) (reply, error) {
	state, head, base := c.query("state"), c.query("head"), c.query("base")
	if state == "" {
		state = "open"
	}
	found := c.repo.pulls(func(is *issue) bool {
		return (state == "all" || is.state == state) && (base == "" || is.pull.base == base) &&
			(head == "" || strings.EqualFold(head, c.repo.owner.Login+":"+is.pull.head))
	})
	if c.query("direction") == "asc" {
		slices.Reverse(found)
	}
	return listReply(c, found, func(is *issue) any { return c.pullJSON(is) })
}

func getPull(c *call) (reply, error) {
	is := c.repo.issue(c.number("pull_number"))
	if is == nil || is.pull == nil {
		return reply{}, errNotFound
	}
	return reply{body: c.fullPullJSON(is)}, nil
}

// listPullsOfCommit finds the pull requests that brought a commit, or would bring it.
func listPullsOfCommit(c *call) (reply, error) {
	sha, ok := c.repo.git.resolve(c.params["commit_sha"])
	if !ok {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.params["commit_sha"])
	}
	found := c.repo.pulls(func(is *issue) bool {
		pr := is.pull
		return pr.mergeCommit == sha || slices.Contains(pr.rebased, sha) ||
			c.repo.git.isAncestor(sha, pr.headSHA) && !c.repo.git.isAncestor(sha, pr.baseSHA)
	})
	return listReply(c, found, func(is *issue) any { return c.pullJSON(is) })
}
