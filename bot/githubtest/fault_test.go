package githubtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-github/v60/github"
)

const deploymentsRoute = "/repos/{owner}/{repo}/deployments"

func TestFaultsHitTheirRouteAndPass(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	w.Inject(Fault{Kind: BadGateway, Method: "GET", Route: deploymentsRoute, Times: 2})
	w.Inject(Fault{Kind: SecondaryRateLimit, Route: deploymentsRoute, RetryAfter: 7 * time.Second})
	_, _, err := w.client.Repositories.Get(ctx, "acme", "shop")
	check(t, err)
	for range 2 {
		if _, _, err = w.client.Repositories.ListDeployments(ctx, "acme", "shop", nil); status(err) != http.StatusBadGateway {
			t.Errorf("a bad gateway: %v", err)
		}
	}
	_, _, err = w.client.Repositories.ListDeployments(ctx, "acme", "shop", nil)
	var limited *github.AbuseRateLimitError
	if !errors.As(err, &limited) || limited.GetRetryAfter() != 7*time.Second {
		t.Errorf("a secondary rate limit: %v", err)
	}
	// A new client: go-github remembers the limit and would not ask again.
	_, _, err = w.clientOver(t, w.transport).Repositories.ListDeployments(ctx, "acme", "shop", nil)
	check(t, err)
}

func TestFaultsThatNobodyMetPass(t *testing.T) {
	w := newWorld(t, Config{})
	w.Inject(Fault{Kind: BadGateway, Times: 5, Until: time.Now()})
	_, _, err := w.client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
	w.Inject(Fault{Kind: BadGateway, Until: time.Now().Add(time.Hour)})
	if _, _, err = w.client.Repositories.Get(t.Context(), "acme", "shop"); status(err) != http.StatusBadGateway {
		t.Errorf("before it passes: %v", err)
	}
	if n := w.Failed()[BadGateway]; n != 1 {
		t.Errorf("%d requests failed, want 1", n)
	}
}

func TestLostReplyWasDone(t *testing.T) {
	w := newWorld(t, Config{})
	w.Inject(Fault{Kind: ReplyLost, Method: "POST", Route: deploymentsRoute})
	_, _, err := w.client.Repositories.CreateDeployment(t.Context(), "acme", "shop", &github.DeploymentRequest{Ref: new("main")})
	if err == nil || status(err) != 0 {
		t.Errorf("the reply was not lost: %v", err)
	}
	if n := len(w.repo.Deployments()); n != 1 {
		t.Errorf("%d deployments, want 1", n)
	}
}

func TestHangLastsAsLongAsTheClientWaits(t *testing.T) {
	w := newWorld(t, Config{})
	_, _, err := w.client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
	w.Inject(Fault{Kind: Hang})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	_, _, err = w.client.Repositories.Get(ctx, "acme", "shop")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that hangs: %v", err)
	}
}

func TestOutageEnds(t *testing.T) {
	w := newWorld(t, Config{})
	_, _, err := w.client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
	w.SetOutage(true)
	if _, _, err = w.client.Repositories.Get(t.Context(), "acme", "shop"); status(err) != http.StatusServiceUnavailable {
		t.Errorf("during the outage: %v", err)
	}
	w.SetOutage(false)
	_, _, err = w.client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
}

func TestRequestsAreCountedAndLimited(t *testing.T) {
	w := newWorld(t, Config{RateLimit: 3})
	var err error
	for range 3 {
		_, _, err = w.client.Repositories.ListDeployments(t.Context(), "acme", "shop", nil)
		check(t, err)
	}
	_, _, err = w.client.Repositories.ListDeployments(t.Context(), "acme", "shop", nil)
	if _, ok := errors.AsType[*github.RateLimitError](err); !ok {
		t.Errorf("past the limit: %v", err)
	}
	n := 0
	for _, r := range w.Requests() {
		if r.Route == deploymentsRoute && r.Status == http.StatusOK {
			n++
		}
	}
	if n != 3 {
		t.Errorf("%d requests logged as answered, want 3", n)
	}
}

func TestEnterpriseServerHasItsPrefix(t *testing.T) {
	w := newWorld(t, Config{Enterprise: true})
	client, err := github.NewClient(&http.Client{Transport: w.transport}).WithEnterpriseURLs(w.URL(), w.URL())
	check(t, err)
	_, _, err = client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
	pr := w.openPull(t, "topic", "x")
	for range 3 {
		_, err = w.repo.Comment(pr.Number, w.reader, "hi")
		check(t, err)
	}
	options := &github.IssueListCommentsOptions{ListOptions: github.ListOptions{PerPage: 2}}
	first, response, err := client.Issues.ListComments(t.Context(), "acme", "shop", pr.Number, options)
	check(t, err)
	if len(first) != 2 || response.NextPage != 2 || !strings.Contains(response.Header.Get("Link"), w.APIURL()+"/repos/") {
		t.Errorf("the first page: %d comments, next %d, %s", len(first), response.NextPage, response.Header.Get("Link"))
	}
}

func TestManyAtOnce(t *testing.T) {
	w := newWorld(t, Config{})
	pr := w.openPull(t, "topic", "x")
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			_, _, err := w.client.Issues.CreateComment(t.Context(), "acme", "shop", pr.Number, &github.IssueComment{Body: new("x")})
			if err != nil {
				t.Error(err)
			}
			_, _ = w.repo.Comment(pr.Number, w.reader, "y")
			_ = w.app.Deliveries()
		})
	}
	all.Wait()
	ids := map[int64]bool{}
	for _, comment := range w.repo.Comments(pr.Number) {
		ids[comment.ID] = true
	}
	if len(ids) != 16 {
		t.Errorf("%d comments, want 16", len(ids))
	}
}

func TestPeopleSeeAndActInTheBrowser(t *testing.T) {
	w := newWorld(t, Config{})
	pr := w.openPull(t, "topic", "print('v2')\n")
	post := func(path string, form url.Values) string {
		response, err := http.PostForm(w.URL()+"/_sandbox/acme/shop/"+path, form)
		check(t, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		check(t, err)
		return string(body)
	}
	page := post("comments/1", url.Values{"user": {"rita"}, "body": {"<script>/promote"}})
	if !strings.Contains(page, "&lt;script&gt;/promote") || strings.Contains(page, "<script>") {
		t.Errorf("the comment is not shown as written:\n%s", page)
	}
	if refusal := post("merge/1", url.Values{"user": {"rita"}}); !strings.Contains(refusal, "may not write") {
		t.Errorf("a reader merged: %s", refusal)
	}
	w.say(t, w.deploy(t, github.DeploymentRequest{Ref: new(pr.HeadSHA())}), "in_progress")
	if page := post("merge/1", url.Values{"user": {"wanda"}}); !strings.Contains(page, "merged as") || !strings.Contains(page, "in_progress") {
		t.Errorf("after the merge:\n%s", page)
	}
	merged := pr.MergeCommit()
	for path, want := range map[string]string{
		"/acme/shop": "", "/acme/shop/deployments": "",
		"/acme/shop/pull/1":           `<a href="/acme/shop/commit/` + merged + `">`,
		"/acme/shop/commit/" + merged: "<code>app.py</code></td><td>modified, +1 −1</td>",
	} {
		if status, page := w.browse(t, path); status != http.StatusOK || !strings.Contains(page, want) {
			t.Errorf("%s: %d, want 200 and %q in\n%s", path, status, want, page)
		}
	}
	for _, path := range []string{"/acme/shop/commit/" + strings.Repeat("0", 40), "/acme/shop/commit/none", "/acme/shop/pull/9"} {
		if status, page := w.browse(t, path); status != http.StatusNotFound {
			t.Errorf("%s: %d, want 404:\n%s", path, status, page)
		}
	}
}

// browse reads a page as a browser does.
func (w *world) browse(t *testing.T, path string) (status int, page string) {
	t.Helper()
	response, err := http.Get(w.URL() + path)
	check(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	check(t, err)
	return response.StatusCode, string(body)
}
