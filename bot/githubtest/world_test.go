package githubtest

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"testing"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

// everything is the permissions that Turnout's own App asks for.
var everything = map[string]string{
	"contents": "read", "deployments": "write", "issues": "write", "pull_requests": "write",
}

// world is a GitHub with one repository, an App installed on it, and people of all kinds.
type world struct {
	*Server
	app                   *App
	installation          *Installation
	repo                  *Repository
	owner, writer, reader *User
	hooks                 chan hook      // the webhooks that the App received
	client                *github.Client // of the installation
	asApp                 *github.Client // by JWT
	transport             *ghinstallation.Transport
	answer                chan int // the webhook's next answers; 200 when empty
}

// hook is one received webhook.
type hook struct {
	header http.Header
	body   []byte
}

func newWorld(t *testing.T, cfg Config) *world {
	t.Helper()
	w := &world{Server: New(t, cfg), hooks: make(chan hook, 100), answer: make(chan int, 100)}
	receiver := httptest.NewServer(http.HandlerFunc(w.receive))
	t.Cleanup(receiver.Close)
	var err error
	w.app, err = w.AddApp(AppConfig{
		Slug: "turnout", WebhookURL: receiver.URL, Permissions: everything,
		Events: []string{"push", "pull_request", "issue_comment"},
	})
	check(t, err)
	w.owner, w.writer, w.reader = w.AddUser("acme"), w.AddUser("wanda"), w.AddUser("rita")
	w.repo, err = w.AddRepository("acme/shop", RepositoryConfig{Files: Text(map[string]string{
		"app.py": "print('v1')\n", "deploy/cloudbuild.yaml": "steps: []\n",
	})})
	check(t, err)
	check(t, w.repo.SetRole(w.writer, "maintain"))
	w.installation = w.app.InstallOn(w.repo, nil)
	w.connect(t)
	return w
}

// connect makes real clients, which speak the real protocol.
func (w *world) connect(t *testing.T) {
	t.Helper()
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	apps, err := ghinstallation.NewAppsTransport(transport, w.app.ID, w.app.PrivateKeyPEM())
	check(t, err)
	apps.BaseURL = w.APIURL()
	w.transport = ghinstallation.NewFromAppsTransport(apps, w.installation.ID)
	w.client = w.clientOver(t, w.transport)
	w.asApp = w.clientOver(t, apps)
}

func (w *world) clientOver(t *testing.T, transport http.RoundTripper) *github.Client {
	t.Helper()
	client, err := github.NewClient(&http.Client{Transport: transport}).WithEnterpriseURLs(w.APIURL()+"/", w.APIURL()+"/")
	check(t, err)
	if !w.cfg.Enterprise {
		// WithEnterpriseURLs adds /api/v3/ to hosts that do not start with api.; on github.com there is no such prefix.
		client.BaseURL.Path = "/"
	}
	return client
}

func (w *world) receive(rw http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.hooks <- hook{r.Header, body}
	select {
	case status := <-w.answer:
		rw.WriteHeader(status)
	default:
	}
}

// await returns the first finished delivery of an event.
func (w *world) await(t *testing.T, event, action string) Delivery {
	t.Helper()
	return w.awaitMatch(t, func(d Delivery) bool { return d.Event == event && d.Action == action })
}

func (w *world) awaitMatch(t *testing.T, match func(Delivery) bool) Delivery {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	d, err := w.app.WaitForDelivery(ctx, match)
	check(t, err)
	return d
}

// openPull commits a change to a branch and opens a pull request from it.
func (w *world) openPull(t *testing.T, branch, content string) *PullRequest {
	t.Helper()
	_, err := w.repo.CommitFiles(Commit{
		Branch: branch, Message: "Change it", Author: w.writer, Files: Text(map[string]string{"app.py": content}),
	})
	check(t, err)
	pr, err := w.repo.OpenPullRequest(NewPullRequest{Title: "A change", Body: "why", Head: branch, Author: w.writer})
	check(t, err)
	return pr
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// status returns the HTTP status of an error of go-github, 0 for another error.
func status(err error) int {
	var response *http.Response
	if e, ok := errors.AsType[*github.ErrorResponse](err); ok {
		response = e.Response
	}
	if e, ok := errors.AsType[*github.RateLimitError](err); ok {
		response = e.Response
	}
	if e, ok := errors.AsType[*github.AbuseRateLimitError](err); ok {
		response = e.Response
	}
	if response == nil {
		return 0
	}
	return response.StatusCode
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
