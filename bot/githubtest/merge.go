package githubtest

import (
	"fmt"
	"slices"
)

// MergeMethod is how a pull request's commits get onto its base branch.
type MergeMethod int

// The three buttons of a pull request.
const (
	MergeCommit MergeMethod = iota // a commit with two parents
	Squash                         // one commit with one parent
	Rebase                         // its commits recreated, with one parent each
)

// Merge merges with a merge commit and returns that commit. The user needs write
// permission.
func (p *PullRequest) Merge(by *User) (string, error) { return p.mergeAs(by, MergeCommit) }

// Squash merges with one commit with one parent, and returns that commit. The user needs
// write permission.
func (p *PullRequest) Squash(by *User) (string, error) { return p.mergeAs(by, Squash) }

// Rebase recreates the commits on the base branch, and returns the last. The user needs
// write permission.
func (p *PullRequest) Rebase(by *User) (string, error) { return p.mergeAs(by, Rebase) }

func (p *PullRequest) mergeAs(by *User, method MergeMethod) (string, error) {
	repo := p.is.repo
	repo.server.mu.Lock()
	defer repo.server.mu.Unlock()
	head, closed, err := repo.mergeTogether(by, method, p)
	if err != nil {
		return "", err
	}
	closed()
	return head, nil
}

// MergeTogether merges pull requests of one base branch in one push, in this order, as a
// merge queue does with a group, and returns the branch's new head. Each gets its own merge
// commit, or commits. GitHub pushes first, and knows only later which pull requests that
// merged: here, after closed is called.
func (r *Repository) MergeTogether(by *User, method MergeMethod, prs ...*PullRequest) (head string, closed func(), err error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	head, closing, err := r.mergeTogether(by, method, prs...)
	return head, func() {
		r.server.mu.Lock()
		defer r.server.mu.Unlock()
		closing()
	}, err
}

func (r *Repository) mergeTogether(by *User, method MergeMethod, prs ...*PullRequest) (head string, closed func(), err error) {
	branch := prs[0].is.pull.base
	before, _ := r.git.resolve("refs/heads/" + branch)
	head = before
	var merges []func()
	for _, p := range prs {
		switch {
		case p.is.state != "open":
			return "", nil, fmt.Errorf("merging %s#%d: it is closed", r.FullName(), p.Number)
		case !r.mayWrite(by):
			return "", nil, fmt.Errorf("merging %s#%d: %s may not write", r.FullName(), p.Number, by.Login)
		}
		base := head
		made, err := p.is.combine(base, by, method)
		if err != nil {
			return "", nil, fmt.Errorf("merging %s#%d: %w", r.FullName(), p.Number, err)
		}
		head = made[len(made)-1]
		merges = append(merges, func() { p.is.merged(base, made, by, method) })
	}
	if err := r.moveBranch(move{branch: branch, before: before, after: head, by: by}); err != nil {
		return "", nil, err
	}
	return head, func() {
		for _, merged := range merges {
			merged()
		}
	}, nil
}

// combine makes the commits that bring a pull request onto a base, oldest first.
func (is *issue) combine(base string, by *User, method MergeMethod) ([]string, error) {
	repo, pr := is.repo, is.pull
	if method == Rebase {
		return repo.git.rebase(base, pr.headSHA, by.sign())
	}
	made := newCommit{parents: []string{base, pr.headSHA}, author: by.sign()}
	made.message = fmt.Sprintf("Merge pull request #%d from %s/%s\n\n%s", is.number, repo.owner.Login, pr.head, is.title)
	if method == Squash {
		made.parents, made.message = made.parents[:1], fmt.Sprintf("%s (#%d)", is.title, is.number)
	}
	sha, err := repo.git.merge(base, pr.headSHA, made)
	return []string{sha}, err
}

// merged closes a pull request whose commits are on a base.
func (is *issue) merged(base string, made []string, by *User, method MergeMethod) {
	pr := is.pull
	pr.baseSHA, pr.mergeCommit, pr.mergedBy, pr.mergedAt = base, made[len(made)-1], by, now()
	if method == Rebase {
		pr.rebased = made
	}
	is.state, is.closedAt, is.updatedAt = "closed", now(), now()
	is.repo.server.sendPullRequest(is, by, "closed", nil)
	is.repo.server.notify()
}

// rebase recreates on base the commits of head that base lacks, oldest first. A file that
// both changed is a conflict.
func (d gitDir) rebase(base, head string, by signature) ([]string, error) {
	commits := d.revList(base+".."+head, maxCompared)
	var made []string
	for _, sha := range slices.Backward(commits) {
		info, err := d.commit(sha)
		if err != nil || len(info.Parents) != 1 {
			return nil, fmt.Errorf("rebasing %.7s: it has not one parent: %w", sha, err)
		}
		changes, err := d.changes(info.Parents[0], sha)
		if err != nil {
			return nil, err
		}
		files := map[string]File{}
		for _, change := range changes {
			was, _ := d.file(info.Parents[0], change.Path) // a missing file counts as empty
			is, _ := d.file(base, change.Path)
			if was != is {
				return nil, fmt.Errorf("rebasing %.7s: conflict in %s", sha, change.Path)
			}
			content, _ := d.file(sha, change.Path)
			files[change.Path] = File{Content: content, Removed: change.Status == "removed"}
		}
		tree, err := d.treeWith(base, files)
		if err != nil {
			return nil, err
		}
		if base, err = d.makeCommit(newCommit{parents: []string{base}, tree: tree, message: info.Message, author: by}); err != nil {
			return nil, err
		}
		made = append(made, base)
	}
	return made, nil
}

// Revert opens a pull request that undoes a merged one, as the button of its page does: on the
// branch revert-NUMBER-BRANCH, from the base branch as it is now. The user needs write permission.
// It is an error if later commits changed the same lines, or if that branch exists.
func (p *PullRequest) Revert(by *User) (*PullRequest, error) {
	opened, err := p.reverting(by)
	if err != nil {
		return nil, fmt.Errorf("reverting %s#%d: %w", p.is.repo.FullName(), p.Number, err)
	}
	return p.is.repo.OpenPullRequest(opened)
}

// reverting makes the branch of a revert.
func (p *PullRequest) reverting(by *User) (opened NewPullRequest, err error) {
	repo, pr := p.is.repo, p.is.pull
	repo.server.mu.Lock()
	defer repo.server.mu.Unlock()
	branch := fmt.Sprintf("revert-%d-%s", p.Number, pr.head)
	_, exists := repo.git.resolve("refs/heads/" + branch)
	switch {
	case pr.mergedBy == nil:
		return opened, fmt.Errorf("it is not merged")
	case !repo.mayWrite(by):
		return opened, fmt.Errorf("%s may not write", by.Login)
	case exists:
		return opened, fmt.Errorf("the branch %s exists already", branch)
	}
	title := fmt.Sprintf("Revert %q", p.is.title)
	head, _ := repo.git.resolve("refs/heads/" + pr.base)
	reverted, err := repo.git.revert(head, pr.mergeCommit, pr.baseSHA, newCommit{
		parents: []string{head}, message: fmt.Sprintf("%s\n\nThis reverts commit %s.", title, pr.mergeCommit), author: by.sign(),
	})
	if err == nil {
		err = repo.moveBranch(move{branch: branch, after: reverted, by: by})
	}
	body := fmt.Sprintf("Reverts %s#%d", repo.FullName(), p.Number)
	return NewPullRequest{Title: title, Body: body, Head: branch, Base: pr.base, Author: by}, err
}

// revert writes a commit that undoes on head what lies between before and merged, which head contains.
func (d gitDir) revert(head, merged, before string, c newCommit) (string, error) {
	tree, err := d.treeWith(before, nil)
	if err != nil {
		return "", err
	}
	// Git merges this commit by what it changes since merged, which is the revert.
	undone, err := d.makeCommit(newCommit{parents: []string{merged}, tree: tree, message: c.message, author: c.author})
	if err != nil {
		return "", err
	}
	return d.merge(head, undone, c)
}
