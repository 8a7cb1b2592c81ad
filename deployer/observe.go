package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// observing reads what decisions rest on.
type observing struct {
	routes interface {
		routesReader
		endpointsReader
		groupsReader
		Groups(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color) ([]track.Group, error)
	}
	workloads interface {
		Observe(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (track.Side, error)
	}
	workers interface {
		Observe(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.Worker, error)
		ObserveSingletons(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.Singleton, error)
		ObserveCronJobs(ctx context.Context, bg *v1alpha1.BlueGreen) ([]track.CronJob, error)
	}
	settle time.Duration // of [route.Router]
}

// application reads the objects of an application, and takes the routes as its active release
// means them.
func (s observing) application(
	ctx context.Context, bg *v1alpha1.BlueGreen, releases []v1alpha1.Release, routes track.Routes,
) (track.Observed, error) {
	o := track.Observed{Now: time.Now(), Sides: map[v1alpha1.Color]track.Side{}}
	var err error
	o.Routes = routes.DuringRelease(claimedOf(bg.Status.Active, releases))
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		if o.Sides[c], err = s.workloads.Observe(ctx, bg, c); err != nil {
			return o, fmt.Errorf("observing the %s side: %w", c, err)
		}
	}
	for c, side := range o.Sides {
		side.UserPort = userPort(side.Ports, o.Routes.Users[o.Routes.Live()])
		o.Sides[c] = side
	}
	if o.Workers, err = s.workers.Observe(ctx, bg); err != nil {
		return o, fmt.Errorf("observing the workers: %w", err)
	}
	if o.Singletons, err = s.workers.ObserveSingletons(ctx, bg); err != nil {
		return o, fmt.Errorf("observing the singletons: %w", err)
	}
	if o.CronJobs, err = s.workers.ObserveCronJobs(ctx, bg); err != nil {
		return o, fmt.Errorf("observing the CronJobs: %w", err)
	}
	return o, s.wayBack(ctx, bg, &o)
}

// userPort is the pods' port that users are routed to, by the first route whose port the colour's
// Service has. Both colours are routed to through the same ports. Without a route, it is the port
// of the Service's first port.
func userPort(ports []track.Port, routed []track.Backend) int32 {
	for _, b := range routed {
		i := slices.IndexFunc(ports, func(p track.Port) bool { return b.Names(p.Name, p.Number) })
		if i >= 0 {
			return ports[i].Pod
		}
	}
	if len(ports) == 0 || len(routed) > 0 {
		return 0
	}
	return ports[0].Pod
}

// of adds what concerns one release. The claim fixes its target.
func (s observing) of(ctx context.Context, bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, o track.Observed) (track.Observed, error) {
	o.Target, o.Previous, o.Endpoints, o.Size, o.Wanted, o.DrainedAt = track.Side{}, track.Side{}, nil, 0, 0, time.Time{}
	o.Groups, o.LeftAt, o.Settle, o.Behind = nil, time.Time{}, s.settle, nil
	target := rel.Status.Milestones.Target
	if target == "" {
		return o, nil
	}
	o.Target, o.Previous = o.Sides[target], o.Sides[target.Other()]
	least := bg.Spec.MinReplicas
	o.Canary, o.Holds = canaryOf(bg, rel), false
	o.Expands = bg.Spec.Migrations != nil && bg.Spec.Migrations.Expand != nil
	o.Unproven = track.Unproven(bg, rel)
	if shift := rel.Status.Shift; shift != nil && track.Divides(rel, o) {
		least = max(least, shift.Replicas)
		o.Holds = shift.Watch != nil && track.Holds(*shift.Watch, o.Now, bg.Spec.Gate.Freshness.Duration)
	}
	if r := rel.Spec.Rollback; r != nil && !o.Previous.DeploymentExists {
		least = max(least, r.To.Replicas) // there is no live size to compare with
	}
	o.Size, o.Wanted = track.Size(least, o.Previous, o.Target)
	o.Freshness = bg.Spec.Gate.Freshness.Duration
	o.Locked = bg.Status.Lock != nil
	o.Behind = track.Behind(rel, o)
	o.DrainedAt = track.DrainedAt(bg, target, string(rel.UID))
	if last := bg.Status.LastSwitch; last != nil && last.From.Color == target && last.UID != string(rel.UID) && !last.Shrunk {
		o.LeftAt = last.At.Time
	}
	var err error
	if o.Endpoints, err = s.routes.ReadyEndpoints(ctx, bg.Namespace, o.Target.Service); err != nil {
		return o, err
	}
	if o.Routes.LoadBalancer == v1alpha1.LoadBalancerGCE && rel.Status.Milestones.SwitchedAt == nil && rel.Status.Failure == nil {
		o.Groups, err = s.routes.Groups(ctx, bg, o.Routes, target)
	}
	return o, err
}

// canaryOf are the steps by which a release brings users to its target: those that it began
// with, or those of the spec.
func canaryOf(bg *v1alpha1.BlueGreen, rel *v1alpha1.Release) []v1alpha1.CanaryStep {
	switch {
	case rel.Status.Shift != nil:
		return rel.Status.Shift.Steps
	case bg.Spec.Canary != nil && bg.Spec.Gateway != nil:
		return bg.Spec.Canary.Steps
	}
	return nil
}

// version is what runs on a colour, by digest if a pod reports it.
func version(s track.Side) v1alpha1.Version {
	image := recordable(s.RunningImage, record.ImageLimit)
	if image == "" {
		image = recordable(s.Image, record.ImageLimit)
	}
	return v1alpha1.Version{
		Color: s.Color, Image: image, Commit: recordable(s.Commit, 64), Tag: recordable(foundTag(s), 128), Release: recordable(s.Release, 253),
		Replicas: s.Replicas, TemplateHash: s.TemplateHash,
	}
}

// foundTag is the tag of an image that no release staged.
func foundTag(s track.Side) string {
	if s.Commit != "" || s.Release != "" {
		return ""
	}
	name, _, _ := strings.Cut(s.Image, "@")
	_, tag, _ := strings.Cut(name[strings.LastIndex(name, "/")+1:], ":")
	return tag
}

// recordable returns a name that somebody else wrote, or "" if the record refuses it. Anybody may
// write an annotation, and no pod can run an image of such a name; [judgeLive] reports it.
func recordable(name string, limit int) string {
	if !record.IsName(name, limit) {
		return ""
	}
	return name
}

// byDigest completes a version that was recorded before its pods could report its digest, for
// example right after the application was created. A rollback must not depend on where a tag
// points by then.
func byDigest(v v1alpha1.Version, now track.Side) v1alpha1.Version {
	if v.Image == now.Image && now.RunningImage != "" {
		v.Image, v.TemplateHash = now.RunningImage, now.TemplateHash
	}
	return v
}

// versionOf names the version that a release brings users to.
func versionOf(rel *v1alpha1.Release) string {
	switch {
	case rel.Spec.Rollback != nil:
		return rel.Spec.Rollback.To.Short()
	case rel.Spec.Contract != nil:
		return v1alpha1.ShortCommit(rel.Spec.Contract.Commit)
	}
	return v1alpha1.ShortCommit(rel.Spec.Deploy.Commit)
}
