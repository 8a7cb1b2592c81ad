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
// newest release that concerns that pull request, with a line for each earlier
// one: one comment per pull request and application, edited in place.
func (t *thread) comments(ctx context.Context) error {
	var errs []error
	for _, number := range t.rel.Status.GitHub.PullRequests {
		errs = append(errs, t.comment(ctx, number))
	}
	return errors.Join(errs...)
}

// body returns the newest release that concerns a pull request, and the comment.
func (t *thread) body(number int) (*v1alpha1.Release, string) {
	var concerned []*v1alpha1.Release
	for i := range t.releases {
		if slices.Contains(t.releases[i].Status.GitHub.PullRequests, number) {
			concerned = append(concerned, &t.releases[i])
		}
	}
	if len(concerned) == 0 {
		return nil, ""
	}
	newest := Report(t.app, concerned[0], t.web())
	parts := []string{marker(t.app), "### " + newest.Headline, newest.Comment}
	if len(concerned) > 1 {
		lines := []string{"<details><summary>Earlier</summary>\n"}
		for _, earlier := range concerned[1:min(len(concerned), maxEarlier+1)] {
			lines = append(lines, "- "+Report(t.app, earlier, t.web()).Headline)
		}
		parts = append(parts, strings.Join(append(lines, "\n</details>"), "\n"))
	}
	return concerned[0], truncate(strings.Join(parts, "\n\n"), maxComment)
}

func (t *thread) comment(ctx context.Context, number int) error {
	rel, body := t.body(number)
	id, digest := t.knownComment(number, rel)
	want := digestOf(body)
	if digest == want {
		return nil
	}
	id, err := t.write(ctx, number, id, body)
	if refusedForGood(err) {
		// A locked conversation, say. The Deployments tab has it all the same.
		t.Log.WarnContext(ctx, "comment refused", "release", rel.Name, "pull_request", number, "error", err)
	} else if err != nil {
		return err
	}
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) {
		s.Comments = slices.DeleteFunc(s.Comments, func(c v1alpha1.CommentStatus) bool { return c.PullRequest == number })
		s.Comments = append(s.Comments, v1alpha1.CommentStatus{PullRequest: number, ID: id, Digest: want})
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

// write edits the comment, or finds it, or creates it.
func (t *thread) write(ctx context.Context, number int, id int64, body string) (int64, error) {
	repository := t.app.Spec.Repository
	if id == 0 {
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
