package bot

import (
	"context"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// pullRequestLag is how long after a push GitHub may still not know which pull
// requests it merged; after it, none is asked about again.
const pullRequestLag = 15 * time.Second

// pullRequestPause is the least time between two questions about the same commit
// within the lag.
const pullRequestPause = 5 * time.Second

// maxBatch is of how many commits of one push the pull requests are asked for.
// GitHub's merge queue merges 5 pull requests at once unless told otherwise (GitHub
// docs, "Managing a merge queue").
const maxBatch = 30

// merged are the pull requests that a release brings.
type merged struct{ t *thread }

// findPullRequests asks once which pull requests a release belongs to: all that
// its push merged, so that each of them hears what became of it.
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
	if number := m.t.rel.Spec.Cause.PullRequest; number != 0 {
		numbers = append(numbers, number)
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	err = m.t.record(ctx, m.t.rel, func(s *v1alpha1.GitHubStatus) {
		s.PullRequests, s.PullRequestsCut, s.PullRequestsKnown = numbers, b.cut, true
	})
	if err == nil {
		m.t.searches.end(m.t.rel.UID, m.t.own, b.silent)
	}
	return err
}

// batch is the pull requests that a release's push merged.
type batch struct {
	numbers []int
	cut     bool          // there are more
	silent  []int         // those of them that the bot has certainly not spoken on
	wait    time.Duration // nothing is known before
}

// batch finds the pull requests of what a release brings, or leaves: those that
// are recorded of the same commit's release, or else those that GitHub knows.
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

// base is the commit before those that a release brings: what the branch had
// before its push. Where nobody told, it is what was released before, or live.
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

// search asks GitHub for the pull requests that merged what came with a commit, by
// the commit that merging made: a number in a commit's message is what somebody
// typed. It goes from the oldest commit to the newest, and a pull request that was
// rebased is known from the first of its commits, so that each costs one question.
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

// mergedBy returns the pull request that brought a commit, and the place of the
// commit that merging it made: the same one, or else the nearest newer one, as after
// a rebase. It is nil, and the place the same, if there is none.
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
		// Of several that have the commit, as one that was brought up to date with the
		// branch has it too, the first that brought it is the one that was merged next.
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

// spokeOn reports whether the bot may have a comment for this application on a
// pull request: a release in the record has one there, or one that the record has
// forgotten may.
func (m merged) spokeOn(pr command.PullRequest) bool {
	return slices.Contains(talk(m).commented(), pr.Number) || time.Since(pr.CreatedAt) >= v1alpha1.KeptFor
}
