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
	apimeta "k8s.io/apimachinery/pkg/api/meta"
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
	// Dir is for the files of what is measured.
	Dir string
	// Applications, PerNamespace, ForeignPods and Burst are sizes: all applications, those in a
	// namespace, pods outside any application, and applications released at once.
	Applications, PerNamespace, ForeignPods, Burst int
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
	StartS             float64 `json:"start_s,omitempty"`
	SettleS            float64 `json:"settle_s,omitempty"`
	RSS                float64 `json:"rss_mb"`
	RSSAnon            float64 `json:"rss_anon_mb"`
	IdleCPU            float64 `json:"idle_cpu_pct"`
	ReadyToSwitchP50   float64 `json:"ready_to_switch_p50_ms"`
	ReadyToSwitchMax   float64 `json:"ready_to_switch_max_ms"`
	RequestsPerRelease float64 `json:"api_requests_per_release,omitempty"`
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
	repo *githubtest.Repository
	t    *turnout.Turnout
	runs bool // t
	pid  int  // its, for /proc
	row  Row
	n    int // commits
}

// Turnout measures Turnout. The world cannot be used for anything else afterwards.
func Turnout(ctx context.Context, o Options) (Row, error) {
	r := &run{Options: o, row: Row{
		Tool: "turnout", Applications: o.Applications, PerNamespace: o.PerNamespace, ForeignPods: o.ForeignPods,
	}}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, part := range []func(context.Context) error{r.prepare, r.settle, r.rest, r.react, r.burst} {
		if err := part(ctx); err != nil {
			if r.runs {
				err = errors.Join(err, r.t.Stop())
			}
			return r.row, fmt.Errorf("%d applications, %d a namespace: %w", o.Applications, o.PerNamespace, err)
		}
	}
	return r.row, r.t.Stop()
}

// prepare creates everything that exists before the controller starts.
func (r *run) prepare(ctx context.Context) error {
	var err error
	if r.kube, err = turnout.Admin(r.World); err != nil {
		return err
	}
	if err := r.observe(ctx); err != nil {
		return err
	}
	if err := r.makeRepository(); err != nil {
		return err
	}
	if err := r.install(ctx); err != nil {
		return err
	}
	if err := r.makeObjects(ctx); err != nil {
		return err
	}
	return r.until(ctx, "every pod to be ready", func() (bool, error) {
		var list appsv1.DeploymentList
		err := r.kube.List(ctx, &list)
		return !slices.ContainsFunc(list.Items, func(d appsv1.Deployment) bool { return d.Status.ReadyReplicas != *d.Spec.Replicas }), err
	})
}

// install gives Turnout its rights and its repository: it starts once, with no
// applications, and stops.
func (r *run) install(ctx context.Context) error {
	t, err := turnout.Start(ctx, turnout.Options{Project: r.Project, World: r.World, Dir: r.Dir})
	if err != nil {
		return err
	}
	t.App.InstallOn(r.repo, nil)
	if err := t.Stop(); err != nil {
		return err
	}
	r.t = t
	return nil
}

func (r *run) makeRepository() error {
	r.World.GitHub.AddOrganization("acme")
	files, err := githubtest.Directory(r.Project + "/examples/python-app")
	if err != nil {
		return fmt.Errorf("reading the example: %w", err)
	}
	if r.repo, err = r.World.GitHub.AddRepository(repository, githubtest.RepositoryConfig{Files: files}); err != nil {
		return fmt.Errorf("creating the repository: %w", err)
	}
	for _, branch := range []string{branchAlone, branchRest} {
		if _, err := r.commit(branch); err != nil {
			return err
		}
	}
	return nil
}

// commit pushes a version of its own.
func (r *run) commit(branch string) (string, error) {
	r.n++
	files := githubtest.Text(map[string]string{"VERSION": fmt.Sprintf("v2.%d.0\n", r.n)})
	return r.repo.CommitFiles(githubtest.Commit{Branch: branch, Message: fmt.Sprintf("release %d", r.n), Files: files})
}

// settle starts Turnout, and waits until every application can be released.
func (r *run) settle(ctx context.Context) error {
	began := time.Now()
	if err := r.t.Run(ctx); err != nil {
		return err
	}
	r.runs = true
	var err error
	if r.pid, err = proc.Outside(r.t.PID()); err != nil {
		return err
	}
	r.row.StartS = time.Since(began).Seconds()
	var lacks string
	err = r.until(ctx, "every application to be ready", func() (bool, error) {
		var list v1alpha1.BlueGreenList
		if err := r.kube.List(ctx, &list); err != nil {
			return false, err
		}
		i := slices.IndexFunc(list.Items, func(bg v1alpha1.BlueGreen) bool {
			return !apimeta.IsStatusConditionTrue(bg.Status.Conditions, v1alpha1.ConditionReady)
		})
		if i >= 0 {
			lacks = fmt.Sprintf("%s: %v", list.Items[i].Name, list.Items[i].Status.Conditions)
		}
		return len(list.Items) == r.Applications && i < 0, nil
	})
	if err != nil {
		err = fmt.Errorf("%w; %s", err, lacks)
	}
	r.row.SettleS = time.Since(began).Seconds()
	r.progress("started after %.1f s, settled after %.1f s", r.row.StartS, r.row.SettleS)
	return err
}

// rest measures the cost at rest.
func (r *run) rest(ctx context.Context) error {
	select { // what the last looks left behind
	case <-ctx.Done():
	case <-time.After(r.Idle / 2):
	}
	before, err := proc.CPU(r.pid)
	if err != nil {
		return err
	}
	began := time.Now()
	select {
	case <-ctx.Done():
	case <-time.After(r.Idle):
	}
	after, err := proc.CPU(r.pid)
	if err != nil {
		return err
	}
	r.row.IdleCPU = 100 * (after - before).Seconds() / time.Since(began).Seconds()
	use, err := proc.Memory(r.pid)
	r.row.RSS, r.row.RSSAnon = use.RSS, use.Anon
	r.progress("idle: %.2f %% of a processor, %.0f MB, %.0f MB of them anonymous", r.row.IdleCPU, r.row.RSS, r.row.RSSAnon)
	return err
}

// react releases one application again and again.
func (r *run) react(ctx context.Context) error {
	alone := r.apps()[0]
	var took []time.Duration
	requests, err := r.requests(ctx)
	if err != nil {
		return err
	}
	for range r.Releases {
		r.seen.forget(alone)
		if _, err := r.commit(branchAlone); err != nil {
			return err
		}
		if err := r.until(ctx, "the switch", func() (bool, error) { _, at := r.seen.at(alone); return !at.IsZero(), nil }); err != nil {
			return err
		}
		ready, switched := r.seen.at(alone)
		took = append(took, switched.Sub(ready))
		r.progress("ready to switch: %s", switched.Sub(ready).Round(time.Millisecond))
		if err := r.until(ctx, "the release to end", func() (bool, error) { return r.ended(ctx, alone) }); err != nil {
			return err
		}
	}
	if len(took) == 0 {
		return nil
	}
	now, err := r.requests(ctx)
	if err != nil {
		return err
	}
	slices.Sort(took)
	r.row.RequestsPerRelease = (now - requests) / float64(len(took))
	r.row.ReadyToSwitchP50, r.row.ReadyToSwitchMax = ms(took[(len(took)-1)/2]), ms(took[len(took)-1])
	return nil
}

// burst releases many applications by one push.
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
	sha, err := r.commit(branchBurst)
	if err != nil {
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
		r.row.FirstSwitchS, r.row.LastSwitchS = times[0].Sub(began).Seconds(), times[len(times)-1].Sub(began).Seconds()
	}
	after, cpuErr := proc.CPU(r.pid)
	r.row.BurstCPUS = (after - before).Seconds()
	r.progress("%d of %d at once: first switch after %.1f s, last after %.1f s, %.1f s of a processor", len(times), len(apps),
		r.row.FirstSwitchS, r.row.LastSwitchS, r.row.BurstCPUS)
	return errors.Join(err, cpuErr, r.reported(ctx, sha))
}

// reported waits until GitHub has every report of the burst, and records how the push was
// answered.
func (r *run) reported(ctx context.Context, sha string) error {
	switched := time.Now()
	err := r.until(ctx, "GitHub to hear of every switch", func() (bool, error) {
		done := 0
		for _, d := range r.repo.Deployments() {
			statuses := r.repo.DeploymentStatuses(d.ID)
			if d.SHA == sha && len(statuses) > 0 && statuses[len(statuses)-1].State == "success" {
				done++
			}
		}
		return done == r.row.Burst, nil
	})
	r.row.ReportLagS = time.Since(switched).Seconds()
	for _, d := range r.t.App.Deliveries() {
		if d.Event == "push" && d.Done {
			r.row.WebhookMS = max(r.row.WebhookMS, ms(d.Duration))
		}
	}
	r.progress("GitHub heard of it %.1f s later; a push was answered after at most %.0f ms", r.row.ReportLagS, r.row.WebhookMS)
	return err
}

func (r *run) ended(ctx context.Context, a app) (bool, error) {
	var list v1alpha1.ReleaseList
	if err := r.kube.List(ctx, &list, client.InNamespace(a.Namespace), client.MatchingLabels{v1alpha1.ApplicationLabel: a.Name}); err != nil {
		return false, err
	}
	for _, rel := range list.Items {
		if rel.Status.Phase.Finished() && rel.Status.Phase != v1alpha1.ReleaseSucceeded && rel.Status.Phase != v1alpha1.ReleaseSuperseded {
			return false, fmt.Errorf("%s ended as %s: %s", rel.Name, rel.Status.Phase, rel.Status.Message)
		}
		if !rel.Status.Phase.Finished() {
			return false, nil
		}
	}
	return true, nil
}

// createAll makes objects, several at once.
func (r *run) createAll(ctx context.Context, objects []client.Object) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan client.Object)
	var all sync.WaitGroup
	for range writers {
		all.Go(func() {
			for o := range work {
				if err := r.create(ctx, o); err != nil {
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
	err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, patience, true, func(context.Context) (bool, error) { return holds() })
	if err != nil {
		return fmt.Errorf("waiting for %s (at most %s): %w", what, patience, err)
	}
	return nil
}

func ms(d time.Duration) float64 { return math.Round(float64(d.Microseconds())/100) / 10 }
