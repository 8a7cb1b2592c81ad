package cutover

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/sandbox/bench/fault"
	"github.com/turnout-dev/turnout/sandbox/bench/load"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// ChaosOptions configure releases while everything fails. Of Options, Turnout, Streams, Cutovers
// and Only are not used.
type ChaosOptions struct {
	Options
	// Dir is for Turnout's files.
	Dir string
	// Seed decides what fails, and when.
	Seed uint64
	// Releases to finish, rollbacks among them.
	Releases int
	// For is how long new ones are begun.
	For time.Duration
}

// ChaosReport is the content of docs/bench/chaos.json.
type ChaosReport struct {
	Seed           uint64         `json:"seed"`
	Effects        int            `json:"effects"` // writes that Kubernetes took
	Crashes        int            `json:"crashes"` // processes that were killed
	Stalls         int            `json:"stalls"`  // and stopped for a time
	Restarts       int            `json:"restarts"`
	Faults         map[string]int `json:"faults"` // requests that failed, by API and kind
	Releases       int            `json:"releases"`
	Rollbacks      int            `json:"rollbacks"` // among them
	Duplicates     int            `json:"duplicates"`
	Lost           int            `json:"lost"`
	EndedWrong     int            `json:"ended_wrong"`
	ClientRequests int            `json:"client_requests"`
	ClientFailures int            `json:"client_failures"`
	Takeover       float64        `json:"takeover_s"` // the longest time in which nobody led
	Seconds        float64        `json:"seconds"`
	Wrong          []string       `json:"wrong,omitempty"` // each fault that was found
}

// longestTakeover is the most that [ChaosReport.Takeover] may be.
const longestTakeover = 20 * time.Second

// Check reports what should not have happened, and a run that proves nothing.
func (r *ChaosReport) Check(releases int) error {
	var errs []error
	for _, w := range r.Wrong {
		errs = append(errs, errors.New(w))
	}
	if r.ClientFailures > 0 || r.Takeover > longestTakeover.Seconds() {
		errs = append(errs, fmt.Errorf("%d of %d requests failed, nobody led for %.1f s; want 0, and %s at most", r.ClientFailures,
			r.ClientRequests, r.Takeover, longestTakeover))
	}
	if r.Releases < releases || r.ClientRequests == 0 || r.Crashes == 0 || r.Stalls == 0 || r.Effects == 0 || r.Takeover == 0 {
		errs = append(errs, fmt.Errorf("the run proves too little: %d of %d releases, %d requests, %d crashes, %d stalls, %d effects", r.Releases,
			releases, r.ClientRequests, r.Crashes, r.Stalls, r.Effects))
	}
	w := newWays()
	for _, way := range w.names() {
		if r.Faults[way] == 0 {
			errs = append(errs, fmt.Errorf("the run proves too little: not once was there %s", way))
		}
	}
	return errors.Join(errs...)
}

// gentle is the load on every application: enough to notice, and little enough for eight of them,
// two Turnouts and everything else on two processors.
var gentle = []load.Stream{ //nolint:gochecknoglobals // a table
	{Name: "short, kept connections", Path: "/", KeepAlive: true, PerSecond: 12},
	{Name: "short, new connections", Path: "/", PerSecond: 6},
	{Name: "3 seconds, new connections", Path: "/slow?seconds=3", PerSecond: 1},
}

// chaosApplications are released side by side.
const chaosApplications = 8

// ChaosHosts are the names by which Turnout reaches its applications.
func ChaosHosts() []string {
	var hosts []string
	for i := range chaosApplications {
		hosts = append(hosts, Host(numbered("chaos", i)))
	}
	return hosts
}

// chaos is one run.
type chaos struct {
	*run
	order    ChaosOptions
	rng      *rand.Rand
	ways     ways
	replicas [2]*replica
	front    *front
	halves   *halves
	compute  *fault.Proxy
	began    time.Time
	stormy   time.Time    // when the storm began
	started  atomic.Int64 // releases
	stalls   int

	mu      sync.Mutex
	crashes int
	wrong   []string
	done    int
	backs   int
	lost    int
	ended   int
}

// replica is one of two Turnouts.
type replica struct {
	*turnout.Turnout
	api     *fault.Proxy // Kubernetes' API, as it sees it
	process fault.Process
	stop    func() (int, error)
}

// Chaos releases and rolls back while Turnout's replicas crash and stall, and whatever they talk
// to fails.
func Chaos(ctx context.Context, o ChaosOptions) (report ChaosReport, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // the watches, or the API server waits for them when it is stopped
	o.Streams = gentle
	if o.Times == nil {
		o.Times = Times(o.LoadBalancer.Speed)
	}
	kube, err := turnout.Admin(o.World)
	if err != nil {
		return report, err
	}
	o.World.GitHub.AddOrganization("acme")
	c := &chaos{
		order: o, began: time.Now(), ways: newWays(), halves: newHalves(o.Seed),
		rng: rand.New(rand.NewPCG(o.Seed, 1)), //nolint:gosec // G404: to be run again
		run: &run{
			Options: o.Options, kube: kube, writer: o.World.GitHub.AddUser("alice"),
			fresh: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 10 * time.Second},
		},
	}
	defer func() { err = errors.Join(err, c.close()) }()
	if err := c.startReplicas(ctx); err != nil {
		return report, err
	}
	lanes, err := c.adopt(ctx)
	defer func() {
		for _, l := range lanes {
			l.load.Stop()
		}
	}()
	if err != nil {
		return report, err
	}
	c.say("%d applications are adopted; from now on everything fails, with --seed %d", len(lanes), o.Seed)
	terms := c.watchLease(ctx)
	c.stormy = time.Now()
	storming, calm := context.WithCancel(ctx)
	defer calm()
	stormed := make(chan error, 1)
	go func() { stormed <- c.storm(storming) }()
	c.release(ctx, lanes)
	calm()
	c.halves.end()
	if err := <-stormed; err != nil {
		return report, err
	}
	c.say("the storm is over")
	c.settled(ctx, lanes)
	if err := ctx.Err(); err != nil {
		return report, fmt.Errorf("waiting for the releases: %w", err)
	}
	report = c.report(lanes)
	report.Takeover = terms.longest().Seconds()
	return report, nil
}

// startReplicas starts both, behind one address and with APIs that can fail.
func (c *chaos) startReplicas(ctx context.Context) error {
	var err error
	if c.front, err = newFront(); err != nil {
		return err
	}
	if c.compute, err = fault.NewProxy(c.World.ComputeURL, http.DefaultTransport, c.order.Seed+1); err != nil {
		return err
	}
	first, err := turnout.Start(ctx, turnout.Options{
		Project: c.Project, World: c.World, Dir: c.order.Dir, ReadURLMaps: true, Webhook: c.front.url + "/webhook", Compute: c.compute.URL,
	})
	if err != nil {
		return err
	}
	if err := first.Stop(); err != nil {
		return err
	}
	user, _, err := c.World.ControlPlane.User("turnout", nil)
	if err != nil {
		return fmt.Errorf("making turnout's user: %w", err)
	}
	transport, err := rest.TransportFor(user)
	if err != nil {
		return fmt.Errorf("connecting to the API server: %w", err)
	}
	second, err := first.Replica()
	if err != nil {
		return err
	}
	for i, t := range []*turnout.Turnout{first, second} {
		to := &halfway{to: transport, halves: c.halves, deaths: c.deaths, crash: func() error { return c.crash(i) }}
		api, err := fault.NewProxy(user.Host, to, c.order.Seed+2+uint64(i))
		if err != nil {
			return err
		}
		c.replicas[i] = &replica{Turnout: t, api: api}
		if err := c.replicas[i].run(ctx); err != nil {
			return err
		}
		c.front.add(t.URL)
	}
	c.Turnout = first
	return nil
}

// run starts a replica whose way to Kubernetes can fail, and again whenever it ends.
func (r *replica) run(ctx context.Context) error {
	kubeconfig, err := r.api.Kubeconfig()
	if err != nil {
		return err
	}
	if err := r.UseKubeconfig(kubeconfig); err != nil {
		return err
	}
	if err := r.Run(ctx); err != nil {
		return err
	}
	r.process.Runs(r.PID())
	r.stop = r.KeepRunning(ctx, r.process.Runs)
	return nil
}

// crash kills a replica.
func (c *chaos) crash(i int) error {
	killed, err := c.replicas[i].process.Crash()
	if err != nil || !killed {
		return err
	}
	c.mu.Lock()
	c.crashes++
	c.mu.Unlock()
	c.say("replica %d crashes", i+1)
	return nil
}

// close stops what was started.
func (c *chaos) close() error {
	var errs []error
	for _, r := range c.replicas {
		if r == nil {
			continue
		}
		if r.stop != nil {
			_, err := r.stop()
			errs = append(errs, err, r.Stop())
		}
		errs = append(errs, r.api.Close())
	}
	if c.compute != nil {
		errs = append(errs, c.compute.Close())
	}
	if c.front != nil {
		errs = append(errs, c.front.Close())
	}
	return errors.Join(errs...)
}

func (c *chaos) say(format string, args ...any) {
	c.out.Lock()
	defer c.out.Unlock()
	fmt.Fprintf(c.Out, "%s %4.0f s: "+format+"\n", append([]any{time.Now().Format(time.TimeOnly), time.Since(c.began).Seconds()}, args...)...)
}

// fail records a fault that was found.
func (c *chaos) fail(count *int, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.mu.Lock()
	*count++
	c.wrong = append(c.wrong, text)
	c.mu.Unlock()
	c.say("WRONG: %s", text)
}
