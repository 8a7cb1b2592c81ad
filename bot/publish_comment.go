package bot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// maxComment is the length of a comment that GitHub accepts, in characters,
// with some to spare (65,536).
const maxComment = 60000

// maxEarlier is how many earlier releases a comment lists.
const maxEarlier = 10

// marker starts the bot's comment for an application. It only tells its own
// comments apart; that a comment is its own is told by who wrote it.
func marker(app *v1alpha1.BlueGreen) string {
	return fmt.Sprintf("<!-- turnout:%s/%s -->", app.Namespace, app.Name)
}

// comments makes the comment on each of the release's pull requests show the
// newest release that concerns that pull request, with the earlier ones folded:
// one comment per pull request and application, edited in place. Then it does
// the same for what has ended before and is changed by this release: the author
// of a change that was overtaken, or replaced, hears of it.
func (t *thread) comments(ctx context.Context) error {
	var errs []error
	for _, number := range t.rel.Status.GitHub.PullRequests {
		errs = append(errs, t.comment(ctx, t.draft(number)))
	}
	for _, number := range t.commented() {
		if slices.Contains(t.rel.Status.GitHub.PullRequests, number) {
			continue
		}
		if d := t.draft(number); d.rel.Status.Phase.Finished() { // the others speak for themselves
			errs = append(errs, t.comment(ctx, d))
		}
	}
	return errors.Join(errs...)
}

// commented lists the pull requests that the application has a comment on.
func (t *thread) commented() []int {
	var numbers []int
	for i := range t.releases {
		for _, c := range t.releases[i].Status.GitHub.Comments {
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
		return digestOf("ended", d.gist)
	}
	return digestOf(d.gist, d.body)
}

// draft writes the comment on a pull request, which a release concerns.
func (t *thread) draft(number int) draft {
	var concerned []*v1alpha1.Release
	for i := range t.releases {
		if slices.Contains(t.releases[i].Status.GitHub.PullRequests, number) {
			concerned = append(concerned, &t.releases[i])
		}
	}
	around := t.around()
	around.Earlier = concerned[1:]
	r := Report(t.app, concerned[0], around)
	body := paragraphs(marker(t.app), "### "+r.Headline, r.Comment)
	return draft{number: number, rel: concerned[0], gist: r.Gist, body: truncate(body, maxComment)}
}

// comment makes the comment on a pull request say what it should.
func (t *thread) comment(ctx context.Context, d draft) error {
	id, digest := t.knownComment(d.number, d.rel)
	want := d.digest()
	if digest == want {
		return nil
	}
	own := t.own(d.number)
	wait := max(t.pace.news(own, d.gist), unconfirmed(d.rel))
	if digest == "" {
		wait = max(wait, unsettled(d.rel))
	}
	if wait <= 0 {
		wait = t.pace.turn(fmt.Sprintf("%s#%d", strings.ToLower(t.app.Spec.Repository), d.number), t.apart())
	}
	if wait > 0 {
		t.later(wait)
		return nil
	}
	id, err := t.write(ctx, d.number, id, d.body)
	if refusedForGood(err) {
		// A locked conversation, say. The Deployments tab has it all the same.
		t.Log.WarnContext(ctx, "comment refused", "release", d.rel.Name, "pull_request", d.number, "error", err)
	} else if err != nil {
		return err
	}
	t.pace.tell(own, d.gist)
	return t.record(ctx, d.rel, func(s *v1alpha1.GitHubStatus) {
		s.Comments = slices.DeleteFunc(s.Comments, func(c v1alpha1.CommentStatus) bool { return c.PullRequest == d.number })
		s.Comments = append(s.Comments, v1alpha1.CommentStatus{PullRequest: d.number, ID: id, Digest: want})
	})
}

// knownComment returns the id of the comment on a pull request, whichever
// release wrote it, and the digest of what the newest one last wrote there.
func (t *thread) knownComment(number int, newest *v1alpha1.Release) (id int64, digest string) {
	for i := range t.releases {
		for _, c := range t.releases[i].Status.GitHub.Comments {
			if c.PullRequest != number {
				continue
			}
			if id == 0 {
				id = c.ID
			}
			if t.releases[i].UID == newest.UID {
				digest = c.Digest
			}
		}
	}
	return id, digest
}

// own names the application's comment on a pull request.
func (t *thread) own(number int) string {
	return fmt.Sprintf("%s/%s#%d", t.app.Namespace, t.app.Name, number)
}

// write edits the comment, or finds it, or creates it. One that certainly does not
// exist is not looked for.
func (t *thread) write(ctx context.Context, number int, id int64, body string) (int64, error) {
	repository := t.app.Spec.Repository
	if first := t.searches.first(t.own(number)); id == 0 && !first {
		var err error
		if id, err = t.GitHub.FindComment(ctx, repository, number, marker(t.app)); err != nil {
			return 0, err
		}
	}
	if id != 0 {
		exists, err := t.GitHub.EditComment(ctx, repository, id, body)
		if err != nil || exists {
			return id, err
		}
	}
	return t.GitHub.CreateComment(ctx, repository, number, body)
}
