package bot

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// pullRequestLag is how long after a push GitHub may still not know the pull requests that
// it merged. After that, no pull request is looked up again.
const pullRequestLag = 15 * time.Second

// pullRequestPause is the least time between two lookups of the same commit within the lag.
const pullRequestPause = 5 * time.Second

// maxBatch is for how many commits of a push the pull requests are looked up. GitHub's
// merge queue merges 5 pull requests at once by default (GitHub docs, "Managing a merge
// queue").
const maxBatch = 30

// merged are the pull requests that a release includes.
type merged struct{ t *thread }

// findPullRequests looks up once which pull requests a release belongs to: all that its
// push merged, so that each of them gets a comment.
func (m merged) findPullRequests(ctx context.Context) error {
	if m.t.rel.Status.GitHub.PullRequestsKnown {
		return nil
	}
	b, err := m.batch(ctx)
	if err != nil {
		return err
	}
	if b.wait > 0 {
		m.t.later(b.wait)
		return nil
	}
	numbers := slices.Clone(b.numbers)
	if number := m.t.rel.Spec.Cause.PullRequest; number != 0 && m.t.rel.Spec.Contract == nil { // the deploy's comment shows it
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	m.t.note(m.t.rel, func(s *v1alpha1.GitHubStatus) {
		s.PullRequests, s.PullRequestsCut, s.PullRequestsKnown = numbers, b.cut, true
	})
	m.t.searches.end(m.t.rel.UID, m.t.own, b.silent)
	return nil
}

// batch has the pull requests that a push merged.
type batch struct {
	numbers []int
	cut     bool          // there are more than the bot looks for
	silent  []int         // those without a comment by the bot, for certain
	wait    time.Duration // look again after this time
}

// batch finds the pull requests of what a release brings or leaves. It takes them from a
// recorded release of the same commit, or asks GitHub.
func (m merged) batch(ctx context.Context) (batch, error) {
	commit := ""
	if d := m.t.rel.Spec.Deploy; d != nil {
		commit = d.Commit
	} else if r := m.t.rel.Spec.Rollback; r != nil {
		commit = r.From.Commit
	}
	if commit == "" {
		return batch{}, nil
	}
	for i := range m.t.releases {
		other := &m.t.releases[i]
		if d := other.Spec.Deploy; d != nil && d.Commit == commit && other.UID != m.t.rel.UID && other.Status.GitHub.PullRequestsKnown {
			return batch{numbers: other.Status.GitHub.PullRequests, cut: other.Status.GitHub.PullRequestsCut}, nil
		}
	}
	return m.search(ctx, commit)
}

// base is the commit that the branch had before the release's push. If the push is unknown,
// it is the commit of the release before, or the live one.
func (m merged) base() string {
	d := m.t.rel.Spec.Deploy
	if d == nil {
		return ""
	}
	if before := m.t.rel.Spec.Cause.Before; before != "" {
		return before
	}
	self := slices.IndexFunc(m.t.releases, func(r v1alpha1.Release) bool { return r.UID == m.t.rel.UID })
	for _, older := range m.t.releases[self+1:] {
		if o := older.Spec.Deploy; o != nil && o.Repository == d.Repository && o.Branch == d.Branch && o.Commit != d.Commit {
			return o.Commit
		}
	}
	switch live := m.t.app.Status.Live; {
	case m.t.rel.Status.Milestones.Previous != nil:
		return m.t.rel.Status.Milestones.Previous.Commit
	case live != nil:
		return live.Commit
	}
	return ""
}

// search asks GitHub for the pull requests that a commit brought, by the commits that
// merging created: a number in a commit message is only what somebody typed. It goes from
// the oldest commit to the newest. The first commit of a rebased pull request identifies
// it, so each pull request costs one request.
func (m merged) search(ctx context.Context, commit string) (b batch, err error) {
	s := m.t.searches.of(m.t.rel.UID)
	age := time.Since(m.t.rel.CreationTimestamp.Time)
	if again := pullRequestPause - time.Since(s.asked); again > 0 && age < pullRequestLag {
		return batch{wait: min(again, pullRequestLag-age)}, nil
	}
	if len(s.commits) == 0 {
		if s.commits, s.complete, err = m.t.GitHub.FirstParents(ctx, m.t.app.Spec.Repository, m.base(), commit); err != nil {
			s.commits = nil
			return b, err
		}
	}
	b.cut = !s.complete
	missing := false
	for at, left := len(s.commits)-1, maxBatch; at >= 0; left-- {
		if left < maxBatch && at >= left {
			at, b.cut = left-1, true
		}
		pr, merged, err := m.mergedBy(ctx, s, at)
		if err != nil {
			return b, err
		}
		at = merged - 1
		if pr == nil {
			missing = true
			continue
		}
		b.numbers = append(b.numbers, pr.Number)
		if !m.spokeOn(*pr) {
			b.silent = append(b.silent, pr.Number)
		}
	}
	s.asked = time.Now()
	if missing && age < pullRequestLag {
		b.wait = min(pullRequestPause, pullRequestLag-age)
	}
	return b, nil
}

// mergedBy returns the pull request that brought a commit, and the place of the commit that
// merging it created: the same one, or else the nearest newer one, as after a rebase. If
// there is none, it returns nil and the same place.
func (m merged) mergedBy(ctx context.Context, s *search, at int) (*command.PullRequest, int, error) {
	commit := s.commits[at]
	list, known := s.answers[commit]
	if !known {
		var err error
		if list, err = m.t.GitHub.PullRequestsOf(ctx, m.t.app.Spec.Repository, commit, m.t.app.Spec.Branch); err != nil {
			return nil, at, err
		}
	}
	nearest, found := -1, (*command.PullRequest)(nil)
	for i := range list {
		// Several pull requests may have the commit, for example one that was updated from
		// the branch. The one that brought it was merged next.
		if merged := slices.Index(s.commits[:at+1], list[i].MergeCommit); merged > nearest {
			nearest, found = merged, &list[i]
		}
	}
	if found != nil {
		s.answers[commit] = list
		return found, nearest, nil
	}
	return nil, at, nil
}

// spokeOn reports whether the bot may have a comment about this application on a pull
// request: a release in the record has one there, or a deleted release may have.
func (m merged) spokeOn(pr command.PullRequest) bool {
	return slices.Contains(talk(m).commented(), pr.Number) || time.Since(pr.CreatedAt) >= v1alpha1.KeptFor
}
