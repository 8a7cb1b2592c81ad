package deployer

import (
	"context"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// loadBalancer is an application's load balancer, as its metrics name it.
type loadBalancer struct {
	kind analysis.Balancer
	// backends are the colours' backend services, as the spec or the cluster names them. A colour
	// without one, or with several, is missing here: Turnout never guesses.
	backends map[v1alpha1.Color]string
}

// loadBalancer finds out which load balancer serves users.
func (m metricsAccess) loadBalancer(ctx context.Context, bg *v1alpha1.BlueGreen, r track.Routes) (loadBalancer, error) {
	find := m.ofIngress
	if r.Gateway != nil {
		find = m.ofGateways
	}
	found, err := find(ctx, bg, r)
	if g := bg.Spec.Analysis.Google; g != nil && g.Backends != nil {
		found.backends = map[v1alpha1.Color]string{v1alpha1.Blue: g.Backends.Blue, v1alpha1.Green: g.Backends.Green}
	}
	return found, err
}

func (m metricsAccess) ofIngress(ctx context.Context, bg *v1alpha1.BlueGreen, r track.Routes) (loadBalancer, error) {
	found := loadBalancer{kind: kindOfIngress(r), backends: map[v1alpha1.Color]string{}}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		groups, err := m.routes.GroupStates(ctx, bg, r, c)
		if err != nil {
			return found, err
		}
		if len(groups) == 1 {
			found.backends[c] = groups[0].Backend
		}
	}
	return found, nil
}

func kindOfIngress(r track.Routes) analysis.Balancer {
	switch {
	case r.LoadBalancer != v1alpha1.LoadBalancerGCE:
		return analysis.BalancerOther
	case r.Internal:
		return analysis.BalancerInternal
	case r.Regional:
		return analysis.BalancerRegional
	}
	return analysis.BalancerGlobal
}

// ofGateways reads the Gateways, if they are GKE's.
func (m metricsAccess) ofGateways(ctx context.Context, bg *v1alpha1.BlueGreen, r track.Routes) (loadBalancer, error) {
	isGKE := func(p track.Parent) bool { return p.Controller == track.GKEGateway }
	if !slices.ContainsFunc(r.Gateway.Parents, isGKE) {
		return loadBalancer{kind: analysis.BalancerOther}, nil
	}
	gateways, err := route.ParentGateways(ctx, m.reader, bg.Namespace, r.Spec)
	if err != nil {
		return loadBalancer{kind: analysis.BalancerUnknown}, err
	}
	found := loadBalancer{kind: kindOfGateways(gateways), backends: map[v1alpha1.Color]string{}}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		found.backends[c] = route.GoogleBackend(gateways, bg, r, c)
	}
	return found, nil
}

// kinds are the load balancers of GKE's classes of Gateways (cloud.google.com/
// kubernetes-engine/docs/how-to/gatewayclass-capabilities).
var kinds = map[string]analysis.Balancer{ //nolint:gochecknoglobals // a constant table
	"gke-l7-global-external-managed":            analysis.BalancerGlobal,
	"gke-l7-gxlb":                               analysis.BalancerGlobal,
	"gke-l7-regional-external-managed":          analysis.BalancerRegional,
	"gke-l7-rilb":                               analysis.BalancerInternal,
	"gke-l7-cross-regional-internal-managed-mc": analysis.BalancerInternal,
}

// kindOfGateways is the kind of a route's Gateways, if all have the same.
func kindOfGateways(gateways []route.ParentGateway) analysis.Balancer {
	var found []analysis.Balancer
	for _, g := range gateways {
		kind, known := kinds[g.Class]
		if !g.Readable || !known {
			return analysis.BalancerUnknown
		}
		found = append(found, kind)
	}
	slices.Sort(found)
	if found = slices.Compact(found); len(found) != 1 {
		return analysis.BalancerUnknown
	}
	return found[0]
}

// values identify a colour that runs a version in metrics.
func (b loadBalancer) values(bg *v1alpha1.BlueGreen, c v1alpha1.Color, version string) analysis.Values {
	return analysis.Values{
		Color: string(c), Service: bg.Side(c).Service, Namespace: bg.Namespace, Version: version, Backend: b.backends[c],
		Window: bg.Spec.Analysis.Interval.Duration,
	}
}
