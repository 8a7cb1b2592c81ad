package cutover

import (
	"context"
	"math/rand/v2"
	"slices"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/bench/fault"
)

// The storm: every few seconds something fails, for a few seconds. Between two of them there is
// time in which the releases come on. The load balancer's API is asked seldom, so its next requests fail,
// whenever they come.
const (
	calmAtLeast, calmAtMost   = 2 * time.Second, 6 * time.Second
	faultAtLeast, faultAtMost = time.Second, 4 * time.Second
	// A stall is longer than a lease now and then, so that the other replica takes over while this
	// one still believes that it leads.
	stallAtLeast, stallAtMost = 2 * time.Second, 18 * time.Second
	// faultShare is the share of the requests that fail.
	faultShare = 0.7
	// Requests to GitHub and Cloud Build fail by their number, since they are few. Except for the first
	// one of each kind, no longer than this: those that nobody made would all meet the storm's last release,
	// and hold it for ever.
	gitHubFails, cloudBuildFails = 5 * time.Second, 20 * time.Second
)

// between returns a time of the storm's seed.
func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}

// storm makes things fail until ctx ends, in an order that the seed decides.
func (c *chaos) storm(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(c.between(calmAtLeast, calmAtMost)):
		}
		if err := c.strike(ctx); err != nil {
			return err
		}
	}
}

// target is what a strike hits.
type target int

const (
	aProcess target = iota
	aStall
	kubernetesAPI
	computeAPI
	gitHub
	cloudBuild
)

// targets are hit in turn, in a new order each time.
func targets() []target {
	return []target{aProcess, aStall, kubernetesAPI, kubernetesAPI, computeAPI, computeAPI, gitHub, gitHub, cloudBuild, cloudBuild}
}

// strike makes one thing fail.
func (c *chaos) strike(ctx context.Context) error {
	d := c.between(faultAtLeast, faultAtMost)
	switch c.ways.targets.deal(c.rng) {
	case aProcess:
		return c.crash(c.rng.IntN(len(c.replicas)))
	case aStall:
		return c.stall(ctx, c.rng.IntN(len(c.replicas)), c.between(stallAtLeast, stallAtMost))
	case kubernetesAPI:
		kind := c.ways.kubernetes.deal(c.rng)
		if kind == fault.EventsDropped { // few ask for events, so the next ones who do meet it
			c.say("Kubernetes: %s, once for each replica", kind)
		} else {
			c.say("Kubernetes: %s for %.1f s", kind, d.Seconds())
		}
		for _, r := range c.replicas {
			if kind != fault.EventsDropped {
				r.api.Fail(kind, d, faultShare)
			} else if r.api.Waiting() == 0 {
				r.api.FailNext(kind, 1)
			}
		}
	case computeAPI:
		if c.compute.Waiting() > 0 {
			return nil // a row of failures would only hold up whoever asks next
		}
		kind, times := c.ways.compute.deal(c.rng), 1+c.rng.IntN(3)
		c.say("the load balancer's API: %s, %d times", kind, times)
		c.compute.FailNext(kind, times)
	case gitHub:
		f := c.ways.github.deal(c.rng)
		if f.Times = 1; c.ways.again("GitHub: " + string(f.Kind)) {
			f.Times, f.Until = 1+c.rng.IntN(4), time.Now().Add(gitHubFails)
		}
		c.say("GitHub: %s, %d times", f.Kind, f.Times)
		c.World.GitHub.Inject(f)
	case cloudBuild:
		f, method := c.ways.cloudBuild.deal(c.rng), "CreateBuild"
		if f.Times = 1; c.ways.again("Cloud Build: " + buildFailed(f)) {
			f.Times, f.Until = 1+c.rng.IntN(3), time.Now().Add(cloudBuildFails)
			method = pick(c, "CreateBuild", "CreateBuild", "GetBuild", "ListBuilds")
		}
		c.say("Cloud Build: %s of %s, performed %v, %d times", f.Code, method, f.Performed, f.Times)
		c.World.CloudBuild.Fail(method, f)
	}
	return nil
}

func pick[T any](c *chaos, from ...T) T { return from[c.rng.IntN(len(from))] }

// ways are those in which each API fails.
type ways struct {
	kubernetes, compute deck[fault.Kind]
	github              deck[githubtest.Fault]
	cloudBuild          deck[cloudbuildtest.Fault]
	targets             deck[target]
	came                map[string]bool
}

// again reports whether a way to fail has come before. The first time, it waits until somebody meets it.
func (w *ways) again(way string) bool {
	before := w.came[way]
	w.came[way] = true
	return before
}

func newWays() ways {
	return ways{
		targets: deck[target]{all: targets()}, came: map[string]bool{},
		kubernetes: deck[fault.Kind]{all: []fault.Kind{
			fault.Unavailable, fault.Limited, fault.Timeout, fault.ReplyLost, fault.Slow, fault.WatchClosed, fault.EventsDropped,
		}},
		compute: deck[fault.Kind]{all: []fault.Kind{fault.Unavailable, fault.Limited, fault.Timeout, fault.ReplyLost, fault.Slow}},
		github: deck[githubtest.Fault]{all: []githubtest.Fault{
			{Kind: githubtest.BadGateway},
			{Kind: githubtest.Hang},
			{Kind: githubtest.ReplyLost},
			{Kind: githubtest.SecondaryRateLimit, RetryAfter: 3 * time.Second},
		}},
		cloudBuild: deck[cloudbuildtest.Fault]{all: []cloudbuildtest.Fault{
			{Code: codes.Internal}, {Code: codes.DeadlineExceeded}, {Code: codes.ResourceExhausted}, {Code: codes.Unavailable, Performed: true},
		}},
	}
}

// names are what [ChaosReport.Faults] calls them.
func (w *ways) names() []string {
	var all []string
	for _, kind := range w.kubernetes.all {
		all = append(all, "Kubernetes: "+string(kind))
	}
	for _, kind := range w.compute.all {
		all = append(all, "load balancer: "+string(kind))
	}
	for _, f := range w.github.all {
		all = append(all, "GitHub: "+string(f.Kind))
	}
	for _, f := range w.cloudBuild.all {
		all = append(all, "Cloud Build: "+buildFailed(f))
	}
	for _, where := range interruptions() {
		all = append(all, webhook+": "+string(where))
	}
	return all
}

// deck deals in turn, in a new order each time: each way comes once before any comes again.
type deck[T any] struct{ all, left []T }

func (d *deck[T]) deal(rng *rand.Rand) T {
	if len(d.left) == 0 {
		d.left = slices.Clone(d.all)
		rng.Shuffle(len(d.left), func(i, j int) { d.left[i], d.left[j] = d.left[j], d.left[i] })
	}
	next := d.left[0]
	d.left = d.left[1:]
	return next
}

// stall stops a replica for a time. It goes on whatever happens.
func (c *chaos) stall(ctx context.Context, i int, d time.Duration) error {
	p := &c.replicas[i].process
	if stopped, err := p.Stall(); err != nil || !stopped {
		return err
	}
	c.stalls++
	c.say("replica %d stalls for %.1f s", i+1, d.Seconds())
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
	return p.GoOn()
}
