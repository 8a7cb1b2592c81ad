// Package cutover measures what users lose when they move from one version to another: by the
// reference pipeline's own command, by a Service's selector, and by Turnout. The load balancer is
// gclb: Google's own controllers, and a model of the network that they program. The load is
// github.com/tsenart/vegeta, which is not ours.
//
// Every row has its own applications, each with a host; six of them run side by side. If a
// machine is too slow, the rate shows it, which is checked. A failure that the load balancer did
// not cause shows by its text.
//
// # Decisions
//
// A request counts when it was answered: one that was sent before a cut-over and fails after it
// was failed by it.
//
// An application's own times are not divided, as in gclb: the slow requests take 3 real seconds,
// and draining is as long as they need.
package cutover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/bench/load"
	"github.com/turnout-dev/turnout/sandbox/gclb"
	"github.com/turnout-dev/turnout/sandbox/turnout"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// Options configure the measurement.
type Options struct {
	// Project is the project's folder.
	Project string
	// World is a running sandbox whose load balancer logs to Journal, and in whose
	// network the names of [Hosts] lead to it.
	World   *world.World
	Journal *Journal
	// LoadBalancer is its configuration, with Adoption.
	LoadBalancer gclb.Config
	// Turnout runs in it.
	Turnout *turnout.Turnout
	// Application is a program that runs package application if the variable
	// [application.Variable] is set.
	Application string
	// Times are fields of the BlueGreens' spec. Default: [Times] at the load balancer's speed.
	Times map[string]any
	// Cutovers is the number for each row.
	Cutovers int
	// Streams are the load on every application. Default: the bench's.
	Streams []load.Stream
	// Only are the rows to measure. Default: all.
	Only []string
	// Out gets a line for every cut-over.
	Out io.Writer
}

// Seeds are the images that the world must start with.
func Seeds(project string) []world.Seed {
	return []world.Seed{{Ref: image + ":" + firstVersion, Context: project + "/sandbox/bench/application"}}
}

// Hosts are the names by which Turnout reaches its applications.
func Hosts() []string {
	var hosts []string
	for _, name := range []string{"held", "zero-1", "zero-2", onGateway} {
		hosts = append(hosts, Host(name))
	}
	for i := range mostApplications {
		hosts = append(hosts, Host(numbered("fails", i)), Host(numbered("canary", i)), Host(numbered("cancelled", i)))
	}
	return hosts
}

// A row of many cut-overs may need several applications. Google's controller reports its work in
// events, and has 25 of them for an Ingress, then one in 5 minutes. Two failing releases use them
// up, and a third rightly waits for minutes until it is known where users are. These rows do not
// depend on a single application.
const (
	failsEach = 2
	// readyEach bounds one application's time: the controller collects unreferenced backends
	// every 2 minutes.
	readyEach = 3
	// canaryEach bounds another's: a release behind a Gateway waits 30 s for it to find pods healthy.
	canaryEach = 4
	// mostApplications is how many names Turnout's network knows.
	mostApplications = 10
)

func numbered(name string, i int) string { return fmt.Sprintf("%s-%d", name, i+1) }

// spread gives every application of a row its share of the cut-overs.
func spread(row string, n, each int, measure func(i, n int) (*app, error)) []lane {
	count := min((n+each-1)/each, mostApplications)
	var lanes []lane
	for i := range count {
		share := n / count
		if i < n%count {
			share++
		}
		lanes = append(lanes, lane{[]string{row}, share, func(n int) (*app, error) { return measure(i, n) }})
	}
	return lanes
}

// run is a measurement in progress.
type run struct {
	Options
	kube   client.WithWatch
	writer *githubtest.User
	fresh  *http.Client

	out sync.Mutex
}

// Run measures every row. The report contains everything that could be measured, even with an
// error.
func Run(ctx context.Context, o Options) (Report, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the watches, or the API server waits for them when it is stopped
	if o.Times == nil {
		o.Times = Times(o.LoadBalancer.Speed)
	}
	if o.Streams == nil {
		o.Streams = mixture
	}
	kube, err := turnout.Admin(o.World)
	if err != nil {
		return Report{}, err
	}
	o.World.GitHub.AddOrganization("acme")
	r := &run{
		Options: o, kube: kube, writer: o.World.GitHub.AddUser("alice"),
		fresh: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second},
	}
	if o.World.GatewayURL != "" {
		if err := r.create(ctx, gatewayClass()); err != nil {
			return Report{}, err
		}
	}
	with := func(measure func(context.Context, int) (*app, error)) func(int) (*app, error) {
		return func(n int) (*app, error) { return measure(ctx, n) }
	}
	n := o.Cutovers
	rows, err := r.all(ctx, slices.Concat(
		[]lane{ // slowest first
			{[]string{Switch, Rollback}, n, with(r.held)},
			{[]string{GatewaySwitch}, n, with(r.onGateway)},
			{[]string{RollbackFromZero}, (n + 1) / 2, func(n int) (*app, error) { return r.shrunk(ctx, "zero-1", n) }},
			{[]string{RollbackFromZero}, n / 2, func(n int) (*app, error) { return r.shrunk(ctx, "zero-2", n) }},
		},
		spread(Canary, n, canaryEach, func(i, n int) (*app, error) { return r.canary(ctx, numbered("canary", i), n) }),
		spread(CanaryCancelled, n, canaryEach, func(i, n int) (*app, error) { return r.cancelled(ctx, numbered("cancelled", i), n) }),
		spread(Ready, n, readyEach, func(i, n int) (*app, error) { return r.ready(ctx, numbered(Ready, i), n) }),
		spread(GreenFails, n, failsEach, func(i, n int) (*app, error) { return r.fails(ctx, numbered("fails", i), n) }),
		[]lane{
			{[]string{Selector}, n, with(r.flip)},
			{[]string{Cold}, n, with(r.cold)},
		},
	))
	return Report{
		Speed: o.LoadBalancer.Speed, Date: began.UTC().Format(time.RFC3339), CPUs: runtime.NumCPU(), LoadAvg: loadAverage(),
		Seconds: time.Since(began).Round(time.Second).Seconds(),
		Delays:  divided(*cmp.Or(o.LoadBalancer.Delays, new(gclb.DefaultDelays())), o.LoadBalancer.Speed), BlueGreen: o.Times, Pods: pods,
		Rows: rows,
	}, err
}

// lane is one application and the rows that it measures.
type lane struct {
	rows     []string
	cutovers int
	measure  func(cutovers int) (*app, error)
}

// run measures, and ends the load once nothing happens any more.
func (l lane) run() ([]Row, error) {
	a, err := l.measure(l.cutovers)
	if a == nil {
		return nil, err
	}
	return a.tallies(), err
}

// sideBySide is how many lanes two processors can run.
const sideBySide = 6

// all runs every lane.
func (r *run) all(ctx context.Context, lanes []lane) ([]Row, error) {
	var running sync.WaitGroup
	slots := make(chan struct{}, sideBySide)
	tallies, errs := make([][]Row, len(lanes)), make([]error, len(lanes))
	for i, l := range lanes {
		if l.cutovers == 0 || len(r.Only) > 0 && !slices.ContainsFunc(l.rows, func(row string) bool { return slices.Contains(r.Only, row) }) {
			continue
		}
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			tallies[i], errs[i] = l.run()
		})
	}
	running.Wait()
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("measuring: %w", err)
	}
	sums := map[string]*Row{}
	for _, t := range tallies {
		sum(sums, t)
	}
	var rows []Row
	for _, name := range Rows {
		if row := sums[name]; row != nil {
			row.RequestsPerSecond = float64(row.Requests) / row.lasted.Seconds()
			row.round()
			rows = append(rows, *row)
		}
	}
	return rows, errors.Join(errs...)
}

func sum(sums map[string]*Row, tallies []Row) {
	for _, t := range tallies {
		if sums[t.Name] == nil {
			sums[t.Name] = &Row{Name: t.Name, Failures: map[string]int{}, Refusals: map[string]int{}}
		}
		sums[t.Name].add(t)
	}
}

// followed is the maximum time from a patch to the last front end: two operations, the last
// adoption, and a second for a busy machine.
func (r *run) followed() time.Duration {
	d := cmp.Or(r.LoadBalancer.Delays, new(gclb.DefaultDelays()))
	return time.Duration(float64(2*d.Operation+d.LastAdoption)/r.LoadBalancer.Speed) + time.Second
}

// public is the address that Turnout asks, by a name that leads to it inside.
func (a *app) public() string {
	_, port, _ := strings.Cut(strings.TrimPrefix(a.entry, "http://"), ":")
	return fmt.Sprintf("http://%s:%s/", a.host, port)
}

// ask requests an application on a connection of its own, and returns the version.
func (a *app) ask(ctx context.Context) (string, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, a.entry, http.NoBody)
	if err != nil {
		return "", fmt.Errorf("asking for %s: %w", a.host, err)
	}
	request.Host = a.host
	response, err := a.fresh.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return "", errors.New(response.Status)
	}
	return response.Header.Get(application.VersionHeader), nil
}

// progress describes a period that has just ended.
func (a *app) progress(i, n int) {
	a.mu.Lock()
	p := a.periods[len(a.periods)-1]
	a.mu.Unlock()
	p.to = time.Now()
	row := tally(p, a.load.Answers(), maps.Clone(a.Journal.between(a.host, p.from, p.to)))
	a.out.Lock()
	defer a.out.Unlock()
	fmt.Fprintf(a.Out, "%s %-26s %2d of %d after %4.0f s: %d requests, %d failed for %.1f s, last old answer after %.1f s  %s\n",
		time.Now().Format(time.TimeOnly), p.row, i+1, n, p.to.Sub(p.from).Seconds(), row.Requests, row.Failed, row.LongestFailing,
		row.LastOldAnswer, row.why())
}

// loadAverage is the machine's, from /proc.
func loadAverage() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	return strings.Join(strings.Fields(string(text))[:3], " ")
}
