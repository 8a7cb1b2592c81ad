package track

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// readinessGate is the condition in which Google's load balancer reports that it finds a pod
// healthy, or that it does not know.
const readinessGate = "cloud.google.com/load-balancer-neg-ready"

// Reasons of that condition, all with status True (ingress-gce
// pkg/neg/readiness/reflector.go:42-57,188-255).
const (
	reasonReady     = "LoadBalancerNegReady"
	reasonUnchecked = "LoadBalancerNegWithoutHealthCheck"
	reasonTimeout   = "LoadBalancerNegTimeout"
)

// WarmLook is everything that a colour's warmth is judged by.
type WarmLook struct {
	// Now is when it was observed.
	Now time.Time
	// LoadBalancer that the Ingress programs.
	LoadBalancer v1alpha1.LoadBalancer
	// Service of the colour.
	Service string
	// Pods of the version that must be warm.
	Pods []Pod
	// Endpoints are the names of the pods that the Service sends requests to.
	Endpoints []string
	// Groups that Google's load balancer has for the Service.
	Groups []Group
	// Standby is what the Gateways report about the standby route, where there is one.
	Standby ParentsWord
	// LeftAt is when the load balancer last sent users to these pods; zero if it never did,
	// or if they have been shrunk since.
	LeftAt time.Time
	// Rollback: users return to these pods. Shared: some of them are there already.
	Rollback, Shared bool
	// Referenced: the Ingress named the Service before this release.
	Referenced bool
	// Known is what the release has seen so far.
	Known v1alpha1.RouteStatus
	// Settle is [Router.Settle].
	Settle time.Duration
	// ToldAt is when the load balancer last reported the colour as healthy; zero if the age does
	// not matter. Freshness is its maximum age.
	ToldAt    time.Time
	Freshness time.Duration
}

// Lack is something that a colour lacks, or that could not be observed.
type Lack struct {
	// Pod it is about; "" if it is not about a pod.
	Pod string
	// Reason in the controller's word, if there is one.
	Reason string
	// Text for people.
	Text string
}

func (l Lack) String() string {
	if l.Pod == "" {
		return l.Text
	}
	return "pod " + l.Pod + " " + l.Text
}

// Warmth is the result of judging a colour.
type Warmth struct {
	// Warm: every pod can take users' requests.
	Warm bool
	// Pods that count, and how many of them lack nothing.
	Pods, Good int
	// Lacking is what is missing. It is empty if and only if Warm.
	Lacking []Lack
	// Unseen are the pods for which the load balancer does not report whether it finds them
	// healthy.
	Unseen []Lack
	// Waived is what a held colour lacks and the release does not wait for.
	Waived []Lack
	// PokeAt is when to make the load balancer's controller report again; zero if that would show
	// nothing new.
	PokeAt time.Time
	// HealthySince is the new value for [v1alpha1.RouteStatus].
	HealthySince *metav1.MicroTime
	// Again is when the same observation would have another meaning; zero means never.
	Again time.Time
}

// Judge decides whether a colour can take users' requests. It is pure.
//
// On Google's load balancer a ready pod shows little. The pod's gate also opens if the pod is in
// no endpoint group, if its group has no health check yet, or after ten minutes of waiting. Once
// open, the controller never updates it. So Judge reads status, reason and message together. The
// Ingress's annotation shows HEALTHY if a single endpoint was, at the controller's last sync.
// Only both together show that the load balancer finds every pod healthy.
//
// A held colour, see [WarmLook.Held], needs none of this.
func (l WarmLook) Judge() Warmth {
	w := Warmth{}
	for _, pod := range l.Pods {
		if !pod.Terminating {
			w.Pods++
			l.judgePod(&w, pod)
		}
	}
	if w.Pods == 0 {
		w.lack("", "", "there are no pods")
	}
	if l.LoadBalancer == v1alpha1.LoadBalancerGateway && !l.Held() {
		l.judgeGateway(&w)
	}
	if l.LoadBalancer != v1alpha1.LoadBalancerGCE {
		w.Warm = len(w.Lacking) == 0
		return w
	}
	if l.Held() {
		w.Unseen = nil // they served users
		w.Waived = l.waived()
		w.Warm = len(w.Lacking) == 0
		return w
	}
	if why, ok := TakenUp(l.Service, l.Groups); !ok {
		w.lack("", "", "%s", why)
	}
	for _, g := range l.Groups {
		if g.Trouble != "" {
			w.lack("", "", "NEG %s: %s", g.Name, g.Trouble)
		}
	}
	if len(w.Lacking) > 0 {
		w.Unseen = nil // report first what is missing
		return w
	}
	l.judgeBackends(&w)
	if len(w.Lacking) == 0 {
		l.judgeAge(&w)
	}
	w.Warm = len(w.Lacking) == 0
	return w
}

// Held reports whether users return to the very pods that they left and that the Ingress has
// named ever since. The load balancer has these pods. Its present silence is no reason to keep
// users from them.
func (l WarmLook) Held() bool {
	return l.Rollback && l.Referenced && !l.LeftAt.IsZero() && len(l.Pods) > 0 &&
		!slices.ContainsFunc(l.Pods, func(p Pod) bool { return !p.Terminating && !p.Created.Before(l.LeftAt) })
}

// waived is what the load balancer's controller does not report about a held colour.
func (l WarmLook) waived() []Lack {
	var w Warmth
	if why, ok := TakenUp(l.Service, l.Groups); !ok {
		w.lack("", "", "%s", why)
	}
	for _, g := range l.Groups {
		if g.Trouble != "" {
			w.lack("", "", "NEG %s: %s", g.Name, g.Trouble)
		}
		if g.Routed && !g.Healthy() {
			w.lack("", g.State, "the load balancer reported %q for %s when its controller last looked at the ingress", g.State, g.Name)
		}
	}
	return w.Lacking
}

func (w *Warmth) lack(pod, reason, format string, args ...any) {
	w.Lacking = append(w.Lacking, Lack{pod, reason, fmt.Sprintf(format, args...)})
}

func (l WarmLook) judgePod(w *Warmth, pod Pod) {
	gce := l.LoadBalancer == v1alpha1.LoadBalancerGCE
	gate, gated := gateOf(pod)
	switch {
	case gce && WaitsForLoadBalancer(pod):
		w.lack(pod.Name, gate.Reason, "%s", strings.TrimSuffix("runs, and waits for the load balancer to find it healthy: "+gate.Message, ": "))
	case gce && !pod.Ready:
		w.lack(pod.Name, "", "is not ready")
	case !slices.Contains(l.Endpoints, pod.Name):
		w.lack(pod.Name, "", "is not a ready endpoint of service %s", l.Service)
	default:
		w.Good++
		if why := l.distrust(gate, gated); gce && why != "" && !pod.Created.Before(l.LeftAt) {
			w.Unseen = append(w.Unseen, Lack{pod.Name, gate.Reason, why})
		}
	}
}

func gateOf(pod Pod) (Gate, bool) {
	i := slices.IndexFunc(pod.Gates, func(g Gate) bool { return g.Type == readinessGate })
	if i < 0 {
		return Gate{}, false
	}
	return pod.Gates[i], true
}

// healthyIn extracts the NEG and the backend service in which a pod was found healthy. The keys
// are quoted twice: NEG "Key{\"k8s1-…\", zone: \"…\"}".
var healthyIn = regexp.MustCompile(`Healthy in NEG "Key\{"([^"]+)"[^}]*\}" attached to BackendService "Key\{"([^"]+)"`)

// distrust is why a pod's gate does not show that the load balancer finds the pod healthy; "" if
// it does.
func (l WarmLook) distrust(gate Gate, gated bool) string {
	if !gated {
		return "has no readiness gate " + readinessGate
	}
	found := healthyIn.FindStringSubmatch(strings.ReplaceAll(gate.Message, `\`, ""))
	switch {
	case gate.Reason == reasonUnchecked:
		return "was let through without a health check"
	case gate.Reason == reasonTimeout:
		return "was let through because it had waited too long"
	case gate.Reason == reasonReady && isUnreferenced(gate):
		return "was started before the ingress named its service"
	case gate.Reason != reasonReady || found == nil:
		return fmt.Sprintf("was let through for another reason (%s: %s)", gate.Reason, gate.Message)
	case !slices.ContainsFunc(l.Groups, func(g Group) bool { return g.Name == found[1] }):
		return "was found healthy in another NEG, " + found[1]
	}
	return ""
}

func isUnreferenced(gate Gate) bool {
	return strings.Contains(gate.Message, "does not belong to any NEG")
}

// WaitsForLoadBalancer reports whether a pod's containers are ready and only the load balancer's
// verdict is missing.
func WaitsForLoadBalancer(pod Pod) bool {
	gate, gated := gateOf(pod)
	return gated && !gate.True && pod.ContainersReady
}

// LetThroughUnreferenced reports whether a pod's gate was opened because nothing named its
// Service when it started. Its health will never be reported.
func LetThroughUnreferenced(pod Pod) bool {
	gate, gated := gateOf(pod)
	return gated && gate.True && isUnreferenced(gate)
}

// judgeAge makes the load balancer report again if its last report is too old. Pods' gates are
// never updated again, and the state of the service is as old as the controller's last sync.
// Nothing shows when the next sync is done, so it gets a fixed time.
func (l WarmLook) judgeAge(w *Warmth) {
	if l.ToldAt.IsZero() || l.Now.Sub(l.ToldAt) < l.Freshness {
		return
	}
	due := l.Now
	if poked := l.Known.PokedAt; poked != nil && l.Now.Sub(poked.Time) < l.Freshness {
		if due = poked.Add(min(l.settle()/3, l.Freshness/2)); !l.Now.Before(due) {
			return
		}
	} else {
		w.PokeAt = due
	}
	w.Again = due
	w.lack("", "", "the load balancer last reported at %s that it finds service %s healthy, which is too long ago (spec.gate.freshness is "+
		"%s): Turnout makes it report again",
		l.ToldAt.UTC().Format("15:04:05 UTC"), l.Service, l.Freshness)
}

func (l WarmLook) settle() time.Duration {
	if l.Settle == 0 {
		return v1alpha1.DefaultSettle
	}
	return l.Settle
}

// judgeBackends judges the states of the backends, if the colour lacks nothing else.
func (l WarmLook) judgeBackends(w *Warmth) {
	settle := l.settle()
	due := l.Now
	if l.Known.PokedAt != nil {
		due = l.Known.PokedAt.Add(pokeBackOff(l.Known.Pokes, settle))
	}
	for _, g := range l.Groups {
		if !g.Healthy() {
			w.lack("", g.State, "the load balancer reported %q for %s when its controller last looked at the ingress", g.State, g.Name)
		}
	}
	if len(w.Lacking) > 0 {
		w.PokeAt, w.Again = due, due
		return
	}
	if len(w.Unseen) == 0 {
		return
	}
	// HEALTHY is as old as the last sync, so it counts only from the first poke that did not
	// change it.
	since := l.Known.HealthySince
	poked := l.Known.PokedAt
	for _, pod := range l.Pods {
		if since != nil && !pod.Terminating && since.Time.Before(pod.ReadySince) {
			since = nil
		}
	}
	if since == nil && poked != nil && poked.Time.Before(l.Now) {
		since = &metav1.MicroTime{Time: l.Now}
	}
	w.HealthySince = since
	if since != nil && poked.After(since.Time) && l.Now.Sub(since.Time) >= settle {
		return
	}
	if poked != nil { // found healthy once: another poke, halfway through, must confirm it
		due = poked.Add(max(settle/2, pokeBackOff(l.Known.Pokes, settle)))
	}
	w.PokeAt, w.Again = due, due
	if since != nil {
		settled := since.Add(settle)
		if poked != nil && poked.After(since.Time) {
			w.PokeAt, w.Again = time.Time{}, settled
		} else if settled.After(l.Now) && settled.Before(w.Again) {
			w.Again = settled
		}
	}
	w.lack("", "", "the load balancer does not report for each pod whether it is healthy, so it must find the service healthy for %s",
		settle)
}

// pokeBackOff is the time from the nth poke to the next while the load balancer does not find the
// colour healthy. The first poke is often too early: pods are ready before the controller has
// listed their health. Pokes share a [Budget] with the Ingress's other events, and the switch
// needs one of them.
func pokeBackOff(pokes int32, settle time.Duration) time.Duration {
	if pokes <= 1 {
		return settle / 6
	}
	return min(settle/2<<(min(pokes, 8)-2), 2*settle)
}
