package bot_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// effects are the writes of one process, to GitHub and to the record, in order. One of them
// may be spoiled.
type effects struct {
	*memoryRecord
	github http.RoundTripper

	nth   int   // the spoiled write, from 1; 0: none
	with  bool  // it is performed, and its reply lost
	crash bool  // after it, nothing of the process arrives any more
	late  *hold // it arrives late

	mu   sync.Mutex
	seen []string
	dead bool
}

// begin notes a write. It says whether the write is performed, and whether its answer
// arrives.
func (e *effects) begin(what string) (performed, answered bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.dead {
		return false, false
	}
	e.seen = append(e.seen, what)
	if len(e.seen) != e.nth {
		return true, true
	}
	if e.late != nil {
		e.mu.Unlock()
		e.late.wait()
		e.mu.Lock()
		return true, true
	}
	e.dead = e.crash
	return e.with, false
}

// hold keeps a write from arriving until others have done theirs.
type hold struct{ reached, goOn chan struct{} }

func newHold() *hold { return &hold{make(chan struct{}), make(chan struct{})} }

func (h *hold) wait() {
	close(h.reached)
	<-h.goOn
}

// over reports whether the process has ended.
func (e *effects) over() bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.dead
}

// spoiled names the spoiled write; "" if there is none.
func (e *effects) spoiled() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.nth < 1 || e.nth > len(e.seen) {
		return ""
	}
	return e.seen[e.nth-1]
}

// recorded is a write to the record, among those to GitHub.
const recorded = "record"

// PublishGitHub is the publisher's only write to the record.
func (e *effects) PublishGitHub(ctx context.Context, rel *v1alpha1.Release, s v1alpha1.GitHubStatus) error {
	performed, answered := e.begin(recorded)
	if performed {
		if err := e.memoryRecord.PublishGitHub(ctx, rel, s); err != nil {
			return err
		}
	}
	if !answered {
		return errDown
	}
	return nil
}

// numbers are what differs between requests of the same kind.
var numbers = regexp.MustCompile(`/[0-9]+`)

// RoundTrip sends a request to GitHub.
func (e *effects) RoundTrip(req *http.Request) (*http.Response, error) {
	if req.Method == http.MethodGet || strings.HasSuffix(req.URL.Path, "/access_tokens") {
		if e.over() {
			return nil, errDown
		}
		return e.github.RoundTrip(req)
	}
	_, path, _ := strings.Cut(req.URL.Path, "/acme/shop/")
	performed, answered := e.begin(req.Method + " " + numbers.ReplaceAllString(path, "/N"))
	if !performed {
		return nil, errDown
	}
	resp, err := e.github.RoundTrip(req)
	if err == nil && !answered {
		_ = resp.Body.Close()
		return nil, errDown
	}
	return resp, err
}

// publish lets processes publish a release, one after the other, each until it is done or
// ends. It must come last in a world: time passes in a bubble, where nobody may wait for a
// network.
func (w *world) publish(name string, processes ...*effects) {
	w.t.Helper()
	w.app.SetWebhookURL("")
	check(w.t, w.github.Wait(w.t.Context(), func() bool {
		return !slices.ContainsFunc(w.app.Deliveries(), func(d githubtest.Delivery) bool { return !d.Done })
	}))
	begin := time.Now()
	synctest.Test(w.t, func(t *testing.T) {
		time.Sleep(time.Until(begin))
		for _, e := range processes {
			e.memoryRecord, e.github = w.record, direct{w.github}
			p := w.publisherOver(e)
			p.Record, p.Grace, p.Apart = e, 0, 0
			e.run(t, p, name)
		}
	})
}

// run calls Publish as a queue does.
func (e *effects) run(t *testing.T, p *bot.Publisher, name string) {
	t.Helper()
	var again time.Duration
	var err error
	for range 60 {
		again, err = p.Publish(t.Context(), e.change(name, func(*v1alpha1.Release) {}))
		if e.over() || err == nil && again == 0 {
			return
		}
		time.Sleep(max(again, time.Second))
	}
	t.Errorf("not published after 60 calls: %v, to be called again in %s; the writes are %q", err, again, e.seen)
}

// publication is something that happened and that GitHub should show.
type publication struct {
	name string
	// happens makes it happen, and publishes what came before.
	happens func(w *world) (release string)
	// arrives has the writes that GitHub gets, and how often.
	arrives map[string]int
	// records is how often the record is written: before what must not happen twice, and at the end.
	records int
	// shown is what people see in the end.
	shown []string
}

var publications = []publication{
	{"a deploy that takes over from another", func(w *world) string {
		_, first := ended(w)
		untilPublished(w.t, w, w.publisher(), first.Name)
		_, commit := w.merge("second")
		return w.record.change(v1alpha1.DeployName("shop", commit, 1), live(v1alpha1.ReleaseSucceeded, 1)).Name
	}, map[string]int{
		"201 POST deployments":                          1,
		"201 POST deployments/{deployment_id}/statuses": 2, // the other's is inactive
		"201 POST issues/{issue_number}/comments":       1,
		"200 PATCH issues/comments/{comment_id}":        1, // users were moved on from the other
	}, 6, []string{
		"deploy: success inactive", "deploy: success",
		"#1 ### ☑️ shop: `VERSION` was live on green", "#2 ### ✅ shop: `VERSION` is live on green",
	}},
	{"a rollback that a comment asked for", func(w *world) string {
		pr, before, after := released(w)
		untilPublished(w.t, w, w.publisher(), after.Release)
		w.say(pr.Number, w.writer, "/rollback")
		return w.record.change(w.all()[0].Name, func(r *v1alpha1.Release) {
			live(v1alpha1.ReleaseSucceeded, 1)(r)
			r.Status.Milestones.Previous, r.Status.Milestones.Target = &after, before.Color
		}).Name
	}, map[string]int{
		"201 POST deployments/{deployment_id}/statuses":                   1, // what is left is inactive
		"200 PATCH issues/comments/{comment_id}":                          1,
		"201 POST issues/comments/{comment_id}/reactions":                 1,
		"204 DELETE issues/comments/{comment_id}/reactions/{reaction_id}": 1, // the eyes
	}, 3, []string{
		"deploy: success inactive", "#1 ### ↩️ shop: rolled back, `v1.0.0` is live on blue again",
		"#1 /rollback rocket", "#1 In response to",
	}},
}

// TestPublishSurvivesACrashAtEveryEffect spoils each write, to GitHub and to the record.
// Either the process ends with it, and another one continues; or the write fails, without
// effect or with its reply lost, and the process itself continues. A process that ends
// before a write leaves the same as one that ends with the write before, so that case is
// covered.
func TestPublishSurvivesACrashAtEveryEffect(t *testing.T) {
	for _, p := range publications {
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			for i := range p.undisturbed(t) {
				for _, e := range []*effects{
					{nth: i + 1, with: true, crash: true}, {nth: i + 1}, {nth: i + 1, with: true},
				} {
					t.Run(e.cell(), func(t *testing.T) {
						t.Parallel()
						p.spoil(t, e)
					})
				}
			}
		})
	}
}

// cell names what is spoiled.
func (e *effects) cell() string {
	end := "not performed"
	if e.with {
		end = "performed"
	}
	if e.crash {
		end = "the process ends"
	}
	return fmt.Sprintf("%d %s", e.nth, end)
}

// undisturbed returns the number of effects without a crash.
func (p publication) undisturbed(t *testing.T) int {
	t.Helper()
	w := newWorld(t)
	name := p.happens(w)
	since := len(w.github.Requests())
	var e effects
	w.publish(name, &e)
	if diff := cmp.Diff(p.arrives, w.arrived(since)); diff != "" {
		t.Fatalf("GitHub got (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(p.shown, w.shown()); diff != "" {
		t.Fatalf("GitHub shows (-want +got):\n%s", diff)
	}
	if n := e.toGitHub(); n != total(p.arrives) || len(e.seen)-n != p.records {
		t.Fatalf("of the writes %q, %d went to GitHub, want %d, and %d to the record", e.seen, n, total(p.arrives), p.records)
	}
	return len(e.seen)
}

// spoil runs the publication with one effect spoiled.
func (p publication) spoil(t *testing.T, e *effects) {
	t.Helper()
	w := newWorld(t)
	name := p.happens(w)
	since := len(w.github.Requests())
	processes := []*effects{e}
	if e.crash {
		processes = append(processes, &effects{})
	}
	w.publish(name, processes...)
	what := e.spoiled()
	if what == "" || e.over() != e.crash {
		t.Fatalf("the connection was not broken; the writes are %q", e.seen)
	}
	want, got, shown := maps.Clone(p.arrives), w.arrived(since), slices.Clone(p.shown)
	if !e.crash && strings.Contains(what, "reactions") {
		lessDecorated(what, e.with, want, shown)
	}
	allowRepetition(want, got, e.crash)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("%s: GitHub got (-want +got):\n%s", what, diff)
	}
	if diff := cmp.Diff(shown, w.shown()); diff != "" {
		t.Errorf("%s: GitHub shows (-want +got):\n%s", what, diff)
	}
}

// lessDecorated removes what is not retried: a reaction is decoration.
func lessDecorated(what string, performed bool, arrives map[string]int, shown []string) {
	const set, takenBack = "201 POST issues/comments/{comment_id}/reactions",
		"204 DELETE issues/comments/{comment_id}/reactions/{reaction_id}"
	left := "eyes rocket"
	switch posted := strings.HasPrefix(what, http.MethodPost); {
	case posted && !performed:
		delete(arrives, set)
		delete(arrives, takenBack)
		left = "eyes"
	case posted || !performed:
		delete(arrives, takenBack)
	default:
		left = "rocket"
	}
	for i, line := range shown {
		shown[i] = strings.Replace(line, "/rollback rocket", "/rollback "+left, 1)
	}
}

// allowRepetition accepts a repeated edit or reaction: the result is the same, and GitHub
// does not answer a repeated reaction as a new one. After a crash, every comment whose outcome was
// not recorded is edited once more.
func allowRepetition(want, got map[string]int, crash bool) {
	const edit, react = "200 PATCH issues/comments/{comment_id}", "200 POST issues/comments/{comment_id}/reactions"
	most := map[string]int{edit: want[edit] + 1, react: want[react] + 1}
	if crash {
		most[edit] = 2*want[edit] + want["201 POST issues/{issue_number}/comments"]
	}
	for what, most := range most {
		if got[what] > want[what] && got[what] <= most {
			want[what] = got[what]
		}
	}
}

func total(counts map[string]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}

// toGitHub counts the writes to GitHub.
func (e *effects) toGitHub() (n int) {
	for _, what := range e.seen {
		if strings.Contains(what, " ") {
			n++
		}
	}
	return n
}

// arrived counts what GitHub executed since its nth request, by answer.
func (w *world) arrived(since int) map[string]int {
	all := map[string]int{}
	for _, r := range w.github.Requests()[since:] {
		if r.Method != http.MethodGet && !strings.Contains(r.Route, "access_tokens") {
			all[fmt.Sprintf("%d %s %s", r.Status, r.Method, strings.TrimPrefix(r.Route, "/repos/{owner}/{repo}/"))]++
		}
	}
	return all
}

var (
	markers  = regexp.MustCompile(`<!-- .* -->\n+`)
	versions = regexp.MustCompile("`[0-9a-f]{7}`")
)

// shown is what people see on GitHub: each deployment with its states, and each comment
// with its beginning and its reactions.
func (w *world) shown() []string {
	var all []string
	for _, d := range w.repo.Deployments() {
		all = append(all, d.Task+": "+states(d))
	}
	for number := 1; number <= 2; number++ {
		for _, c := range w.repo.Comments(number) {
			line, _, _ := strings.Cut(versions.ReplaceAllString(markers.ReplaceAllString(c.Body, ""), "`VERSION`"), " · ")
			line, _, _ = strings.Cut(line, " [this]")
			all = append(all, strings.TrimSpace(fmt.Sprintf("#%d %s %s", number, line, reactions(c))))
		}
	}
	return all
}
