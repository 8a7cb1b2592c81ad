package scale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	polling "k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/sandbox/bench/proc"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// Options configure the measurement.
type Options struct {
	// Peer is measured instead of Turnout, if it has a command.
	Peer Peer
	// Project is the project's folder.
	Project string
	// World is a running, bare sandbox.
	World *world.World
	// Dir is for the files of what is measured.
	Dir string
	// Applications, PerNamespace, ForeignPods and Burst are sizes: all applications, those in a
	// namespace, pods outside any application, and applications released at once.
	Applications, PerNamespace, ForeignPods, Burst int
	// FinishedReleases is how many releases each application has behind it. A peer has none.
	FinishedReleases int
	// Bare applications have an Ingress and nothing else, so they cannot be released: only what they
	// cost at rest is measured.
	Bare bool
	// Releases is how many releases follow each other to measure the reaction.
	Releases int
	// Idle is how long to measure the processor time at rest.
	Idle time.Duration
	// Patience bounds every wait.
	Patience time.Duration
	// Out gets a line for every measurement.
	Out io.Writer
}

// Row is the result for one tool at one size. A field that was not measured is left out.
type Row struct {
	Tool               string  `json:"tool"`
	Applications       int     `json:"applications"`
	PerNamespace       int     `json:"per_namespace"`
	ForeignPods        int     `json:"foreign_pods"`
	FinishedReleases   int     `json:"finished_releases"`
	Bare               bool    `json:"bare,omitempty"`
	StartS             float64 `json:"start_s,omitempty"`
	SettleS            float64 `json:"settle_s,omitempty"`
	RSS                float64 `json:"rss_mb"`
	RSSAnon            float64 `json:"rss_anon_mb"`
	IdleCPU            float64 `json:"idle_cpu_pct"`
	ReadyToSwitchP50   float64 `json:"ready_to_switch_p50_ms,omitempty"`
	ReadyToSwitchMax   float64 `json:"ready_to_switch_max_ms,omitempty"`
	RollbackP50        float64 `json:"rollback_p50_ms,omitempty"`
	RequestsPerRelease float64 `json:"api_requests_per_release,omitempty"`
	GitHubPerRelease   float64 `json:"github_requests_per_release,omitempty"`
	Burst              int     `json:"burst,omitempty"`
	FirstSwitchS       float64 `json:"first_switch_s,omitempty"`
	LastSwitchS        float64 `json:"last_switch_s,omitempty"`
	ReportLagS         float64 `json:"report_lag_s,omitempty"`
	WebhookMS          float64 `json:"webhook_ms,omitempty"`
	BurstCPUS          float64 `json:"burst_cpu_s,omitempty"`
}

// run is one measurement.
type run struct {
	Options
	kube client.WithWatch
	seen *observer
	tool tool
	pid  int // the tool's, for /proc
	row  Row
}

func newRun(o Options) (*run, error) {
	r := &run{Options: o}
	var err error
	if r.kube, err = turnout.Admin(o.World); err != nil {
		return nil, err
	}
	r.tool = &turnoutTool{run: r}
	if len(o.Peer.Command) > 0 {
		if r.tool, err = newPeer(r); err != nil {
			return nil, err
		}
		r.FinishedReleases = 0
	}
	r.row = Row{
		Tool: r.tool.name(), Applications: o.Applications, PerNamespace: o.PerNamespace, ForeignPods: o.ForeignPods,
		FinishedReleases: r.FinishedReleases, Bare: o.Bare,
	}
	return r, nil
}

// prepare makes everything that exists before the tool starts.
func (r *run) prepare(ctx context.Context) error {
	if err := r.observe(ctx); err != nil {
		return err
	}
	if err := r.tool.prepare(ctx); err != nil {
		return err
	}
	if err := r.makeObjects(ctx); err != nil {
		return err
	}
	err := r.until(ctx, "every pod to be ready", func() (bool, error) {
		var list appsv1.DeploymentList
		err := r.kube.List(ctx, &list)
		return !slices.ContainsFunc(list.Items, func(d appsv1.Deployment) bool { return d.Status.ReadyReplicas != *d.Spec.Replicas }), err
	})
	if err != nil {
		return err
	}
	return r.tool.past(ctx)
}

// settle starts the tool, and waits until every application can be released, or was looked at if it is
// bare.
func (r *run) settle(ctx context.Context) error {
	began := time.Now()
	pid, err := r.tool.start(ctx)
	if err != nil {
		return err
	}
	if r.pid, err = proc.Outside(pid); err != nil {
		return err
	}
	r.row.StartS = since(began)
	var lacks string
	err = r.until(ctx, "every application to be ready", func() (_ bool, err error) {
		lacks, err = r.tool.lacks(ctx)
		return lacks == "", err
	})
	if err != nil {
		err = fmt.Errorf("%w; %s", err, lacks)
	}
	r.row.SettleS = since(began)
	r.progress("started after %.1f s, settled after %.1f s", r.row.StartS, r.row.SettleS)
	return err
}

// rest measures the cost at rest. Memory is the least of that time, which is what remains after a
// collection: Go collects its garbage every two minutes, even at rest, and then gives back memory.
// Whoever measures sooner measures what settling took.
func (r *run) rest(ctx context.Context) error {
	if err := wait(ctx, r.Idle/2); err != nil {
		return err
	}
	before, err := proc.CPU(r.pid)
	if err != nil {
		return err
	}
	least, err := proc.Memory(r.pid)
	if err != nil {
		return err
	}
	began := time.Now()
	for time.Since(began) < r.Idle {
		if err := wait(ctx, min(r.Idle, time.Second)); err != nil {
			return err
		}
		use, err := proc.Memory(r.pid)
		if err != nil {
			return err
		}
		if use.Anon < least.Anon {
			least = use
		}
	}
	after, err := proc.CPU(r.pid)
	if err != nil {
		return err
	}
	r.row.IdleCPU = round(100 * (after - before).Seconds() / since(began))
	r.row.RSS, r.row.RSSAnon = round(least.RSS), round(least.Anon)
	r.progress("idle: %.2f %% of a processor, %.0f MB, %.0f MB of them anonymous", r.row.IdleCPU, r.row.RSS, r.row.RSSAnon)
	return nil
}

// react releases one application again and again.
func (r *run) react(ctx context.Context) error {
	alone := r.apps()[0]
	var took []time.Duration
	requests, err := r.tool.requests(ctx)
	if err != nil {
		return err
	}
	asked := len(r.World.GitHub.Requests())
	for range r.Releases {
		r.seen.forget(alone)
		if err := r.tool.release(ctx, alone.branch); err != nil {
			return err
		}
		ready, switched, err := r.switched(ctx, alone)
		if err != nil {
			return err
		}
		took = append(took, switched.Sub(ready))
		r.progress("ready to switch: %s", switched.Sub(ready).Round(time.Millisecond))
	}
	if len(took) == 0 {
		return nil
	}
	now, err := r.tool.requests(ctx)
	slices.Sort(took)
	r.row.RequestsPerRelease = round((now - requests) / float64(len(took)))
	r.row.GitHubPerRelease = round(float64(len(r.World.GitHub.Requests())-asked) / float64(len(took)))
	r.row.ReadyToSwitchP50, r.row.ReadyToSwitchMax = ms(took[(len(took)-1)/2]), ms(took[len(took)-1])
	return err
}

// switched waits for the end of an application's release, and returns when its last pod was ready,
// and when its users moved.
func (r *run) switched(ctx context.Context, a app) (ready, switched time.Time, err error) {
	if err := r.until(ctx, "the switch", func() (bool, error) { _, at := r.seen.at(a); return !at.IsZero(), nil }); err != nil {
		return ready, switched, err
	}
	ready, switched = r.seen.at(a)
	return ready, switched, r.until(ctx, "the release to end", func() (bool, error) { return r.tool.ended(ctx, a) })
}

// back takes one release back again and again, while the previous version still runs.
func (r *run) back(ctx context.Context) error {
	back := r.apps()[1]
	var took []time.Duration
	for range r.Releases {
		r.seen.forget(back)
		if err := r.tool.release(ctx, back.branch); err != nil {
			return err
		}
		if _, _, err := r.switched(ctx, back); err != nil {
			return err
		}
		r.seen.forget(back)
		began := time.Now()
		if can, err := r.tool.rollback(ctx); err != nil || !can {
			return err
		}
		_, switched, err := r.switched(ctx, back)
		if err != nil {
			return err
		}
		took = append(took, switched.Sub(began))
		r.progress("comment to patch: %s", switched.Sub(began).Round(time.Millisecond))
	}
	if len(took) > 0 {
		slices.Sort(took)
		r.row.RollbackP50 = ms(took[(len(took)-1)/2])
	}
	return nil
}

// burst releases many applications at once.
func (r *run) burst(ctx context.Context) error {
	if r.Burst == 0 {
		return nil
	}
	apps := slices.DeleteFunc(r.apps(), func(a app) bool { return a.branch != branchBurst })
	for _, a := range apps {
		r.seen.forget(a)
	}
	before, err := proc.CPU(r.pid)
	if err != nil {
		return err
	}
	began := time.Now()
	if err := r.tool.release(ctx, branchBurst); err != nil {
		return err
	}
	var times []time.Time
	err = r.until(ctx, "every switch of the burst", func() (bool, error) {
		times = nil
		for _, a := range apps {
			if _, at := r.seen.at(a); !at.IsZero() {
				times = append(times, at)
			}
		}
		return len(times) == len(apps), nil
	})
	r.row.Burst = len(apps)
	slices.SortFunc(times, time.Time.Compare)
	if len(times) > 0 {
		r.row.FirstSwitchS, r.row.LastSwitchS = round(times[0].Sub(began).Seconds()), round(times[len(times)-1].Sub(began).Seconds())
	}
	after, cpuErr := proc.CPU(r.pid)
	r.row.BurstCPUS = round((after - before).Seconds())
	r.progress("%d of %d at once: first switch after %.1f s, last after %.1f s, %.1f s of a processor", len(times), len(apps),
		r.row.FirstSwitchS, r.row.LastSwitchS, r.row.BurstCPUS)
	return errors.Join(err, cpuErr, r.tool.reported(ctx, &r.row))
}

// makeAll calls a function for each object, several at once.
func (r *run) makeAll(ctx context.Context, objects []client.Object, one func(context.Context, client.Object) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan client.Object)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for o := range work {
				if err := one(ctx, o); err != nil {
					cancel(err)
				}
			}
		})
	}
	for _, o := range objects {
		work <- o
	}
	close(work)
	all.Wait()
	return context.Cause(ctx)
}

func (r *run) progress(format string, args ...any) { fmt.Fprintf(r.Out, format+"\n", args...) }

// until polls; it is not measured itself, but bounds the measured time.
func (r *run) until(ctx context.Context, what string, holds func() (bool, error)) error {
	patience := cmp.Or(r.Patience, 5*time.Minute)
	err := polling.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(context.Context) (bool, error) { return holds() })
	if err != nil {
		return fmt.Errorf("waiting for %s (at most %s): %w", what, patience, err)
	}
	return nil
}

// wait lets time pass.
func wait(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

func ms(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/100) / 10 }

func round(f float64) float64 { return math.Round(f*100) / 100 }
