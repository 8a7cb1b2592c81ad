package scenario

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/postgres"
)

const djangoApp = "my-django-app"

// djangoShop is a Django application with its database.
type djangoShop struct {
	*newcomer
	server   *postgres.Server
	database string
}

// newDjangoShop ships examples/django-app from zero. Where the machine lacks what the sandbox cannot
// install, the test is skipped, unless TURNOUT_TEST_DJANGO is set, as .ci/run does.
func newDjangoShop(t *testing.T, namespace string) *djangoShop {
	t.Helper()
	server, missing := postgres.Running()
	if _, err := exec.LookPath("gunicorn"); err != nil {
		missing = errors.Join(missing, err)
	}
	python := "python3"
	if p := os.Getenv("TURNOUT_SANDBOX_PYTHON"); p != "" {
		python = p
	}
	if out, err := exec.CommandContext(t.Context(), python, "-c", "import django, psycopg2").CombinedOutput(); err != nil {
		missing = errors.Join(missing, fmt.Errorf("%w: %s", err, out))
	}
	switch {
	case missing != nil && os.Getenv("TURNOUT_TEST_DJANGO") != "":
		t.Fatal(missing)
	case missing != nil:
		skipped.Store(true)
		t.Skip("there is no PostgreSQL, Django, psycopg2 or gunicorn; on Debian: " +
			"apt-get install postgresql python3-django python3-psycopg2 gunicorn, and TURNOUT_SANDBOX_PYTHON=/usr/bin/python3")
	}
	s := &djangoShop{newcomer: newNewcomer(t, namespace, django), server: server, database: strings.ReplaceAll(namespace, "-", "_")}
	if err := server.Create(t.Context(), s.database); err != nil {
		t.Fatal(err)
	}
	s.words = []string{"ADDRESS", server.Dir, "DBNAME", s.database, "DBUSER", postgres.Owner, "DBPASSWORD", "none"}
	s.ships(nil, djangoApp)
	return s
}

// set changes the BlueGreen's spec.
func (s *djangoShop) set(spec string) {
	s.t.Helper()
	bg := &v1alpha1.BlueGreen{}
	bg.Namespace, bg.Name = s.namespace, djangoApp
	if err := running.kube.Patch(s.t.Context(), bg, client.RawPatch(types.MergePatchType, []byte(`{"spec":`+spec+`}`))); err != nil {
		s.t.Fatal(err)
	}
}

// query asks the database.
func (s *djangoShop) query(statement string) string {
	s.t.Helper()
	rows, err := s.server.Query(s.t.Context(), s.database, statement)
	if err != nil {
		s.t.Fatal(err)
	}
	return rows
}

// renames merges the example's folder rename/.
func (s *djangoShop) renames() *githubtest.PullRequest {
	s.t.Helper()
	files := map[string]string{}
	root := filepath.Join(django, "rename")
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		files[strings.TrimPrefix(path, root+"/")] = string(text)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.merge("Rename buyer", files)
}

// customers order and look at their orders, at a steady rate.
type customers struct {
	stop   context.CancelFunc
	asking sync.WaitGroup

	mu       sync.Mutex
	asked    int
	failures []string
	orders   map[int]string // the name on each order that was accepted
	numbers  []int
}

// ordered is what the application answers about an order.
type ordered struct {
	Order int
	Name  string
}

// buys lets customers send this many requests a second, half of them orders, until [customers.leave].
func (s *djangoShop) buys(perSecond int) *customers {
	s.t.Helper()
	ctx, stop := context.WithCancel(s.t.Context())
	c := &customers{stop: stop, orders: map[int]string{}}
	c.asking.Go(func() {
		for i, ticks := 0, time.Tick(time.Second/time.Duration(perSecond)); ctx.Err() == nil; i++ {
			c.asking.Go(func() { c.ask(ctx, s.host(), i) })
			<-ticks
		}
	})
	return c
}

// ask orders something or, every other time, looks at an order. What is under way when the customers
// leave does not count.
func (c *customers) ask(ctx context.Context, host string, i int) {
	name, number := fmt.Sprintf("customer %d", i), 0
	c.mu.Lock()
	if i%2 == 1 && len(c.numbers) > 0 {
		number = c.numbers[rand.IntN(len(c.numbers))]
		name = c.orders[number]
	}
	c.mu.Unlock()
	got, err := orderOrLook(ctx, host, name, number)
	if ctx.Err() != nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	switch {
	case err != nil:
		c.failures = append(c.failures, err.Error())
	case got.Name != name:
		c.failures = append(c.failures, fmt.Sprintf("order %d is of %q, want %q", got.Order, got.Name, name))
	case number == 0:
		c.orders[got.Order], c.numbers = name, append(c.numbers, got.Order)
	}
}

// orderOrLook makes an order, or asks for the one of this number.
func orderOrLook(ctx context.Context, host, name string, number int) (got ordered, err error) {
	method, path, body := http.MethodPost, "/orders", url.Values{"name": {name}}.Encode()
	if number != 0 {
		method, path, body = http.MethodGet, fmt.Sprintf("/orders/%d", number), ""
	}
	ask, err := http.NewRequestWithContext(ctx, method, running.WebURL+path, strings.NewReader(body))
	if err != nil {
		return got, err
	}
	ask.Host, ask.Close = host, true
	ask.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultClient.Do(ask)
	if err != nil {
		return got, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return got, err
	}
	if resp.StatusCode/100 != 2 {
		return got, fmt.Errorf("%s %s: %d %s", method, path, resp.StatusCode, text)
	}
	return got, json.Unmarshal(text, &got)
}

// leave ends the requests.
func (c *customers) leave() {
	c.stop()
	c.asking.Wait()
}

// expectNothingLost checks what users, the queue and the scheduler had of it all.
func (s *djangoShop) expectNothingLost(c *customers) {
	s.t.Helper()
	if len(c.failures) > 0 || c.asked < 500 {
		s.t.Errorf("%d of %d requests failed: %q", len(c.failures), c.asked, c.failures[:min(5, len(c.failures))])
	}
	s.await("the queue to be empty", func(context.Context) (bool, string) {
		left := s.query("SELECT count(*) FROM orders_task WHERE done_at IS NULL")
		return left == "0", left
	})
	rows := map[string]bool{}
	column := "buyer"
	if strings.Contains(s.columns(), "customer") {
		column = "customer"
	}
	for row := range strings.SplitSeq(s.query("SELECT id, "+column+" FROM orders_order"), "\n") {
		rows[row] = true
	}
	for number, name := range c.orders {
		if !rows[fmt.Sprintf("%d|%s", number, name)] {
			s.t.Errorf("order %d of %q, which was accepted, is not in the database", number, name)
		}
	}
	if wrong := s.query("SELECT t.id, count(c.id) FROM orders_task t LEFT JOIN orders_completion c ON c.task_id = t.id " +
		"GROUP BY t.id HAVING count(c.id) <> 1"); wrong != "" {
		s.t.Errorf("tasks that were not done exactly once: %s", wrong)
	}
	if both := s.query("SELECT a.id, b.id FROM orders_schedulerrun a, orders_schedulerrun b WHERE a.id < b.id " +
		"AND b.started_at < coalesce(a.stopped_at, 'infinity')"); both != "" {
		s.t.Errorf("two schedulers ran at the same time: %s", both)
	}
	s.t.Logf("%d requests, %d orders, %s tasks, %s runs of the scheduler", c.asked, len(c.orders),
		s.query("SELECT count(*) FROM orders_task"), s.query("SELECT count(*) FROM orders_schedulerrun"))
}

// expectPurge checks the image of the CronJob.
func (s *djangoShop) expectPurge(image string) {
	s.t.Helper()
	var j batchv1.CronJob
	if err := running.kube.Get(s.t.Context(), client.ObjectKey{Namespace: s.namespace, Name: djangoApp + "-purge"}, &j); err != nil {
		s.t.Fatal(err)
	}
	if got := j.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; got != image {
		s.t.Errorf("the CronJob has the image %s, want %s", got, image)
	}
}

// expectRefused asks for a rollback, and waits for an answer with this text. No release is made.
func (s *djangoShop) expectRefused(pr *githubtest.PullRequest, text string) {
	s.t.Helper()
	before := len(s.releases())
	asked := s.comment(pr.Number, running.writer, "/rollback")
	s.await("an answer to /rollback that says "+text, func(context.Context) (bool, string) {
		var answers []string
		for _, c := range s.repo.Comments(pr.Number) {
			if c.App != nil && c.ID > asked.ID {
				answers = append(answers, c.Body)
			}
		}
		all := strings.Join(answers, "\n---\n")
		return strings.Contains(all, text), all
	})
	if after := len(s.releases()); after != before {
		s.t.Errorf("there are %d releases after the refusal, want %d", after, before)
	}
}

// columns are those of the table of orders.
func (s *djangoShop) columns() string {
	s.t.Helper()
	return s.query("SELECT string_agg(column_name, ' ' ORDER BY column_name) FROM information_schema.columns " +
		"WHERE table_name = 'orders_order'")
}

// A column gets another name in two releases: expand, switch, contract. Users order all the while.
// /rollback brings them back before the contract, and is refused after it.
func TestDjangoRenamesAColumn(t *testing.T) {
	t.Parallel()
	s := newDjangoShop(t, "zero-django")
	s.set(`{"soak":"4s","drain":"2s","hold":"20s"}`)
	const first = "v1.0.0+first"
	s.awaitEverywhere("/", first)
	c := s.buys(100)
	pr := s.renames()
	second := "v2.0.0+" + pr.MergeCommit()[:12]
	s.follow(pr, "the new version to be watched", watched)
	s.awaitEverywhere("/", second)
	if got := s.columns(); got != "buyer confirmed customer gift id note" {
		t.Errorf("after the expand the columns are %s", got)
	}
	s.comment(pr.Number, running.writer, "/rollback")
	s.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	s.awaitEverywhere("/", first)

	again := func(rel *v1alpha1.Release) bool { return rel.Spec.Deploy != nil && rel.Spec.Deploy.Attempt == 2 }
	s.comment(pr.Number, running.writer, "/retry")
	s.followRelease("the second attempt to wait for a person", again, in(v1alpha1.ReleaseWaiting))
	s.comment(pr.Number, running.writer, "/promote")
	rel := s.followRelease("the second attempt", again, in(v1alpha1.ReleaseSucceeded))
	s.expectPurge(rel.Status.Milestones.Built.Image)
	s.awaitEverywhere("/", second)
	contract := func(rel *v1alpha1.Release) bool { return rel.Spec.Kind == v1alpha1.Contract }
	s.followRelease("the contract", contract, in(v1alpha1.ReleaseSucceeded))
	if got := s.columns(); got != "confirmed customer gift id note" {
		t.Errorf("after the contract the columns are %s", got)
	}
	s.expectRefused(pr, "is closed since")
	s.awaitEverywhere("/", second)
	c.leave()
	s.expectNothingLost(c)
}
