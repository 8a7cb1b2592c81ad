package deployer

import (
	"context"
	"fmt"
	"sync"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/index"
	"github.com/turnout-dev/turnout/record"
)

const (
	// crowd is how many looks that somebody waits for make the others give way: half of those that
	// run at once, so the API server or a processor is the limit, not a few slow pods.
	crowd = concurrent / 2
	// longestGivingWay is how long a look gives way: a claim that is due to be renewed must not become
	// stale meanwhile.
	longestGivingWay = record.StaleAfter - record.RenewEvery - 2*time.Second
	// givingWayPause is the time between two attempts.
	givingWayPause = 500 * time.Millisecond
)

// courtesy lets looks that nobody waits for give way to those of releases whose users have not moved
// yet. When many applications are released at once, most looks come after a switch: they record,
// clean up and watch. News from a prober, or an answer from outside, does not give way. The zero
// value is ready to use.
type courtesy struct {
	mu     sync.Mutex
	urgent int                            // current looks that somebody waits for
	since  map[client.ObjectKey]time.Time // when a look first gave way
	news   map[client.ObjectKey]bool
}

// tell says that an application's next look has news to act on.
func (c *courtesy) tell(app client.ObjectKey) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.news == nil {
		c.news = map[client.ObjectKey]bool{}
	}
	c.news[app] = true
}

// Crowded reports whether so many users wait for their releases that other work gives way to them.
func (d *Deployer) Crowded() bool {
	d.courtesy.mu.Lock()
	defer d.courtesy.mu.Unlock()
	return d.courtesy.urgent >= crowd
}

// begin reports whether an application's look may begin; if not, it is to be tried again after
// givingWayPause. If it may, call the returned function at its end.
func (c *courtesy) begin(app client.ObjectKey, awaited bool, now time.Time) (end func(), may bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	awaited = awaited || c.news[app]
	if !awaited && c.urgent >= crowd {
		since, waits := c.since[app]
		if !waits {
			if c.since == nil {
				c.since = map[client.ObjectKey]time.Time{}
			}
			c.since[app], since = now, now
		}
		if now.Before(since.Add(longestGivingWay)) {
			return nil, false
		}
	}
	delete(c.since, app)
	delete(c.news, app)
	if !awaited {
		return func() {}, true
	}
	c.urgent++
	return func() {
		c.mu.Lock()
		c.urgent--
		c.mu.Unlock()
	}, true
}

// known returns an application's releases as the cache has them. They must not be changed.
func (d *Deployer) known(ctx context.Context, app client.ObjectKey) ([]v1alpha1.Release, error) {
	var list v1alpha1.ReleaseList
	err := d.Client.List(ctx, &list, client.InNamespace(app.Namespace), client.MatchingFields{index.Application: app.Name},
		client.UnsafeDisableDeepCopy)
	if err != nil {
		return nil, fmt.Errorf("listing releases of %s: %w", app, err)
	}
	return list.Items, nil
}

// awaited reports whether somebody waits for an application's next look: users have not moved yet, or
// are to go back.
func awaited(releases []v1alpha1.Release) bool {
	for i := range releases {
		rel := &releases[i]
		switch {
		case rel.Status.Phase.Finished():
		case rel.Status.Milestones.SwitchedAt == nil, rel.Status.Failure != nil, rel.Spec.Cancel != nil:
			return true
		}
	}
	return false
}
