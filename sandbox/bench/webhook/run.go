package webhook

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/bench/proc"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// Options configure the measurement.
type Options struct {
	// Project is the project's folder.
	Project string
	// World is a running, bare sandbox.
	World *world.World
	// Dir is for Turnout's files.
	Dir string
	// PerSecond is how many webhooks are sent a second, and For is how long.
	PerSecond int
	For       time.Duration
	// Slower is how many times slower the API server is in the second part.
	Slower int
	// Patience bounds every wait.
	Patience time.Duration
	// Out gets a line for every measurement.
	Out io.Writer
}

// run is one measurement.
type run struct {
	Options
	kube client.WithWatch
	t    *turnout.Turnout
	api  *slowServer

	mu  sync.Mutex
	pid int // of the running process, for /proc
}

// Run measures. The world cannot be used for anything else afterwards.
func Run(ctx context.Context, o Options) (result Result, err error) {
	r := &run{Options: o}
	all, err := r.prepare(ctx)
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.api.Close()) }()
	sent := events(all, 2*r.size())
	if err := r.t.Run(ctx); err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, r.t.Stop()) }()
	r.runs(r.t.PID())
	if err := r.settled(ctx); err != nil {
		return result, err
	}
	result.Slower = r.Slower
	if result.Row, err = r.flood(ctx, sent[:r.size()], 1); err != nil {
		return result, err
	}
	if r.Slower < 2 {
		return result, nil
	}
	result.Slow, err = r.flood(ctx, sent[r.size():], r.Slower)
	return result, err
}

func (r *run) size() int { return int(float64(r.PerSecond) * r.For.Seconds()) }

// pushesEach is how many pushes an application gets in both parts, rounded up.
func (r *run) pushesEach() int { return 2*r.size()*parts[push]/100/applications + 2 }

// prepare makes everything that exists before Turnout starts.
func (r *run) prepare(ctx context.Context) ([]*source, error) {
	var err error
	if r.kube, err = turnout.Admin(r.World); err != nil {
		return nil, err
	}
	if r.t, err = turnout.Start(ctx, turnout.Options{Project: r.Project, World: r.World, Dir: r.Dir, LogLevel: "warn"}); err != nil {
		return nil, err
	}
	if err := r.t.Stop(); err != nil {
		return nil, err
	}
	all, err := r.sources(ctx)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if err := r.application(ctx, i); err != nil {
			return nil, err
		}
	}
	config, _, err := r.World.ControlPlane.User("turnout", nil)
	if err != nil {
		return nil, err
	}
	if r.api, err = newSlowServer(config); err != nil {
		return nil, err
	}
	kubeconfig, err := r.api.kubeconfig()
	if err != nil {
		return nil, err
	}
	return all, r.t.UseKubeconfig(kubeconfig)
}

func (r *run) application(ctx context.Context, i int) error {
	namespace := fmt.Sprintf("webhook-%02d", i/perNamespace)
	if i%perNamespace == 0 {
		err := r.kube.Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{
			Name: namespace, Annotations: map[string]string{v1alpha1.RepositoriesAnnotation: "acme/*", v1alpha1.ProjectsAnnotation: project},
		}})
		if err != nil {
			return fmt.Errorf("creating the namespace %s: %w", namespace, err)
		}
	}
	bg := &v1alpha1.BlueGreen{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: fmt.Sprintf("app-%03d", i)},
		Spec:       v1alpha1.BlueGreenSpec{Repository: repository(i), Branch: branch, Build: v1alpha1.BuildSpec{Project: project}},
	}
	if err := r.kube.Create(ctx, bg); err != nil {
		return fmt.Errorf("creating the application %s: %w", bg.Name, err)
	}
	return nil
}

// settled waits until every application was looked at.
func (r *run) settled(ctx context.Context) error {
	return r.until(ctx, "a look at every application", func() (bool, error) {
		var list v1alpha1.BlueGreenList
		if err := r.kube.List(ctx, &list); err != nil {
			return false, err
		}
		return !slices.ContainsFunc(list.Items, func(bg v1alpha1.BlueGreen) bool { return len(bg.Status.Conditions) == 0 }), nil
	})
}

// flood sends events at a steady rate, and counts what became of them.
func (r *run) flood(ctx context.Context, all []offered, slower int) (Row, error) {
	r.api.slow.times.Store(int64(slower))
	stop := r.t.KeepRunning(ctx, r.runs)
	row, err := r.counted(ctx, all)
	ended, stopErr := stop()
	row.Ended = ended
	r.progress("%d of %d pushes were not recorded at the end, %d are lost; all others were recorded %.0f s later; at most %.0f MB; %d ended",
		row.Recovered, row.Pushes, row.Lost, row.RecoveredS, row.RSS, row.Ended)
	return row, errors.Join(err, stopErr)
}

// counted sends the events while Turnout is kept running.
func (r *run) counted(ctx context.Context, all []offered) (Row, error) {
	before := r.use()
	earlier := len(r.t.App.Deliveries())
	due, err := r.send(ctx, all)
	if err != nil {
		return Row{}, err
	}
	used := r.use()
	var answered []githubtest.Delivery
	err = r.until(ctx, "the answers to all webhooks", func() (bool, error) {
		answered = r.t.App.Deliveries()[earlier:]
		return !slices.ContainsFunc(answered, func(d githubtest.Delivery) bool { return !d.Done }), nil
	})
	if err != nil {
		return Row{}, err
	}
	row := tally(answered, due, all)
	row.OfferedPerS = r.PerSecond
	row.CPU, row.Requests = used.since(before)
	r.progress("%d requests to the API server, processor time %v s; most of them:\n%s", row.Requests, row.CPU,
		strings.Join(used.most(before), "\n"))
	r.progress("%d offered, %d accepted, %d shed; p50 %.1f ms, p99 %.1f ms; of those written p50 %.1f ms, p99 %.1f ms", row.Offered,
		row.Accepted, row.Shed, row.P50, row.P99, row.PushP50, row.PushP99)
	r.api.slow.times.Store(1)
	row.RSS = r.memory()
	err = r.recovered(ctx, all, &row)
	row.RSS = max(row.RSS, r.memory())
	return row, err
}

// runs notes the process that runs.
func (r *run) runs(pid int) {
	outside, err := proc.Outside(pid)
	if err != nil { // it has ended
		outside = 0
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pid = outside
}

func (r *run) process() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.pid
}

// memory is the most that the process that runs ever had; 0 without one.
func (r *run) memory() float64 {
	use, err := proc.Memory(r.process())
	if err != nil {
		return 0
	}
	return use.Peak
}

// send sends each event when it is due, and returns when that was. GitHub does not wait for answers.
func (r *run) send(ctx context.Context, all []offered) ([]time.Time, error) {
	due := make([]time.Time, len(all))
	began := time.Now()
	every := time.Second / time.Duration(r.PerSecond)
	for i := range all {
		due[i] = began.Add(time.Duration(i) * every)
		if early := time.Until(due[i]); early > 0 {
			select {
			case <-time.After(early):
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
		r.t.App.Deliver(all[i].Delivery)
	}
	return due, nil
}

// recovered waits until every push is recorded, also what the sweep has to find.
func (r *run) recovered(ctx context.Context, all []offered, row *Row) error {
	began := time.Now()
	first := true
	err := r.until(ctx, "every push to be recorded", func() (bool, error) {
		have, err := r.recorded(ctx)
		if err != nil {
			return false, err
		}
		missing := map[string]bool{}
		for _, e := range all {
			if e.commit != "" && !have[e.commit] {
				missing[e.commit] = true
			}
		}
		row.Lost = len(missing)
		if first {
			row.Recovered, first = len(missing), false
		}
		return len(missing) == 0, nil
	})
	row.Recovered -= row.Lost
	row.RecoveredS = time.Since(began).Seconds()
	if row.Lost > 0 && ctx.Err() == nil {
		return nil // Check reports it
	}
	return err
}

// recorded are the commits of every push that is on record: as a delivery, or as the release that it
// became, which is kept longer.
func (r *run) recorded(ctx context.Context) (map[string]bool, error) {
	var deliveries v1alpha1.DeliveryList
	var releases v1alpha1.ReleaseList
	if err := errors.Join(r.kube.List(ctx, &deliveries), r.kube.List(ctx, &releases)); err != nil {
		return nil, err
	}
	commits := map[string]bool{}
	for _, d := range deliveries.Items {
		if d.Spec.Push != nil {
			commits[d.Spec.Push.Commit] = true
		}
	}
	for _, rel := range releases.Items {
		if rel.Spec.Deploy != nil {
			commits[rel.Spec.Deploy.Commit] = true
		}
	}
	return commits, nil
}

func (r *run) progress(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

func (r *run) until(ctx context.Context, what string, holds func() (bool, error)) error {
	patience := cmp.Or(r.Patience, 10*time.Minute)
	err := wait.PollUntilContextTimeout(ctx, time.Second, patience, true, func(context.Context) (bool, error) { return holds() })
	if err != nil {
		return fmt.Errorf("waiting for %s (at most %s): %w", what, patience, err)
	}
	return nil
}
