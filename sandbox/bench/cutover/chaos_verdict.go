package cutover

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// settled waits until GitHub shows every release as ended, after the storm.
func (c *chaos) settled(ctx context.Context, lanes []*laneOf) {
	by := time.Now().Add(chaosPatience) // for all together
	for _, l := range lanes {
		state := ""
		left := max(time.Until(by), time.Second)
		err := wait.PollUntilContextTimeout(ctx, 200*time.Millisecond, left, true, func(context.Context) (bool, error) {
			var open []string
			for _, d := range l.repo.Deployments() {
				if s := d.State(); s == "" || s == "in_progress" || s == "queued" || s == "pending" {
					open = append(open, fmt.Sprintf("%d of %.7s is %q", d.ID, d.SHA, s))
				}
			}
			state = strings.Join(open, ", ")
			return len(open) == 0 && len(l.repo.Deployments()) >= l.expected-l.lost, nil
		})
		if err != nil && ctx.Err() == nil {
			c.fail(&c.lost, "%s: GitHub has %d deployments of %d releases, and some are open: %s", l.name, len(l.repo.Deployments()),
				l.expected, state)
		}
	}
}

// report counts what happened.
func (c *chaos) report(lanes []*laneOf) ChaosReport {
	r := ChaosReport{Seed: c.order.Seed, Stalls: c.stalls, Faults: map[string]int{}}
	for _, p := range c.replicas {
		r.Effects += p.api.Writes()
		count(r.Faults, "Kubernetes", p.api.Hits())
	}
	count(r.Faults, webhook, c.halves.hits())
	count(r.Faults, "load balancer", c.compute.Hits())
	count(r.Faults, "GitHub", c.World.GitHub.Failed())
	for f, n := range c.World.CloudBuild.Failed() {
		r.Faults["Cloud Build: "+buildFailed(f)] += n
	}
	for _, l := range lanes {
		r.Duplicates += c.duplicates(l)
		for _, a := range l.load.Stop() {
			r.ClientRequests++
			if a.Failure != "" {
				r.ClientFailures++
				c.say("WRONG: %s: a request failed at %s: %s", l.name, a.End.Format(time.TimeOnly), a.Failure)
			}
		}
	}
	for _, p := range c.replicas {
		ended, err := p.stop()
		if p.stop = func() (int, error) { return 0, nil }; err != nil {
			c.fail(&c.lost, "a replica was not started again: %v", err)
		}
		r.Restarts += ended
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r.Crashes, r.Releases, r.Rollbacks, r.Lost, r.EndedWrong, r.Wrong = c.crashes, c.done, c.backs, c.lost, c.ended, c.wrong
	r.Seconds = time.Since(c.began).Round(time.Second).Seconds()
	return r
}

// buildFailed names a failure of Cloud Build.
func buildFailed(f cloudbuildtest.Fault) string {
	if f.Performed {
		return "reply lost"
	}
	return f.Code.String()
}

func count[K ~string](faults map[string]int, api string, hits map[K]int) {
	for kind, n := range hits {
		faults[api+": "+string(kind)] += n
	}
}

// duplicates counts what an application had more often than it was asked for: releases, builds,
// moves of users, deployments, and comments.
func (c *chaos) duplicates(l *laneOf) (n int) {
	all, err := l.releases(context.Background())
	if err != nil {
		c.fail(&n, "%s: %v", l.name, err)
		return n
	}
	count := map[string]int{}
	tags := map[string]bool{}
	for i := range all {
		if b := all[i].Status.Build; b != nil {
			tags[b.Tag] = true
		}
		if all[i].Spec.Kind == v1alpha1.Deploy {
			count["release of "+all[i].Spec.Deploy.Commit]++
		}
	}
	for _, b := range c.World.CloudBuild.Builds("acme-prod", "global") {
		for _, tag := range b.GetTags() {
			if tags[tag] {
				count["build "+tag]++
			}
		}
	}
	for _, pr := range l.pulls {
		for _, comment := range l.repo.Comments(pr.Number) {
			if marker, _, ours := strings.Cut(comment.Body, "-->"); ours && strings.HasPrefix(marker, "<!-- turnout:") {
				count[fmt.Sprintf("comment %s on pull request %d", strings.TrimPrefix(marker, "<!-- "), pr.Number)]++
			}
		}
	}
	for _, what := range slices.Sorted(maps.Keys(count)) {
		if count[what] > 1 {
			c.fail(&n, "%s: %s was made %d times", l.name, what, count[what])
		}
	}
	if made := len(all); made > l.expected {
		c.fail(&n, "%s: %d releases, %d were asked for", l.name, made, l.expected)
	}
	if made := len(l.moves); !l.asExpected(made) {
		c.fail(&n, "%s: users were moved %d times in %d releases", l.name, made, l.expected)
	}
	if made := len(l.repo.Deployments()); made > l.expected {
		c.fail(&n, "%s: %d deployments on GitHub of %d releases", l.name, made, l.expected)
	}
	return n
}

// asExpected reports whether so many things are neither more than were asked for nor fewer: a lost
// release, which is counted already, may have made its own or not.
func (l *laneOf) asExpected(made int) bool { return l.expected-l.lost <= made && made <= l.expected }

// terms are the times in which a replica led.
type terms struct {
	mu    sync.Mutex
	last  time.Time
	worst time.Duration
}

// watchLease follows who leads, by the lease itself.
func (c *chaos) watchLease(ctx context.Context) *terms {
	t := &terms{}
	go func() {
		_ = wait.PollUntilContextCancel(ctx, 100*time.Millisecond, true, func(ctx context.Context) (bool, error) {
			lease := &coordinationv1.Lease{}
			if err := c.kube.Get(ctx, client.ObjectKey{Namespace: turnout.Namespace, Name: "turnout"}, lease); err == nil {
				t.look(lease)
			}
			return false, nil
		})
	}()
	return t
}

// look keeps the longest time between two renewals, by whomever.
func (t *terms) look(lease *coordinationv1.Lease) {
	if lease.Spec.RenewTime == nil || lease.Spec.HolderIdentity == nil || *lease.Spec.HolderIdentity == "" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if at := lease.Spec.RenewTime.Time; !t.last.IsZero() && at.After(t.last) {
		t.worst = max(t.worst, at.Sub(t.last))
		t.last = at
	} else if t.last.IsZero() {
		t.last = at
	}
}

func (t *terms) longest() time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.worst
}
