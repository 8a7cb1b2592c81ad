package deployer

import (
	"context"
	"maps"
	"sync"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// readingAhead begins, with a look, to read past the cache what that look will need if the cache is right
// about its application. So a look whose release just got its last pod waits three times for Kubernetes
// before users move: for all that the switch rests on, for the record of its intent, and for the
// patch.
type readingAhead struct {
	known    record.Known
	uncached client.Reader
	routes   interface {
		routesReader
		endpointsReader
		newsReader
		Ports(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) route.Ports
	}
	holder string
}

// early is what a look began to read when it began; nil if it read nothing.
type early struct {
	bg       *v1alpha1.BlueGreen  // as the cache had it before
	releases map[types.UID]string // the resource versions of the unfinished ones then
	routes   func() (track.Routes, error)
	began    time.Time
	// Of the switch that is probably next.
	release types.UID
	target  v1alpha1.Color
	facts   *switchFacts
}

// switchFacts are what moving users to a colour rests on, past any cache. They are still being read.
type switchFacts struct {
	ports      route.Ports
	events     func() (track.News, error)
	deployment workload.Reading
}

// begin begins to read, and does not wait for answers.
func (b readingAhead) begin(ctx context.Context, app client.ObjectKey) *early {
	bg, err := b.known.Application(ctx, app)
	if err != nil {
		return nil // the look will say so
	}
	releases, err := b.known.Shared(ctx, app)
	if err != nil {
		return nil
	}
	e := &early{bg: bg, releases: versionsOf(releases), began: time.Now()}
	e.routes = aside(func() (track.Routes, error) { return b.routes.Observe(ctx, bg) })
	if rel := b.nearlySwitching(ctx, bg); rel != nil {
		e.release, e.target = rel.UID, rel.Status.Milestones.Target
		e.facts = &switchFacts{
			ports:      b.routes.Ports(ctx, bg, e.target),
			events:     aside(func() (track.News, error) { return b.routes.News(ctx, bg, "") }),
			deployment: workload.Begin(ctx, b.uncached, bg.Namespace, bg.Side(e.target).Deployment),
		}
	}
	return e
}

// nearlySwitching returns this process's release that waited for pods, if the Service now reaches all
// of them; else nil. It is a guess: a wrong one costs three requests.
func (b readingAhead) nearlySwitching(ctx context.Context, bg *v1alpha1.BlueGreen) *v1alpha1.Release {
	c := bg.Status.Active
	if c == nil || c.Holder != b.holder {
		return nil
	}
	rel, err := b.known.Release(ctx, client.ObjectKey{Namespace: bg.Namespace, Name: c.Release})
	if err != nil || string(rel.UID) != c.UID || rel.Status.Failure != nil || rel.Status.Milestones.Target == "" {
		return nil
	}
	if s := rel.Status.Step; s != v1alpha1.StepStage && s != v1alpha1.StepSize {
		return nil
	}
	side := bg.Side(rel.Status.Milestones.Target)
	var d appsv1.Deployment
	if err := b.known.Cache.Get(ctx, client.ObjectKey{Namespace: bg.Namespace, Name: side.Deployment}, &d); err != nil {
		return nil
	}
	reached, err := b.routes.ReadyEndpoints(ctx, bg.Namespace, side.Service)
	if err != nil || len(reached) == 0 || d.Spec.Replicas == nil || len(reached) < int(*d.Spec.Replicas) {
		return nil
	}
	return rel
}

// versionsOf are the resource versions of unfinished releases.
func versionsOf(releases []v1alpha1.Release) map[types.UID]string {
	all := map[types.UID]string{}
	for i := range releases {
		if !releases[i].Status.Phase.Finished() {
			all[releases[i].UID] = releases[i].ResourceVersion
		}
	}
	return all
}

// unchanged reports whether an application and its unfinished releases, as they were read now, are as
// they were before the early reads began. Otherwise these may be older than what the record says,
// of a switch by a process that was taken over, for example.
func (e *early) unchanged(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) bool {
	return e != nil && e.bg.UID == bg.UID && e.bg.ResourceVersion == bg.ResourceVersion && maps.Equal(e.releases, versionsOf(releases))
}

// earlyFor is how long an early read serves a switch: a gate may have taken its time since.
const earlyFor = time.Second

// forSwitch returns what was read early for a release's switch, or nil. read is the resource version
// of the application as the look read it.
func (e *early) forSwitch(read string, rel *v1alpha1.Release) *switchFacts {
	if e == nil || e.facts == nil || e.bg.ResourceVersion != read || time.Since(e.began) > earlyFor {
		return nil
	}
	if m := rel.Status.Milestones; e.release != rel.UID || e.target != m.Target || m.SwitchIntendedAt != nil {
		return nil
	}
	return e.facts
}

// aside begins a call, and returns what waits for its result. Nobody has to.
func aside[T any](call func() (T, error)) func() (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := call()
		done <- result{value, err}
	}()
	return sync.OnceValues(func() (T, error) {
		r := <-done
		return r.value, r.err
	})
}
