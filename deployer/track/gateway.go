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

// GKEGateway is the controllerName of GKE's own Gateways
// (cloud.google.com/kubernetes-engine/docs/how-to/deploying-gateways, kubectl get gatewayclass).
// A route's status names it for each parent, so Turnout need not read the Gateway to know its
// load balancer.
const GKEGateway = "networking.gke.io/gateway"

// Condition types of a route's parent. The first two are the Gateway API's
// (apis/v1/shared_types.go, RouteConditionType). The third is GKE's
// (kubernetes-sigs/gateway-api-inference-extension#846).
const (
	conditionAccepted   = "Accepted"
	conditionResolved   = "ResolvedRefs"
	conditionReconciled = "Reconciled"
)

// Gateway is what only a route of the Gateway API has, in addition to [Routes].
type Gateway struct {
	// Missing is why there is no route; empty if it was simply not found.
	Missing string
	// Rules that name one of the application's Services, in their order.
	Rules []Rule
	// Refusals are the fields that keep Turnout from switching users.
	Refusals []Refusal
	// Parents are the reports of its Gateways' controllers.
	Parents []Parent
	// Standby is the second route. It keeps the idle colour attached to every load balancer.
	Standby Standby
}

// Rule is a rule of an HTTPRoute that names one of the application's Services.
type Rule struct {
	// Index in spec.rules.
	Index int
	// Refs are its references to the Services, by colour.
	Refs map[v1alpha1.Color]Ref
}

// Ref is a backendRef.
type Ref struct {
	// Index in the rule's backendRefs, and its Weight there.
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
	// Text follows the field's name and ends with the way out.
	Text string
}

func (r Refusal) String() string { return r.Field + " " + r.Text }

// Standby is the route <application>-standby.
type Standby struct {
	// Name of it, whether it exists or not.
	Name string
	// Exists, and Ours: Turnout created it for this application.
	Exists, Ours bool
	// For is the colour that it leads to; empty if its spec is not right for any.
	For v1alpha1.Color
	// Cohort: the header of a canary's testers leads there, too. NoCohort is why it cannot; empty
	// if it can.
	Cohort   bool
	NoCohort string
	// Testers: that header leads to one of the colours, whether the rest of the spec is right or not.
	Testers bool
	// UID of it.
	UID string
	// Generation of its spec.
	Generation int64
	// Parents are the reports of its Gateways' controllers.
	Parents []Parent
}

// Parent is a controller's report on a route at one of its Gateways.
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
	// Observed is the generation of the route that it describes; 0 if it does not report one.
	Observed int64
	// Reason and Message of it.
	Reason, Message string
}

// Name is the parent's name for people. It includes the controller, since two may report on one
// Gateway.
func (p Parent) Name() string { return p.Controller + " " + p.Ref }

// Key identifies the parent. It is short, since a release records up to 32 of them.
func (p Parent) Key() string { return fmt.Sprintf("%x", sha256.Sum256([]byte(p.Name())))[:16] }

// Accepted returns the keys of the parents that have accepted a route, in any generation.
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

// ParentsWord is the combined report of a route's parents on one of its generations.
type ParentsWord struct {
	// InEffect: every parent has programmed it.
	InEffect bool
	// Silent: only the reports of parents that do not name a generation are missing.
	Silent bool
	// Refused: a parent cannot use this generation or a later one.
	Refused bool
	// Text for people: what is missing or refused; empty if it is in effect.
	Text string
}

// Hear combines the reports on one generation of the parents that had accepted a route. A parent
// that no longer reports on the route has not programmed the generation.
func Hear(parents []Parent, accepted []string, generation int64) ParentsWord {
	w := ParentsWord{}
	var lacks, refuses, silent []string
	for _, key := range accepted {
		i := slices.IndexFunc(parents, func(p Parent) bool { return p.Key() == key })
		if i < 0 {
			lacks = append(lacks, "a Gateway that had accepted it no longer reports on it")
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
				silent = append(silent, name+" does not report the generation of its condition "+kind)
			case c.Observed < generation:
				lacks = append(lacks, fmt.Sprintf("%s has seen generation %d of it, not %d (%s)", name, c.Observed, generation, kind))
			case !c.True && kind == conditionReconciled: // it retries, and keeps serving the earlier routes
				lacks = append(lacks, strings.TrimSuffix(fmt.Sprintf("%s has not programmed it: %s %s", name, c.Reason, c.Message), " "))
			case !c.True:
				refuses = append(refuses, strings.TrimSuffix(fmt.Sprintf("%s reports that %s is false: %s %s", name, kind, c.Reason, c.Message), " "))
			}
		}
	}
	if len(accepted) == 0 {
		silent = append(silent, "no Gateway has accepted it")
	}
	w.Refused, w.Silent = len(refuses) > 0, len(silent) > 0 && len(lacks)+len(refuses) == 0
	w.InEffect = len(lacks)+len(refuses)+len(silent) == 0
	w.Text = cmp.Or(strings.Join(refuses, "; "), strings.Join(lacks, "; "), strings.Join(silent, "; "))
	return w
}

// Waits reports whether waiting helps: a parent that reports has not programmed it yet, and none
// has refused it. A silent parent will never report.
func (w ParentsWord) Waits() bool { return !w.InEffect && !w.Refused && !w.Silent }

// Refused is the first field that keeps Turnout from moving users by the routes, and the way out;
// empty if there is none.
func (s Routes) Refused() string {
	if s.Gateway == nil || len(s.Gateway.Refusals) == 0 {
		return ""
	}
	return s.Gateway.Refusals[0].String()
}

// Complete reports whether every rule that names one of the two Services names both.
func (g *Gateway) Complete() bool {
	return len(g.Rules) > 0 && !slices.ContainsFunc(g.Rules, func(r Rule) bool { return len(r.Refs) < 2 })
}

// AcceptedSince adds to the recorded keys those of the parents that accept the route now. A
// parent that stops accepting it during a release may still send users somewhere.
func (s Routes) AcceptedSince(before []string) []string {
	if s.Gateway == nil {
		return before
	}
	keys := append(slices.Clone(before), Accepted(s.Gateway.Parents)...)
	slices.Sort(keys)
	return slices.Compact(keys)
}

// StandbyWord is the report on the standby route by the parents that accept the application's
// route, now or before; zero without such a route.
func (s Routes) StandbyWord(before ...string) ParentsWord {
	if s.Gateway == nil {
		return ParentsWord{}
	}
	return Hear(s.Gateway.Standby.Parents, s.AcceptedSince(before), s.Gateway.Standby.Generation)
}

// Word is the report on the current route by the parents that had accepted it.
func (s Routes) Word(accepted []string) ParentsWord {
	if s.Gateway == nil {
		return ParentsWord{}
	}
	return Hear(s.Gateway.Parents, accepted, s.Generation)
}

// WordOn is the report on the last weight of a release by the parents that had accepted the
// route before it.
func (s Routes) WordOn(r *v1alpha1.Release) ParentsWord {
	last := r.LastWeight()
	if s.Gateway == nil || r.Status.Route == nil || last == nil || last.Generation == 0 {
		return ParentsWord{}
	}
	word := Hear(s.Gateway.Parents, r.Status.Route.Parents, last.Generation)
	if c := r.Status.Shift.Cohort; c != nil && c.LeftAt == nil && last.Weight == 0 { // they are users of the target, too
		return word.and(s.WordOnCohort(r))
	}
	return word
}

// WordOnCohort is the report on the standby route without a release's cohort.
func (s Routes) WordOnCohort(r *v1alpha1.Release) ParentsWord {
	c := r.Status.Shift.Cohort
	switch {
	case c.EndedIn != 0:
	case c.EndedAt != nil:
		return ParentsWord{Silent: true, Text: "there is no standby route any more"}
	default:
		return ParentsWord{Text: "the header of its testers still leads there"}
	}
	word := Hear(s.Gateway.Standby.Parents, r.Status.Route.Parents, c.EndedIn)
	if word.Text != "" {
		word.Text = "the standby route: " + word.Text
	}
	return word
}

// and combines the reports on two routes.
func (w ParentsWord) and(v ParentsWord) ParentsWord {
	both := w.InEffect && v.InEffect
	return ParentsWord{
		InEffect: both, Refused: w.Refused || v.Refused,
		Silent: !both && (w.Silent || w.InEffect) && (v.Silent || v.InEffect),
		Text:   strings.Trim(w.Text+"; "+v.Text, "; "),
	}
}

// judgeShared is for a colour to which the load balancer sends users: it has its pods, and only
// those that are new must still be found healthy.
func (l WarmLook) judgeShared(w *Warmth) {
	for _, pod := range l.Pods {
		at := pod.ReadySince.Add(l.settle())
		if pod.Terminating || !pod.Ready || !l.Now.Before(at) {
			continue
		}
		if w.Again.IsZero() || at.Before(w.Again) {
			w.Again = at
		}
		w.lack(pod.Name, "", "is ready only since %s, and the load balancer is given %s to find it healthy", Clock(pod.ReadySince), l.settle())
	}
}

// judgeGateway waits until every Gateway has taken up the standby route, and then for as long as
// the load balancer needs to find the pods healthy: no status reports their health. Whatever the
// colour lacks in the meantime restarts that wait.
func (l WarmLook) judgeGateway(w *Warmth) {
	if l.Shared {
		l.judgeShared(w)
		return
	}
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
		w.lack("", "", "the Gateway does not report whether the pods are healthy, so the release waits %s", l.settle())
	}
}
