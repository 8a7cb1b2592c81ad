package bot_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// TestRefusedDeploymentIsSaidOnce: the bot does not repeat a request that GitHub refused
// for good, and comments continue.
func TestRefusedDeploymentIsSaidOnce(t *testing.T) {
	for name, tt := range map[string]struct {
		refused asking
		status  int
	}{
		"deployment, unknown commit":   {createsDeployment, http.StatusUnprocessableEntity},
		"deployment, not found":        {createsDeployment, http.StatusNotFound},
		"deployment, forbidden":        {createsDeployment, http.StatusForbidden},
		"state, deployment was erased": {postsState, http.StatusNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, commit := w.merge("feature")
			release := v1alpha1.DeployName("shop", commit, 1)
			asked := 0
			n := &network{to: http.DefaultTransport, fakes: []func(*http.Request) *http.Response{func(req *http.Request) *http.Response {
				resp := refuses(tt.refused, tt.status)(req)
				if resp != nil {
					asked++
				}
				return resp
			}}}
			var log bytes.Buffer
			for _, change := range []bottest.Happening{
				bottest.Building, bottest.Verified,
				func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) },
			} {
				w.record.change(release, change)
				for range 2 { // another process finds it in the record
					p := w.publisherOver(n)
					p.Log = slog.New(slog.NewTextHandler(&log, nil))
					untilPublished(t, w, p, release)
				}
			}
			if asked != 1 {
				t.Errorf("GitHub got the refused request %d times, want once", asked)
			}
			if n := strings.Count(log.String(), "deployment refused"); n != 1 {
				t.Errorf("the log reports it %d times, want once:\n%s", n, &log)
			}
			reason := fmt.Sprintf("No way (%d)", tt.status)
			if got := w.only().Status.GitHub.DeploymentRefused; got != reason {
				t.Errorf("recorded %q, want %q", got, reason)
			}
			body := w.answers(pr.Number)
			if len(body) != 1 || !strings.Contains(body[0], "is live on") || strings.Count(body[0], "Deployments tab: "+reason) != 1 {
				t.Errorf("comments %q, want one that is current and says once what GitHub refused", body)
			}
		})
	}
}

// TestLimitIsNoRefusal: after a limit the bot asks GitHub again.
func TestLimitIsNoRefusal(t *testing.T) {
	w := newWorld(t)
	pr, rel := ended(w)
	w.github.Inject(githubtest.Fault{
		Kind: githubtest.SecondaryRateLimit, Method: "POST", Route: "/repos/{owner}/{repo}/deployments",
		RetryAfter: -1,
	})
	since := len(w.github.Requests())
	again, err := w.publisher().Publish(t.Context(), rel)
	check(t, err)
	if again <= 0 {
		t.Errorf("again after %s, want a wait", again)
	}
	w.publish(rel.Name, &effects{}) // by another process, which does not know the limit
	want := map[string]int{
		"403 POST deployments": 1, "201 POST deployments": 1,
		"201 POST deployments/{deployment_id}/statuses": 1, "201 POST issues/{issue_number}/comments": 1,
	}
	if diff := cmp.Diff(want, w.arrived(since)); diff != "" {
		t.Errorf("GitHub got (-want +got):\n%s", diff)
	}
	if refused := w.only().Status.GitHub.DeploymentRefused; refused != "" {
		t.Errorf("recorded is a refusal: %s", refused)
	}
	w.expectOnce(pr.Number)
}

// TestPublishOfWhatIsNotListed has releases that cannot be shown: each is logged once, and
// the others are shown.
func TestPublishOfWhatIsNotListed(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*v1alpha1.Release)
		logs   int
	}{
		"deleted since": {func(r *v1alpha1.Release) { r.UID, r.Name = "stray", "stray" }, 0},
		"label of another application": {func(r *v1alpha1.Release) {
			r.UID, r.Name, r.Labels = "stray", "stray", map[string]string{v1alpha1.ApplicationLabel: "basket"}
		}, 1},
		"no label": {func(r *v1alpha1.Release) { r.UID, r.Name, r.Labels = "stray", "stray", nil }, 1},
		"application that is not there": {func(r *v1alpha1.Release) {
			r.UID, r.Name, r.Spec.Application = "stray", "stray", "basket"
		}, 0},
		"nothing is asked for":  {func(r *v1alpha1.Release) { r.UID, r.Name, r.Spec.Deploy = "stray", "stray", nil }, 1},
		"rollback without from": {func(r *v1alpha1.Release) { r.UID, r.Name, r.Spec.Kind = "stray", "stray", v1alpha1.Rollback }, 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			stray := w.only()
			tt.change(&stray)
			var log bytes.Buffer
			p := w.publisher()
			p.Log = slog.New(slog.NewTextHandler(&log, nil))
			before := len(w.github.Requests())
			for range 3 {
				if again, err := p.Publish(t.Context(), &stray); again != 0 || err != nil {
					t.Errorf("published: again after %s, %v", again, err)
				}
			}
			if n := len(w.github.Requests()) - before; n != 0 {
				t.Errorf("%d requests to GitHub, want none", n)
			}
			if n := strings.Count(log.String(), "level="); n != tt.logs {
				t.Errorf("%d lines in the log, want %d:\n%s", n, tt.logs, &log)
			}
			untilPublished(t, w, p, rel.Name)
			if n := len(w.answers(pr.Number)); n != 1 {
				t.Errorf("%d comments on the other application's pull request, want 1", n)
			}
		})
	}
}

// oddities is a record whose list includes releases that no schema accepts.
type oddities struct{ *memoryRecord }

func (o oddities) Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	all, err := o.memoryRecord.Releases(ctx, app)
	for i := range all {
		odd := all[i].DeepCopy()
		odd.UID, odd.Name, odd.Spec.Deploy = types.UID(fmt.Sprint("odd-", i)), fmt.Sprint("odd-", i), nil
		foreign := all[i].DeepCopy()
		foreign.UID, foreign.Name, foreign.Spec.Application = types.UID(fmt.Sprint("foreign-", i)), fmt.Sprint("foreign-", i), "basket"
		all = append(all, *odd, *foreign)
	}
	return all, err
}

// TestOddReleasesDoNotKeepTheOthersFromBeingShown has releases without what their kind
// needs, of another application, in an unknown phase, and with comments on pull requests
// that do not exist.
func TestOddReleasesDoNotKeepTheOthersFromBeingShown(t *testing.T) {
	w := newWorld(t)
	pr, rel := ended(w)
	second, commit := w.merge("second")
	w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) {
		r.Status.Phase, r.Status.Step, r.Status.SupersededBy = "Mooing", "moo", r.Name
		r.Status.GitHub = &v1alpha1.GitHubStatus{
			Comments: []v1alpha1.CommentStatus{{PullRequest: 4711, ID: 1, Digest: "x"}}, PullRequests: []int{second.Number}, PullRequestsKnown: true,
		}
	})
	p := w.publisher()
	p.Record = oddities{w.record}
	untilPublished(t, w, p, rel.Name)
	untilPublished(t, w, p, v1alpha1.DeployName("shop", commit, 1))
	if got := fmt.Sprint(len(w.answers(pr.Number)), len(w.answers(second.Number)), len(w.repo.Deployments())); got != "1 1 2" {
		t.Errorf("comments and deployments: %s, want 1 1 2", got)
	}
}

// panicking is a record whose list panics once.
type panicking struct {
	*memoryRecord
	times *int
}

func (b panicking) Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error) {
	if *b.times--; *b.times >= 0 {
		panic("moo")
	}
	return b.memoryRecord.Releases(ctx, app)
}

func TestPanicOfOneReleaseIsItsOwnFailure(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	times := 1
	p := w.publisher()
	p.Known = panicking{w.record, &times}
	if _, err := p.Publish(t.Context(), rel); err == nil || !strings.Contains(err.Error(), rel.Name) || !strings.Contains(err.Error(), "moo") {
		t.Errorf("published: %v, want an error that names the release and the panic", err)
	}
	untilPublished(t, w, p, rel.Name) // no lock is left behind
}

// TestDeploymentIsFoundBeyondTheFirstPage: the commit has a hundred deployments by others,
// one of them with our payload.
func TestDeploymentIsFoundBeyondTheFirstPage(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	foreign := make([]string, 100)
	for i := range foreign {
		foreign[i] = fmt.Sprintf(`{"id":%d,"payload":{"turnout_release":%q},"creator":{"login":"github-actions[bot]","type":"Bot"}}`, i+1,
			rel.UID)
	}
	n := &network{
		to: http.DefaultTransport, loses: []asking{createsDeployment},
		fakes: []func(*http.Request) *http.Response{func(req *http.Request) *http.Response {
			q := req.URL.Query()
			switch {
			case !listsDeployments.matches(req):
				return nil
			case q.Get("page") == "2":
				q.Set("page", "1")
				req.URL.RawQuery = q.Encode()
				return nil
			}
			resp := answer(req, http.StatusOK, "["+strings.Join(foreign, ",")+"]")
			resp.Header.Set("Link", fmt.Sprintf(`<http://%s%s?page=2>; rel="next"`, req.URL.Host, req.URL.Path))
			return resp
		}},
	}
	p := w.publisherOver(n)
	_, err := p.Publish(t.Context(), rel)
	if err == nil {
		t.Error("the broken connection did not show")
	}
	untilPublished(t, w, p, rel.Name)
	if all := w.repo.Deployments(); len(all) != 1 || w.only().Status.GitHub.DeploymentID != all[0].ID {
		t.Errorf("%d deployments, recorded %d; want the one", len(all), w.only().Status.GitHub.DeploymentID)
	}
}

// TestPullRequestOfTheMergeCommitIsTaken: GitHub may list another one first, since a pull
// request that was updated from its branch has the commit too.
func TestPullRequestOfTheMergeCommitIsTaken(t *testing.T) {
	w := newWorld(t)
	prs, head, closed := w.group(githubtest.MergeCommit, 2, 1)
	closed()
	name := v1alpha1.DeployName("shop", head, 1)
	w.record.change(name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
	second := fmt.Sprintf(`{"number":%d,"merged_at":"2026-11-22T12:00:00Z","merge_commit_sha":%q,"base":{"ref":"main"},`+
		`"created_at":"2026-11-22T11:00:00Z"}`, prs[1].Number, head)
	ofCommit := asking{"GET", regexp.MustCompile(`/commits/[0-9a-f]+/pulls$`)}
	asked := 0
	n := &network{to: http.DefaultTransport, fakes: []func(*http.Request) *http.Response{func(req *http.Request) *http.Response {
		if !ofCommit.matches(req) || strings.Contains(req.URL.Path, head) {
			return nil
		}
		asked++
		first := strings.NewReplacer(fmt.Sprintf(`"number":%d`, prs[1].Number), fmt.Sprintf(`"number":%d`, prs[0].Number), head,
			strings.Split(req.URL.Path, "/")[7]).Replace(second)
		return answer(req, http.StatusOK, "["+second+","+first+"]")
	}}}
	untilPublished(t, w, w.publisherOver(n), name)
	if asked == 0 {
		t.Error("GitHub was not asked for the pull requests of the commit that has two")
	}
	for i, pr := range prs {
		if n := len(w.answers(pr.Number)); n != 1 {
			t.Errorf("%d comments on pull request %d of the push, want 1", n, i+1)
		}
	}
}
