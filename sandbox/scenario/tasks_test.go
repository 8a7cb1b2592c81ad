package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// tick is how often the scheduler of these tests is due. A pod on a busy machine is late by less.
	tick = 3 * time.Second
	// restart is how long a scheduler may take from its end to the start of the next one: its grace, and a
	// pod's start.
	restart = 30*time.Second + 30*time.Second
)

// owes puts tasks into a colour's queue, as its pods do.
func (s *djangoShop) owes(n int, queue v1alpha1.Color) {
	s.t.Helper()
	s.query(fmt.Sprintf("WITH made AS (INSERT INTO orders_order (buyer, confirmed) SELECT 'of many', false FROM generate_series(1, %d) "+
		"RETURNING id) INSERT INTO orders_task (order_id, queue) SELECT id, '%s' FROM made", n, queue))
}

// left is the condition for tasks of a colour's queue that are not done.
func left(queue v1alpha1.Color) string {
	return fmt.Sprintf("FROM orders_task WHERE queue = '%s' AND done_at IS NULL", queue)
}

// holds keeps the last task of a colour's queue from being done, as if somebody worked on it, until letGo.
func (s *djangoShop) holds(queue v1alpha1.Color) (letGo func()) {
	s.t.Helper()
	mark, ended := "/* holds "+string(queue)+" */", make(chan struct{})
	go func() {
		defer close(ended)
		_, _ = s.server.Query(s.t.Context(), s.database,
			mark+" SELECT id "+left(queue)+" ORDER BY id DESC LIMIT 1 FOR UPDATE; SELECT pg_sleep(1800)") // ends with its connection
	}()
	mine := "FROM pg_stat_activity WHERE query LIKE '" + mark + "%'"
	s.await("a task of "+string(queue)+" to be held", func(context.Context) (bool, string) {
		held := s.query("SELECT count(*) " + mine + " AND wait_event = 'PgSleep'")
		return held == "1", held
	})
	return func() {
		s.t.Helper()
		s.query("SELECT pg_terminate_backend(pid) " + mine)
		<-ended
	}
}

// worker is the Deployment of a colour's workers.
func worker(color v1alpha1.Color) string { return djangoApp + "-worker-" + string(color) }

// size is how many workers a colour shall have.
func (s *djangoShop) size(color v1alpha1.Color) int32 {
	s.t.Helper()
	var d appsv1.Deployment
	if err := running.kube.Get(s.t.Context(), s.key(worker(color)), &d); err != nil {
		s.t.Fatal(err)
	}
	return *d.Spec.Replicas
}

// awaitStopped waits until a colour has no workers.
func (s *djangoShop) awaitStopped(color v1alpha1.Color) {
	s.t.Helper()
	s.await("the workers of "+string(color)+" to be stopped", func(context.Context) (bool, string) {
		size, bg := s.size(color), &v1alpha1.BlueGreen{}
		if err := running.kube.Get(s.t.Context(), s.key(djangoApp), bg); err != nil {
			return false, err.Error()
		}
		return size == 0 && bg.Status.WorkersOwed == nil, fmt.Sprintf("%d of them, owed: %+v", size, bg.Status.WorkersOwed)
	})
}

// awaitKept waits until a colour's workers have said that their queue is not empty, and work on.
func (s *djangoShop) awaitKept(color v1alpha1.Color) {
	s.t.Helper()
	s.await("the workers of "+string(color)+" to have tasks left", func(ctx context.Context) (bool, string) {
		bg := &v1alpha1.BlueGreen{}
		if err := running.kube.Get(ctx, s.key(djangoApp), bg); err != nil {
			return false, err.Error()
		}
		owed := bg.Status.WorkersOwed
		return owed != nil && len(owed.Kept) == 1 && owed.Kept[0].Deployment == worker(color) &&
			owed.Kept[0].State == v1alpha1.ReasonTasksLeft && s.size(color) == 2, fmt.Sprintf("%+v", owed)
	})
}

// watchesWorkers sees whether workers are stopped while their queue has tasks. stop returns what it saw.
func (s *djangoShop) watchesWorkers() (stop func() (stopped int, early []string)) {
	s.t.Helper()
	w, err := running.kube.Watch(s.t.Context(), &appsv1.DeploymentList{}, client.InNamespace(s.namespace))
	if err != nil {
		s.t.Fatal(err)
	}
	ended, sizes := make(chan struct{}), map[string]int32{}
	var stopped int
	var early []string
	go func() {
		defer close(ended)
		for e := range w.ResultChan() {
			d, ok := e.Object.(*appsv1.Deployment)
			if !ok || !strings.HasPrefix(d.Name, djangoApp+"-worker-") {
				continue
			}
			before := sizes[d.Name]
			if sizes[d.Name] = *d.Spec.Replicas; before == 0 || *d.Spec.Replicas != 0 {
				continue
			}
			stopped++
			tasks, err := s.server.Query(s.t.Context(), s.database, "SELECT count(*) "+left(v1alpha1.Color(d.Labels["version"])))
			if tasks != "0" || err != nil {
				early = append(early, fmt.Sprint(d.Name, " was stopped with this many tasks left: ", tasks, err))
			}
		}
	}()
	return func() (int, []string) {
		w.Stop()
		<-ended
		return stopped, early
	}
}

// ticks makes the scheduler due every [tick], and returns the number of the run with which that begins.
func (s *djangoShop) ticks() (from string) {
	s.t.Helper()
	const patch = `{"spec":{"template":{"spec":{"containers":[{"name":"app","env":[{"name":"TICK_SECONDS","value":"%g"}]}]}}}}`
	d := &appsv1.Deployment{}
	d.Namespace, d.Name = s.namespace, djangoApp+"-scheduler"
	if err := running.kube.Patch(s.t.Context(), d, client.RawPatch(types.StrategicMergePatchType,
		fmt.Appendf(nil, patch, tick.Seconds()))); err != nil {
		s.t.Fatal(err)
	}
	s.await("the scheduler to be due every "+tick.String(), func(context.Context) (bool, string) {
		from = s.query("SELECT run_id FROM orders_tick GROUP BY run_id HAVING count(*) > 1")
		return from != "", s.query("SELECT * FROM orders_schedulerrun")
	})
	return from
}

// run is one of the scheduler, in seconds since 1970.
type run struct {
	Started, Stopped, First, Last, Gap float64
}

// expectTicks checks that the scheduler missed nothing but what its grace and its start explain: while it
// ran it was always due in time, until it was told to stop, and at once after its start.
func (s *djangoShop) expectTicks(from string, runs int) {
	s.t.Helper()
	var all []run
	text := s.query("WITH t AS (SELECT run_id, at, at - lag(at) OVER (PARTITION BY run_id ORDER BY at) AS gap FROM orders_tick) " +
		"SELECT json_agg(x ORDER BY x.started) FROM (SELECT extract(epoch FROM r.started_at) AS started, " +
		"extract(epoch FROM coalesce(r.stopped_at, now())) AS stopped, extract(epoch FROM min(t.at)) AS first, " +
		"extract(epoch FROM max(t.at)) AS last, coalesce(extract(epoch FROM max(t.gap)), 0) AS gap " +
		"FROM orders_schedulerrun r JOIN t ON t.run_id = r.id WHERE r.id >= " + from + " GROUP BY r.id) x")
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		s.t.Fatal(err, text)
	}
	if len(all) != runs {
		s.t.Errorf("the scheduler ran %d times, want %d: %+v", len(all), runs, all)
	}
	missed := 2 * tick.Seconds()
	for i, r := range all {
		if worst := max(r.Gap, r.First-r.Started, r.Stopped-r.Last); worst >= missed {
			s.t.Errorf("run %d of the scheduler missed something: it was not due for %g s: %+v", i, worst, r)
		}
		if i > 0 && (r.Started < all[i-1].Stopped || r.Started-all[i-1].Stopped > restart.Seconds()) {
			s.t.Errorf("run %d of the scheduler began %g s after the end of the one before", i, r.Started-all[i-1].Stopped)
		}
	}
}

// A new version ships and is taken back, with a queue for each colour, half of 10,000 tasks in each of them, and
// a crash of turnout. Users make more of them all the while. Every task is done once, and by the version that it
// is of. The test is not parallel: the others need turnout.
func TestEveryTaskIsDoneOnceByItsOwnVersion(t *testing.T) {
	const n = 10_000
	s := newDjangoShop(t, "zero-tasks")
	s.set(`{"soak":"2s","drain":"2s","hold":"1h"}`)
	const first = "v1.0.0+first"
	s.awaitEverywhere("/", first)
	from := s.ticks()
	c, stop := s.buys(20), s.watchesWorkers()
	s.owes(n/2, v1alpha1.Blue)
	finish := s.holds(v1alpha1.Blue)
	pr := s.renames()
	second := "v2.0.0+" + pr.MergeCommit()[:12]
	s.follow(pr, "the deploy", in(v1alpha1.ReleaseSucceeded))
	s.awaitEverywhere("/", second)
	s.owes(n/2, v1alpha1.Green)
	finishNew := s.holds(v1alpha1.Green)
	s.awaitKept(v1alpha1.Blue)
	check(t, running.turnout.Kill())
	check(t, running.turnout.Run(t.Context()))
	s.comment(pr.Number, running.writer, "/rollback")
	s.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	s.awaitEverywhere("/", first)
	s.awaitKept(v1alpha1.Green)
	finish()
	finishNew()
	s.awaitStopped(v1alpha1.Green)
	c.leave()
	s.expectNothingLost(c)
	if stopped, early := stop(); stopped != 1 || len(early) > 0 {
		t.Errorf("workers were stopped %d times, want once, after the rollback: %q", stopped, early)
	}
	if more := s.query(fmt.Sprintf("SELECT count(*) - %d FROM orders_completion", n)); strings.HasPrefix(more, "-") {
		t.Errorf("%s tasks were done of %d that were put into the queues alone", more, n)
	}
	by := strings.Split(s.query("SELECT DISTINCT t.queue, c.version FROM orders_completion c JOIN orders_task t ON t.id = c.task_id "+
		"ORDER BY 1"), "\n")
	if want := []string{"blue|" + first, "green|" + second}; !slices.Equal(by, want) {
		t.Errorf("the queues' tasks were done by %q, want %q: each version does its own", by, want)
	}
	s.expectTicks(from, 3)
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
