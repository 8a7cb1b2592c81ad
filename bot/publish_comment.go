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

// marker starts the bot's comment about an application. It only tells the bot's comments
// apart; the author proves that a comment is the bot's.
func marker(app *v1alpha1.BlueGreen) string {
	return fmt.Sprintf("<!-- turnout:%s/%s -->", app.Namespace, app.Name)
}

// talk is what the bot writes on pull requests.
type talk struct{ t *thread }

// comments updates the comment on each of the release's pull requests. There is one comment
// per pull request and application, edited in place. It shows the newest release that
// concerns the pull request, with the earlier ones folded. Then it updates ended releases
// that this one changes: authors learn that their change was superseded or replaced.
func (k talk) comments(ctx context.Context) error {
	var errs []error
	numbers := k.t.rel.Status.GitHub.PullRequests
	for _, number := range append(slices.Clone(numbers), k.commented()...) {
		d, ok := k.t.draft(number)
		mine := slices.Contains(numbers, number)
		if ok && (mine || d.rel.Status.Phase.Finished()) { // the others have calls of their own
			errs = append(errs, k.comment(ctx, d))
		}
	}
	return errors.Join(errs...)
}

// commented lists the pull requests with a comment about the application.
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

// draft is the comment that a pull request should have.
type draft struct {
	number int
	rel    *v1alpha1.Release // the newest release of the pull request
	gist   string
	body   string
}

// digest identifies the draft. For an ended release only the gist counts: nobody wants a
// finished conversation edited because another version of Turnout uses other words, or
// because a setting changed.
func (d draft) digest() string {
	if d.rel.Status.Phase.Finished() {
		return report.Digest("ended", d.gist)
	}
	return report.Digest(d.gist, d.body)
}

// draft makes the comment of a pull request; ok is false if it has no release.
func (t *thread) draft(number int) (d draft, ok bool) {
	var concerned []*v1alpha1.Release
	for i := range t.releases {
		if t.releases[i].Spec.Contract == nil && slices.Contains(t.releases[i].Status.GitHub.PullRequests, number) {
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

// comment makes a pull request have its draft.
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
		// For example, the conversation is locked. The Deployments tab shows the release
		// all the same.
		k.t.Log.WarnContext(ctx, "comment refused", "release", d.rel.Name, "pull_request", d.number, "error", err)
	} else if err != nil {
		return err
	}
	k.t.pace.tell(k.t.own(d.number), d.gist)
	k.t.note(d.rel, recordsComment(v1alpha1.CommentStatus{PullRequest: d.number, ID: id, Digest: want}))
	return nil
}

// untilWritten is how long the write of a comment should still wait.
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

// recordsComment replaces what is recorded about a comment.
func recordsComment(c v1alpha1.CommentStatus) func(*v1alpha1.GitHubStatus) {
	return func(s *v1alpha1.GitHubStatus) {
		s.Comments = slices.DeleteFunc(s.Comments, func(other v1alpha1.CommentStatus) bool { return other.PullRequest == c.PullRequest })
		s.Comments = append(s.Comments, c)
	}
}

// knownComment is what the record has about a pull request's comment.
type knownComment struct {
	id         int64        // 0 if unknown
	intendedAt *metav1.Time // of a comment that may or may not exist
	digest     string       // what the newest release last wrote there
}

// knownComment returns what the record has about a pull request's comment, whichever
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

// own identifies the application's comment on a pull request.
func (t *thread) own(number int) string {
	return fmt.Sprintf("%s/%s#%d", t.app.Namespace, t.app.Name, number)
}

// write edits the comment, or finds it, or creates it. It does not look for one that
// certainly does not exist.
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
			err = errors.Join(err, k.t.doubt(ctx, d.rel)) // the request may still overwrite the next one
		}
		if err != nil || exists {
			return id, err
		}
	}
	return k.createComment(ctx, d, known.intendedAt != nil)
}

// createComment creates a comment once: intent, act; its caller notes the outcome. An
// intent without an outcome is from a call that ended early, so this one waits, and looks
// for the comment. If there is none, it may still appear, see [thread.settle].
func (k talk) createComment(ctx context.Context, d draft, again bool) (int64, error) {
	now := timestamp()
	err := k.t.record(ctx, d.rel, func(s *v1alpha1.GitHubStatus) {
		recordsComment(v1alpha1.CommentStatus{PullRequest: d.number, IntendedAt: now})(s)
		if again {
			s.DoubtSince = now
		}
	})
	if err != nil {
		return 0, err
	}
	if err := inTime(now); err != nil {
		return 0, err
	}
	return k.t.GitHub.CreateComment(ctx, k.t.app.Spec.Repository, d.number, d.body)
}
