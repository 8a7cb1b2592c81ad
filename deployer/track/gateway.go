package track

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// GKEGateway is the controllerName of GKE's own Gateways (cloud.google.com/
// kubernetes-engine/docs/how-to/deploying-gateways, kubectl get gatewayclass). It tells
// of a parent of a route whose load balancer that is: the Gateway may not be readable.
const GKEGateway = "networking.gke.io/gateway"

// Types of the conditions of a parent of a route. The first two are the Gateway API's
// (apis/v1/shared_types.go, RouteConditionType), the third one is GKE's
// (kubernetes-sigs/gateway-api-inference-extension#846).
const (
	conditionAccepted   = "Accepted"
	conditionResolved   = "ResolvedRefs"
	conditionReconciled = "Reconciled"
)

// Gateway is what only a route of the Gateway API has, besides [Routes].
type Gateway struct {
	// Missing is why there is no route; empty if it was just not found.
	Missing string
	// Rules that name one of the application's Services, in their order.
	Rules []Rule
	// Refusals are what Turnout cannot move users by.
	Refusals []Refusal
	// Parents are what the controllers of its Gateways say of it.
	Parents []Parent
	// Standby is the second route, by which the other colour stays known to every
	// load balancer.
	Standby Standby
}

// Rule is a rule of an HTTPRoute that names one of an application's Services.
type Rule struct {
	// Index in spec.rules.
	Index int
	// Refs are its references to the Services, by colour.
	Refs map[v1alpha1.Color]Ref
}

// Ref is a backendRef.
type Ref struct {
	// Index in the rule's backendRefs, and Weight that it has there.
	Index  int
	Weight int64
	// Port of the Service.
	Port int64
}

// Refusal is a field of a route that Turnout cannot work with.
type Refusal struct {
	// Field, such as spec.rules[0].backendRefs[1].
	Field string
	// Reason is one word for machines.
	Reason string
	// Text goes on after the field, and ends with the way out.
	Text string
}

func (r Refusal) String() string { return r.Field + " " + r.Text }

// Standby is the route <application>-standby.
type Standby struct {
	// Name of it, whether it exists or not.
	Name string
	// Exists, and Ours: this application's Turnout made it.
	Exists, Ours bool
	// For is the colour that it leads to, if it is as it should be for that colour.
	For v1alpha1.Color
	// Generation of its spec.
	Generation int64
	// Parents are what the controllers of its Gateways say of it.
	Parents []Parent
}

// Parent is what a controller says of a route at one of its Gateways.
type Parent struct {
	// Controller is its controllerName, Ref the parentRef as text.
	Controller, Ref string
	// Conditions by type.
	Conditions map[string]Condition
}

// Condition of a parent.
type Condition struct {
	// True is its status.
	True bool
	// Observed is the generation of the route that it speaks of; 0 if it does not say.
	Observed int64
	// Reason and Message of it.
	Reason, Message string
}

// Name of a parent for people, with its controller: two may speak of one Gateway.
func (p Parent) Name() string { return p.Controller + " " + p.Ref }

// Key tells a parent from every other one. It is short, since a release records up to 32
// of them.
func (p Parent) Key() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(p.Name())))[:16] }

// Accepted are the keys of those parents that have accepted a route, in whatever
// generation.
func Accepted(parents []Parent) []string {
	var keys []string
	for _, p := range parents {
		if p.Conditions[conditionAccepted].True {
			keys = append(keys, p.Key())
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

// ParentsWord is what the parents of a route say together of a generation of it.
type ParentsWord struct {
	// InEffect: every one of them says that it has carried it out.
	InEffect bool
	// Silent: all that is missing is the word of one that does not say which generation
	// it speaks of.
	Silent bool
	// Refused: one says of this generation, or a later one, that it cannot use it.
	Refused bool
	// Text for people: what is missing, or refused; empty if it is in effect.
	Text string
}

// Hear returns what the parents that had accepted a route say of a generation of it.
// A parent that says nothing of the route any more has not carried it out.
func Hear(parents []Parent, accepted []string, generation int64) ParentsWord {
	w := ParentsWord{}
	var lacks, refuses, silent []string
	for _, key := range accepted {
		i := slices.IndexFunc(parents, func(p Parent) bool { return p.Key() == key })
		if i < 0 {
			lacks = append(lacks, "a Gateway that had accepted it says nothing of it")
			continue
		}
		name := parents[i].Name()
		for _, kind := range []string{conditionAccepted, conditionResolved, conditionReconciled} {
			c, found := parents[i].Conditions[kind]
			switch {
			case kind == conditionReconciled && (!found || parents[i].Controller != GKEGateway):
				if parents[i].Controller == GKEGateway {
					silent = append(silent, name+" has no condition "+kind)
				}
			case !found:
				lacks = append(lacks, name+" has no condition "+kind+" yet")
			case c.Observed == 0:
				silent = append(silent, name+" does not say of which generation its condition "+kind+" speaks")
			case c.Observed < generation:
				lacks = append(lacks, fmt.Sprintf("%s has seen generation %d of it, not %d (%s)", name, c.Observed, generation, kind))
			case !c.True && kind == conditionReconciled: // it tries again, and serves the routes before meanwhile
				lacks = append(lacks, strings.TrimSuffix(fmt.Sprintf("%s has not carried it out: %s %s", name, c.Reason, c.Message), " "))
			case !c.True:
				refuses = append(refuses, strings.TrimSuffix(fmt.Sprintf("%s says %s is false: %s %s", name, kind, c.Reason, c.Message), " "))
			}
		}
	}
	if len(accepted) == 0 {
		silent = append(silent, "no Gateway had accepted it")
	}
	w.Refused, w.Silent = len(refuses) > 0, len(silent) > 0 && len(lacks)+len(refuses) == 0
	w.InEffect = len(lacks)+len(refuses)+len(silent) == 0
	w.Text = cmp.Or(strings.Join(refuses, "; "), strings.Join(lacks, "; "), strings.Join(silent, "; "))
	return w
}

// Waits reports whether it is to be waited for: a parent that tells has not carried it
// out, and none has refused it. Of one that does not tell nothing will ever be known.
func (w ParentsWord) Waits() bool { return !w.InEffect && !w.Refused && !w.Silent }

// Complete reports whether every rule that names one of the two Services names both.
func (g *Gateway) Complete() bool {
	return len(g.Rules) > 0 && !slices.ContainsFunc(g.Rules, func(r Rule) bool { return len(r.Refs) < 2 })
}

// AcceptedSince adds those parents that have accepted the route to the keys of those that
// had before: one that stops while a release goes on may still send users somewhere.
func (s Routes) AcceptedSince(before []string) []string {
	if s.Gateway == nil {
		return before
	}
	keys := append(slices.Clone(before), Accepted(s.Gateway.Parents)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// StandbyWord is what the parents that have accepted the application's route, now or
// before, say of its standby route, which is nothing where there is no such route.
func (s Routes) StandbyWord(before ...string) ParentsWord {
	if s.Gateway == nil {
		return ParentsWord{}
	}
	return Hear(s.Gateway.Standby.Parents, s.AcceptedSince(before), s.Gateway.Standby.Generation)
}

// Word is what the parents that had accepted the route say of it as it is.
func (s Routes) Word(accepted []string) ParentsWord {
	if s.Gateway == nil {
		return ParentsWord{}
	}
	return Hear(s.Gateway.Parents, accepted, s.Generation)
}

// judgeGateway waits until every Gateway has taken up the standby route, and then for as
// long as its load balancer needs to find the pods healthy: whether it does is not said
// anywhere. What the colour lacks meanwhile begins that anew.
func (l WarmLook) judgeGateway(w *Warmth) {
	if l.Standby.Waits() || l.Standby.Refused {
		w.lack("", "", "the standby route is not in effect: %s", l.Standby.Text)
	}
	if len(w.Lacking) > 0 {
		return
	}
	since := l.Known.HealthySince
	for _, pod := range l.Pods {
		if since != nil && !pod.Terminating && since.Time.Before(pod.ReadySince) {
			since = nil
		}
	}
	if since == nil {
		since = &metav1.MicroTime{Time: l.Now}
	}
	w.HealthySince = since
	if at := since.Add(l.settle()); l.Now.Before(at) {
		w.Again = at
		w.lack("", "", "the Gateway does not tell whether it finds the pods healthy, so they are given %s", l.settle())
	}
}
