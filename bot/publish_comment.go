package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// marker starts the bot's comment for an application. It only tells its own
// comments apart; that a comment is its own is told by who wrote it.
func marker(app *v1alpha1.BlueGreen) string {
	return fmt.Sprintf("<!-- turnout:%s/%s -->", app.Namespace, app.Name)
}

// talk is what the bot says on pull requests.
type talk struct{ t *thread }

// comments makes the comment on each of the release's pull requests show the
// newest release that concerns that pull request, with the earlier ones folded:
// one comment per pull request and application, edited in place. Then it does
// the same for what has ended before and is changed by this release: the author
// of a change that was overtaken, or replaced, hears of it.
func (k talk) comments(ctx context.Context) error {
	var errs []error
	numbers := k.t.rel.Status.GitHub.PullRequests
	for _, number := range append(slices.Clone(numbers), k.commented()...) {
		d, ok := k.t.draft(number)
		mine := slices.Contains(numbers, number)
		if ok && (mine || d.rel.Status.Phase.Finished()) { // the others speak for themselves
			errs = append(errs, k.comment(ctx, d))
		}
	}
	return errors.Join(errs...)
}

// commented lists the pull requests that the application has a comment on.
func (k talk) commented() []int {
	var numbers []int
	for i := range k.t.releases {
		for _, c := range k.t.releases[i].Status.GitHub.Comments {
			numbers = append(numbers, c.PullRequest)
		}
	}
	slices.Sort(numbers)
	return slices.Compact(numbers)
}

// draft is what the comment on a pull request should say.
type draft struct {
	number int
	rel    *v1alpha1.Release // the newest that concerns the pull request
	gist   string
	body   string
}

// digest tells whether a comment says it already. Of a release that has ended
// only the gist counts: that another version of Turnout words it differently, or
// that the application is configured differently now, is no reason to write to a
// conversation that is over.
func (d draft) digest() string {
	if d.rel.Status.Phase.Finished() {
		return report.Digest("ended", d.gist)
	}
	return report.Digest(d.gist, d.body)
}

// draft writes the comment on a pull request; ok is false if no release concerns
// it.
func (t *thread) draft(number int) (d draft, ok bool) {
	var concerned []*v1alpha1.Release
	for i := range t.releases {
		if slices.Contains(t.releases[i].Status.GitHub.PullRequests, number) {
			concerned = append(concerned, &t.releases[i])
		}
	}
	if len(concerned) == 0 {
		return draft{}, false
	}
	around := t.around()
	around.Earlier = concerned[1:]
	r := report.Of(t.app, concerned[0], around)
	return draft{number: number, rel: concerned[0], gist: r.Gist, body: marker(t.app) + "\n\n" + r.Body()}, true
}

// comment makes the comment on a pull request say what it should.
func (k talk) comment(ctx context.Context, d draft) error {
	known, want := k.knownComment(d.number, d.rel), d.digest()
	if known.digest == want {
		return nil
	}
	if wait := k.untilWritten(d, known); wait > 0 {
		k.t.later(wait)
		return nil
	}
	id, err := k.write(ctx, d, known)
	if githubapp.RefusedForGood(err) {
		// A locked conversation, say. The Deployments tab has it all the same.
		k.t.Log.WarnContext(ctx, "comment refused", "release", d.rel.Name, "pull_request", d.number, "error", err)
	} else if err != nil {
		return err
	}
	k.t.pace.tell(k.t.own(d.number), d.gist)
	return k.recordComment(ctx, d, v1alpha1.CommentStatus{ID: id, Digest: want})
}

// untilWritten is how long a comment should still wait until it is written.
func (k talk) untilWritten(d draft, known knownComment) time.Duration {
	wait := max(k.t.pace.news(k.t.own(d.number), d.gist), unconfirmed(d.rel))
	if known.digest == "" {
		wait = max(wait, unsettled(d.rel))
	}
	if known.id == 0 && known.intendedAt != nil {
		wait = max(wait, k.t.grace()-time.Since(known.intendedAt.Time))
	}
	if wait > 0 {
		return wait
	}
	return k.t.pace.turn(fmt.Sprintf("%s#%d", strings.ToLower(k.t.app.Spec.Repository), d.number), k.t.apart())
}

// recordComment replaces what is recorded of a draft's comment.
func (k talk) recordComment(ctx context.Context, d draft, c v1alpha1.CommentStatus, also ...func(*v1alpha1.GitHubStatus)) error {
	c.PullRequest = d.number
	return k.t.record(ctx, d.rel, func(s *v1alpha1.GitHubStatus) {
		s.Comments = slices.DeleteFunc(s.Comments, func(other v1alpha1.CommentStatus) bool { return other.PullRequest == d.number })
		s.Comments = append(s.Comments, c)
		for _, change := range also {
			change(s)
		}
	})
}

// knownComment is what the record has of the comment on a pull request.
type knownComment struct {
	id         int64        // 0 if none is known
	intendedAt *metav1.Time // of one that may have been created, or not
	digest     string       // what the newest release last wrote there
}

// knownComment returns what is known of the comment on a pull request, whichever
// release wrote it.
func (k talk) knownComment(number int, newest *v1alpha1.Release) (known knownComment) {
	for i := range k.t.releases {
		for _, c := range k.t.releases[i].Status.GitHub.Comments {
			if c.PullRequest != number {
				continue
			}
			if known.id == 0 && known.intendedAt == nil {
				known.id, known.intendedAt = c.ID, c.IntendedAt
			}
			if k.t.releases[i].UID == newest.UID {
				known.digest = c.Digest
			}
		}
	}
	return known
}

// own names the application's comment on a pull request.
func (t *thread) own(number int) string {
	return fmt.Sprintf("%s/%s#%d", t.app.Namespace, t.app.Name, number)
}

// write edits the comment, or finds it, or creates it. One that certainly does not
// exist is not looked for.
func (k talk) write(ctx context.Context, d draft, known knownComment) (int64, error) {
	repository, id := k.t.app.Spec.Repository, known.id
	first := k.t.searches.first(k.t.own(d.number)) && known.intendedAt == nil
	if id == 0 && !first {
		var err error
		if id, err = k.t.GitHub.FindComment(ctx, repository, d.number, marker(k.t.app)); err != nil {
			return 0, err
		}
	}
	if id != 0 {
		exists, err := k.t.GitHub.EditComment(ctx, repository, id, d.body)
		if err != nil && !githubapp.Answered(err) {
			err = errors.Join(err, k.t.doubt(ctx, d.rel)) // it may still overwrite the next one
		}
		if err != nil || exists {
			return id, err
		}
	}
	return k.createComment(ctx, d, known.intendedAt != nil)
}

// createComment creates a comment once: intent, act; the outcome is recorded with
// its digest. An intent without an outcome is from a call that ended early; what
// it made is waited for and looked for. If there is nothing, it may still come,
// see [thread.settle].
func (k talk) createComment(ctx context.Context, d draft, again bool) (int64, error) {
	err := k.recordComment(ctx, d, v1alpha1.CommentStatus{IntendedAt: timestamp()}, func(s *v1alpha1.GitHubStatus) {
		if again {
			s.DoubtSince = timestamp()
		}
	})
	if err != nil {
		return 0, err
	}
	return k.t.GitHub.CreateComment(ctx, k.t.app.Spec.Repository, d.number, d.body)
}
