package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// survey is what a release reports about the application's state when it began.
type survey struct {
	configuration configuration
	routes        interface {
		endpointsReader
		referrersReader
	}
	workloads interface {
		Drift(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (string, error)
		Unprotected(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) ([]string, error)
	}
}

// lookAround records what a person should know before anything is changed, and what will be
// overwritten. Nothing in it stops the release; judge and mayStageOver do that.
func (s survey) lookAround(ctx context.Context, a *attempt) error {
	s.tellOccupant(a)
	if err := s.tellLive(ctx, a); err != nil {
		return err
	}
	if err := s.tellDrift(ctx, a); err != nil {
		return err
	}
	s.tellPreflight(a)
	if a.o.Target.Release != a.rel.Name { // otherwise its pods have read them
		s.configuration.record(ctx, a)
	}
	return nil
}

// tellLive reports that the live version does not serve users well. The release may be the fix,
// but there may be no way back. The endpoints show whether users are served at all, possibly by
// pods of an older template.
func (s survey) tellLive(ctx context.Context, a *attempt) error {
	live := a.o.Previous
	endpoints, err := s.routes.ReadyEndpoints(ctx, a.bg.Namespace, live.Service)
	if err != nil {
		return err
	}
	const noWayBack = "; after the switch there is nothing healthy to go back to"
	switch {
	case live.Replicas == 0:
		a.finding(fmt.Sprintf("deployment %s, which is live, has no replicas, so users are not served now: this release is staged at %d, and "+
			"there is nothing running to go back to", live.Deployment, a.o.Size))
	case live.Failure != nil && len(endpoints) == 0:
		a.finding(fmt.Sprintf("deployment %s, which is live, is broken: %s%s", live.Deployment, live.Failure.Message, noWayBack))
	case live.Failure != nil:
		a.finding(fmt.Sprintf("deployment %s, which is live, is broken in part: %s", live.Deployment, live.Failure.Message))
	case len(endpoints) == 0:
		a.finding(fmt.Sprintf("deployment %s, which is live, has no pod that is ready%s", live.Deployment, noWayBack))
	}
	return nil
}

// tellOccupant reports what will be overwritten, if no release staged it and users did not use it
// until the last switch.
func (s survey) tellOccupant(a *attempt) {
	left := a.bg.Status.LastSwitch
	known := left != nil && v1alpha1.SameVersion(left.From, version(a.o.Target))
	if t := a.o.Target; t.Release == "" && t.Replicas > 0 && !known {
		a.finding(fmt.Sprintf("deployment %s ran %s at size %d, which no release staged: this release replaces it", t.Deployment,
			version(t).Image, t.Replicas))
	}
}

// tellPreflight records the preflight's warnings. Its errors kept the release from beginning, or
// came later.
func (s survey) tellPreflight(a *attempt) {
	for _, f := range preflight.Warnings(a.bg.Status.Findings) {
		a.finding(f.String(), f.Commands...)
	}
}

// tellDrift reports how the colours' own pod templates differ, and which one is staged.
func (s survey) tellDrift(ctx context.Context, a *attempt) error {
	if !a.o.Previous.DeploymentExists || !a.o.Target.DeploymentExists || a.o.Target.Release == a.rel.Name {
		return nil // nothing to compare, or staged already
	}
	drift, err := s.workloads.Drift(ctx, a.bg, a.target())
	if err != nil {
		return err
	}
	a.rel.Status.Drift = drift
	own, live := a.o.Target.Deployment, a.o.Previous.Deployment
	switch {
	case drift == "":
	case a.bg.Spec.Template == v1alpha1.TemplateOwn:
		a.finding(fmt.Sprintf("the pod template of deployment %s differs from the live one's and is staged as it is (spec.template: Own): see "+
			"the drift", own))
	default:
		a.finding(fmt.Sprintf("the pod template of deployment %s differed from that of deployment %s, which replaces it (spec.template: Live): "+
			"see the drift", own, live))
	}
	return nil
}

// tellProtection reports that the target's pods lack a PodDisruptionBudget that the live ones
// have. It is only advice: a failed look stops nothing.
func (s survey) tellProtection(ctx context.Context, a *attempt) {
	names, err := s.workloads.Unprotected(ctx, a.bg, a.target())
	if err != nil {
		a.log.WarnContext(ctx, "whether the target lacks a PodDisruptionBudget is not known", "error", err)
	}
	if len(names) > 0 {
		a.finding(fmt.Sprintf("the pods of deployment %s have a PodDisruptionBudget, %s, and those of deployment %s have none: "+
			"create one for them", a.o.Previous.Deployment, strings.Join(names, ", "), a.o.Target.Deployment))
	}
}

// mayStageOver returns a fault if anybody else's users reach the target: the new version has not
// passed the gate, and those users may expect something else there.
func (s survey) mayStageOver(ctx context.Context, a *attempt) error {
	t := a.o.Target
	if t.Release == a.rel.Name {
		return nil
	}
	referrers, err := s.routes.Referrers(ctx, a.bg.Namespace, t.Service)
	own := route.Follower{Kind: "httproute", Namespace: a.bg.Namespace, Name: a.bg.StandbyRoute()}
	referrers = slices.DeleteFunc(referrers, func(r string) bool { return r == own.String() }) // its testers are led away before
	if err != nil || len(referrers) == 0 {
		return err
	}
	return &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedTargetInUse, message: fmt.Sprintf(
		"service %s, the %s side, is used by %s, so deployment %s%s is not staged over: route those users elsewhere, then ask again",
		t.Service, t.Color, strings.Join(referrers, ", "), t.Deployment, runningText(t))}
}

// runningText names, in parentheses, what runs on a colour, if anything does.
func runningText(s track.Side) string {
	if s.Replicas == 0 {
		return ""
	}
	return fmt.Sprintf(" (%s at size %d)", version(s).Image, s.Replicas)
}
