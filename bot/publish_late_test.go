package bot_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubapp"
)

// asking matches requests by method and a pattern of the path.
type asking struct {
	method string
	path   *regexp.Regexp
}

func (a asking) matches(req *http.Request) bool {
	return req.Method == a.method && a.path.MatchString(req.URL.Path)
}

var (
	createsDeployment = asking{"POST", regexp.MustCompile(`/deployments$`)}
	listsDeployments  = asking{"GET", regexp.MustCompile(`/deployments$`)}
	postsState        = asking{"POST", regexp.MustCompile(`/statuses$`)}
	listsStates       = asking{"GET", regexp.MustCompile(`/statuses$`)}
	createsComment    = asking{"POST", regexp.MustCompile(`/issues/\d+/comments$`)}
	listsComments     = asking{"GET", regexp.MustCompile(`/issues/\d+/comments$`)}
	editsComment      = asking{"PATCH", regexp.MustCompile(`/issues/comments/\d+$`)}
)

// network is the network between the bot and GitHub.
type network struct {
	to http.RoundTripper

	mu     sync.Mutex
	delays []*delay
	lags   []lag
	loses  []asking                             // each loses the answer of one request
	fakes  []func(*http.Request) *http.Response // answers instead of GitHub, unless nil
}

// delay makes one request late: for the bot the connection breaks, and GitHub gets the
// request after it has answered another one.
type delay struct {
	request, after asking
	held           *http.Request
	body           []byte
	done           bool
}

// lag hides from a list what was created recently.
type lag struct {
	list, create asking
	by           time.Duration
	created      *time.Time
	hid          int // how many lists hid something
}

// refuses answers requests with a status that is not a rate limit.
func refuses(request asking, status int) func(*http.Request) *http.Response {
	return func(req *http.Request) *http.Response {
		if !request.matches(req) {
			return nil
		}
		return answer(req, status, `{"message":"No way","documentation_url":"https://docs.github.com/rest"}`)
	}
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var body []byte
	if req.Body != nil {
		body, _ = io.ReadAll(req.Body)
	}
	for _, fake := range n.fakes {
		if resp := fake(req); resp != nil {
			return resp, nil
		}
	}
	for _, d := range n.delays {
		if !d.done && d.held == nil && d.request.matches(req) {
			d.held, d.body = req.Clone(req.Context()), body
			return nil, errors.New("the connection broke")
		}
	}
	for i, l := range n.lags {
		if l.list.matches(req) && l.created != nil && time.Since(*l.created) < l.by {
			n.lags[i].hid++
			return answer(req, http.StatusOK, "[]"), nil
		}
	}
	resp, err := n.forward(req, body)
	for i := range n.lags {
		if n.lags[i].create.matches(req) && n.lags[i].created == nil {
			now := time.Now()
			n.lags[i].created = &now
		}
	}
	for _, d := range n.delays {
		if !d.done && d.held != nil && d.after.matches(req) {
			d.done = true
			if _, err := n.forward(d.held.WithContext(req.Context()), d.body); err != nil {
				return nil, fmt.Errorf("delivering the late request: %w", err)
			}
		}
	}
	for i, lost := range n.loses {
		if lost.matches(req) {
			n.loses = slices.Delete(n.loses, i, i+1)
			return nil, errors.New("the connection broke")
		}
	}
	return resp, err
}

func (n *network) forward(req *http.Request, body []byte) (*http.Response, error) {
	req.Body = io.NopCloser(bytes.NewReader(body))
	return n.to.RoundTrip(req)
}

func answer(req *http.Request, status int, body string) *http.Response {
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: req,
		Header: http.Header{"Content-Type": {"application/json; charset=utf-8"}}, Body: io.NopCloser(strings.NewReader(body)),
	}
}

// publisherOver returns a publisher without memory that reaches GitHub over a network.
func (w *world) publisherOver(n http.RoundTripper) *bot.Publisher {
	w.t.Helper()
	p := w.publisher()
	p.GitHub = w.clientOver(n)
	return p
}

func (w *world) clientOver(n http.RoundTripper) *githubapp.Client {
	w.t.Helper()
	client, err := githubapp.New(githubapp.Config{URL: w.github.URL(), AppID: w.app.ID, PrivateKey: w.app.PrivateKeyPEM(), Transport: n})
	check(w.t, err)
	return client
}

// expectOnce checks that GitHub shows one deployment in use, a success, and one comment
// that says so.
func (w *world) expectOnce(pr int) {
	w.t.Helper()
	var used []string
	for _, d := range w.repo.Deployments() {
		if d.State() != "inactive" {
			used = append(used, d.State())
		}
	}
	if len(used) != 1 || used[0] != "success" {
		w.t.Errorf("deployments in use %q, want one: success", used)
	}
	if answers := w.answers(pr); len(answers) != 1 || !strings.Contains(answers[0], "is live on") {
		w.t.Errorf("%d comments, want one that shows what is live:\n%s", len(answers), strings.Join(answers, "\n---\n"))
	}
	for _, rel := range w.all() {
		if st := rel.Status.GitHub; st.DoubtSince != nil || st.DeploymentStateIntended != "" || st.Published == "" {
			w.t.Errorf("%s is not settled: %+v", rel.Name, st)
		}
	}
}

// TestWhatArrivesAfterTheSearchIsLeftOnce delays each write past the search for it, and
// past its repetition.
func TestWhatArrivesAfterTheSearchIsLeftOnce(t *testing.T) {
	for name, d := range map[string]delay{
		"deployment, after the search":     {request: createsDeployment, after: listsDeployments},
		"deployment, after the second one": {request: createsDeployment, after: createsDeployment},
		"state, after the question":        {request: postsState, after: listsStates},
		"state, after the second one":      {request: postsState, after: postsState},
		"comment, after the first search":  {request: createsComment, after: listsComments},
		"comment, after the second one":    {request: createsComment, after: createsComment},
		"deployment, after the comment":    {request: createsDeployment, after: createsComment},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			n := &network{to: http.DefaultTransport, delays: []*delay{&d}}
			if _, err := w.publisherOver(n).Publish(t.Context(), rel); err == nil {
				t.Error("the broken connection did not show")
			}
			untilPublished(t, w, w.publisherOver(n), rel.Name)
			if d.held == nil || !d.done {
				t.Fatalf("the late request did not arrive: %+v", d)
			}
			w.expectOnce(pr.Number)
		})
	}
}

// TestLateWriteDoesNotTakeBackTheNext: a state or a text arrives after a later one.
func TestLateWriteDoesNotTakeBackTheNext(t *testing.T) {
	for name, d := range map[string]delay{
		"state": {request: postsState, after: postsState},
		"edit":  {request: editsComment, after: editsComment},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			pr, commit := w.merge("feature")
			release := v1alpha1.DeployName("shop", commit, 1)
			untilPublished(t, w, w.publisher(), w.record.change(release, bottest.Building).Name)
			n := &network{to: http.DefaultTransport, delays: []*delay{&d}}
			rel := w.record.change(release, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseWaiting) })
			if _, err := w.publisherOver(n).Publish(t.Context(), rel); err == nil {
				t.Error("the broken connection did not show")
			}
			w.record.change(release, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
			untilPublished(t, w, w.publisherOver(n), release)
			if !d.done {
				t.Fatal("the late request did not arrive")
			}
			w.expectOnce(pr.Number)
		})
	}
}

// TestListThatLagsMakesNothingTwice: the answer to a creation is lost, and the list shows
// the new object late, or so late that it is created twice.
func TestListThatLagsMakesNothingTwice(t *testing.T) {
	deployment := lag{list: listsDeployments, create: createsDeployment}
	comment := lag{list: listsComments, create: createsComment}
	for _, tt := range []struct {
		name  string
		lag   lag
		by    time.Duration
		hides int // lists
		posts string
	}{
		{"deployment", deployment, 5 * time.Second, 0, "1 × POST deployments"}, // the search begins after that
		{"deployment, for long", deployment, 30 * time.Second, 1, "2 × POST deployments"},
		{"comment", comment, 5 * time.Second, 0, "1 × POST issues/{issue_number}/comments"},
		{"comment, for long", comment, 30 * time.Second, 1, "2 × POST issues/{issue_number}/comments"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			pr, rel := ended(w)
			w.app.SetWebhookURL("")
			tt.lag.by = tt.by
			n := &network{to: direct{w.github}, lags: []lag{tt.lag}, loses: []asking{tt.lag.create}}
			synctest.Test(t, func(t *testing.T) {
				p := w.publisherOver(n)
				p.Grace, p.Apart = 0, 0
				for range 600 {
					again, err := p.Publish(t.Context(), w.record.change(rel.Name, func(*v1alpha1.Release) {}))
					if err == nil && again == 0 {
						return
					}
					time.Sleep(max(again, time.Second))
				}
				t.Error("not published after 10 minutes")
			})
			w.expectOnce(pr.Number)
			if n.lags[0].hid != tt.hides || len(n.loses) > 0 {
				t.Errorf("%d lists hid the object, want %d; %d answers were not lost", n.lags[0].hid, tt.hides, len(n.loses))
			}
			if got := count(w.github.Requests()); !strings.Contains(got, tt.posts) {
				t.Errorf("requests:\n%s\nwant %s", got, tt.posts)
			}
		})
	}
}
