package bot_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// world is a GitHub with one repository, the App installed on it, its webhook answered by
// the bot, people of all kinds, and a record.
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *githubtest.App
	repo   *githubtest.Repository
	writer *githubtest.User
	reader *githubtest.User

	record *memoryRecord
	client *githubapp.Client
	inbox  *bot.Inbox
	hooks  *httptest.Server

	working   sync.Mutex
	processes int
}

const secret = "it is a secret of its own"

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t, githubtest.Config{Enterprise: true}), record: newRecord()}
	w.record.add(bottest.Shop())
	var err error
	manifest := readManifest(t)
	w.app, err = w.github.AddApp(githubtest.AppConfig{
		Slug: "turnout", WebhookSecret: secret, Events: manifest.Events, Permissions: manifest.Permissions,
	})
	check(t, err)
	w.writer, w.reader = w.github.AddUser("wanda"), w.github.AddUser("rita")
	w.repo, err = w.github.AddRepository("acme/shop", githubtest.RepositoryConfig{
		Files: githubtest.Text(map[string]string{"app.py": "print('v1')\n", "cloudbuild.yaml": "steps: []\n"}),
	})
	check(t, err)
	check(t, w.repo.SetRole(w.writer, "maintain"))
	w.client = w.newClient()
	w.inbox = w.process()
	w.listen()
	w.app.InstallOn(w.repo, nil)
	return w
}

// manifest has the permissions that app.yml asks for: no test has more.
type manifest struct {
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"`
}

func readManifest(t *testing.T) manifest {
	t.Helper()
	raw, err := os.ReadFile("../app.yml")
	check(t, err)
	var m manifest
	check(t, yaml.Unmarshal(raw, &m))
	return m
}

func (w *world) newClient() *githubapp.Client {
	w.t.Helper()
	c, err := githubapp.New(githubapp.Config{URL: w.github.URL(), AppID: w.app.ID, PrivateKey: w.app.PrivateKeyPEM()})
	check(w.t, err)
	return c
}

// process is the inbox of a new process: it remembers nothing.
func (w *world) process() *bot.Inbox {
	w.processes++
	return &bot.Inbox{
		Record: w.record, Deliveries: w.record, GitHub: w.client, Holder: fmt.Sprintf("process-%d", w.processes),
		Grace: time.Nanosecond, Backoff: time.Nanosecond, Log: slog.New(slog.DiscardHandler),
	}
}

// receive stores an event, as every replica does, and handles it, as the leader does, so
// that waiting for the answer includes both. An event that stores nothing, such as that of
// the bot's own reply, starts no work.
func (w *world) receive(ctx context.Context, e bot.Event) error {
	before := w.record.putsSoFar()
	if err := w.inbox.Handle(ctx, e); err != nil {
		return err
	}
	if w.record.putsSoFar() > before {
		w.work(context.WithoutCancel(ctx))
	}
	return nil
}

// work handles once whatever is pending.
func (w *world) work(ctx context.Context) {
	w.working.Lock()
	defer w.working.Unlock()
	all, err := w.record.List(ctx)
	if err != nil {
		return
	}
	for _, d := range all {
		if !d.Status.Phase.Finished() { // as the watch does: each would take a push's turn
			_, _ = w.inbox.Work(ctx, d.Name)
		}
	}
}

// pending returns the deliveries that are not handled yet.
func (w *world) pending() []v1alpha1.Delivery {
	w.t.Helper()
	all, err := w.record.List(w.t.Context())
	check(w.t, err)
	return slices.DeleteFunc(all, func(d v1alpha1.Delivery) bool { return d.Status.Phase.Finished() })
}

// listen starts the bot's webhook.
func (w *world) listen() {
	secrets, err := bot.NewSecrets(secret)
	check(w.t, err)
	w.hooks = httptest.NewServer(&bot.Webhook{Secrets: secrets, Handle: w.receive, Log: slog.New(slog.DiscardHandler)})
	w.t.Cleanup(w.hooks.Close)
	w.app.SetWebhookURL(w.hooks.URL)
}

// publisher returns a publisher without memory, as after a restart.
func (w *world) publisher() *bot.Publisher {
	return &bot.Publisher{
		GitHub: w.client, Record: w.record, Known: w.record, Web: "https://github.com",
		Grace: time.Nanosecond, Apart: time.Nanosecond, Log: slog.New(slog.DiscardHandler),
	}
}

// delivered waits for the first finished delivery of an event that matches.
func (w *world) delivered(event string, match func(githubtest.Delivery) bool) githubtest.Delivery {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	d, err := w.app.WaitForDelivery(ctx, func(d githubtest.Delivery) bool { return d.Event == event && d.Done && match(d) })
	check(w.t, err)
	return d
}

// open opens a pull request with a change of the application.
func (w *world) open(branch string) *githubtest.PullRequest {
	w.t.Helper()
	_, err := w.repo.CommitFiles(githubtest.Commit{
		Branch: branch, Message: "Change it", Author: w.writer,
		Files: githubtest.Text(map[string]string{"app.py": fmt.Sprintf("print(%q)\n", branch)}),
	})
	check(w.t, err)
	pr, err := w.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "A change", Head: branch, Author: w.writer})
	check(w.t, err)
	return pr
}

// merge opens and merges a pull request, and waits for the answer to its push.
func (w *world) merge(branch string) (*githubtest.PullRequest, string) {
	w.t.Helper()
	pr := w.open(branch)
	commit, err := pr.Merge(w.writer)
	check(w.t, err)
	w.delivered("push", func(d githubtest.Delivery) bool { return strings.Contains(string(d.Payload), `"after":"`+commit+`"`) })
	return pr, commit
}

// say comments on a pull request and waits for the bot's answer.
func (w *world) say(number int, who *githubtest.User, body string) githubtest.Comment {
	w.t.Helper()
	c, err := w.repo.Comment(number, who, body)
	check(w.t, err)
	w.delivered("issue_comment", func(d githubtest.Delivery) bool {
		return d.Action == "created" && strings.Contains(string(d.Payload), fmt.Sprintf(`"id":%d,`, c.ID))
	})
	for _, now := range w.repo.Comments(number) {
		if now.ID == c.ID {
			return now
		}
	}
	w.t.Fatalf("comment %d is gone", c.ID)
	return githubtest.Comment{}
}

// answers returns the bot's comments on a pull request.
func (w *world) answers(number int) []string {
	var bodies []string
	for _, c := range w.repo.Comments(number) {
		if c.App != nil {
			bodies = append(bodies, c.Body)
		}
	}
	return bodies
}

// only returns the only release in the record.
func (w *world) only() v1alpha1.Release {
	w.t.Helper()
	all := w.all()
	if len(all) != 1 {
		w.t.Fatalf("%d releases in the record, want 1", len(all))
	}
	return all[0]
}

// all returns the releases of shop, newest first.
func (w *world) all() []v1alpha1.Release {
	w.t.Helper()
	app := bottest.Shop()
	all, err := w.record.Releases(w.t.Context(), keyOf(&app))
	check(w.t, err)
	return all
}

// reactions returns the contents of a comment's reactions.
func reactions(c githubtest.Comment) string {
	var all []string
	for _, r := range c.Reactions {
		all = append(all, r.Content)
	}
	return strings.Join(all, " ")
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
