package cutover

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// chaosPatience bounds a release. A webhook that was lost is swept back after 4 minutes at most, and
// that may fail, too.
const chaosPatience = 9 * time.Minute

// laneOf is an application of the storm, and what its people asked for.
type laneOf struct {
	*released
	expected int // releases
	lost     int // of those; counted and reported when nobody waited for them any longer
	commits  []string
	pulls    []*githubtest.PullRequest
}

// adopt makes the applications while nothing fails.
func (c *chaos) adopt(ctx context.Context) ([]*laneOf, error) {
	var running sync.WaitGroup
	made, errs := make([]*released, chaosApplications), make([]error, chaosApplications)
	for i := range made {
		running.Go(func() { made[i], errs[i] = c.newReleased(ctx, numbered("chaos", i), time.Hour) })
	}
	running.Wait()
	var lanes []*laneOf
	for _, t := range made {
		if t != nil && t.load != nil {
			lanes = append(lanes, &laneOf{released: t})
		}
	}
	return lanes, errors.Join(errs...)
}

// release lets every application release and roll back in turn, until there were enough.
func (c *chaos) release(ctx context.Context, lanes []*laneOf) {
	var running sync.WaitGroup
	for _, l := range lanes {
		running.Go(func() {
			for c.more(ctx) {
				if !c.one(ctx, l) {
					return // whatever comes next would only say the same
				}
			}
		})
	}
	running.Wait()
}

// more takes one of the releases that are still to be begun.
func (c *chaos) more(ctx context.Context) bool {
	return ctx.Err() == nil && time.Since(c.stormy) < c.order.For && c.started.Add(1) <= int64(c.order.Releases)
}

// one merges, or rolls the last merge back, and waits until users have what that promised.
func (c *chaos) one(ctx context.Context, l *laneOf) (ok bool) {
	rollback := l.expected%3 == 2 // every third, so that both colours are live in turn
	what, version := "a release", ""
	if rollback {
		what = "a rollback"
		before := len(l.commits) - 2
		version = fmt.Sprintf("v2.%d.0", before+1)
		if err := l.comment(l.pulls[len(l.pulls)-1], "/rollback"); err != nil {
			c.fail(&c.lost, "%s: %v", l.name, err)
			return false
		}
	} else {
		var err error
		var pr *githubtest.PullRequest
		if version, pr, err = l.ship(); err != nil {
			c.fail(&c.lost, "%s: %v", l.name, err)
			return false
		}
		l.pulls, l.commits = append(l.pulls, pr), append(l.commits, pr.MergeCommit())
	}
	l.expected++
	rel, why := c.awaitEnd(ctx, l)
	switch {
	case ctx.Err() != nil:
		return false
	case rel == nil:
		l.lost++
		c.fail(&c.lost, "%s: %s is lost: %s", l.name, what, why)
		return false
	case rel.Status.Phase != v1alpha1.ReleaseSucceeded:
		c.fail(&c.ended, "%s: %s ended as %s: %s", l.name, rel.Name, rel.Status.Phase, rel.Status.Message)
		return false
	}
	if err := l.until(ctx, "an answer of "+version, func(ctx context.Context) (bool, error) {
		got, err := l.ask(ctx)
		return err == nil && got == version, nil
	}); err != nil {
		c.fail(&c.ended, "%s: %s has succeeded, and users do not have %s: %v", l.name, rel.Name, version, err)
		return false
	}
	c.mu.Lock()
	c.done++
	if rollback {
		c.backs++
	}
	c.mu.Unlock()
	c.say("%s: %s has succeeded", l.name, rel.Name)
	return true
}

// awaitEnd waits until the release that was asked for last has ended; why says how far it came.
func (c *chaos) awaitEnd(ctx context.Context, l *laneOf) (rel *v1alpha1.Release, why string) {
	approved := false
	_ = wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, chaosPatience, true, func(ctx context.Context) (bool, error) {
		all, err := l.releases(ctx)
		if err != nil {
			return false, err
		}
		if why = fmt.Sprintf("there are %d of %d releases", len(all), l.expected); len(all) < l.expected {
			return false, nil
		}
		newest := &all[0]
		for i := range all {
			if all[i].CreationTimestamp.After(newest.CreationTimestamp.Time) {
				newest = &all[i]
			}
		}
		why = fmt.Sprintf("%s is %s at %s: %s", newest.Name, newest.Status.Phase, newest.Status.Step, newest.Status.Message)
		if newest.Status.Phase == v1alpha1.ReleaseWaiting && newest.Status.Step == v1alpha1.StepPromote && !approved {
			// It contains a version that was rolled back, so a person is asked.
			approved = true
			if err := l.comment(l.pulls[len(l.pulls)-1], "/promote"); err != nil {
				return false, err
			}
		}
		if newest.Status.Phase.Finished() {
			rel = newest
		}
		return rel != nil, nil
	})
	return rel, strings.TrimSpace(why)
}

// releases of the application.
func (t *released) releases(ctx context.Context) ([]v1alpha1.Release, error) {
	var list v1alpha1.ReleaseList
	if err := t.kube.List(ctx, &list, client.InNamespace(t.namespace)); err != nil {
		return nil, fmt.Errorf("listing releases: %w", err)
	}
	return list.Items, nil
}
