package githubtest

import "fmt"

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
