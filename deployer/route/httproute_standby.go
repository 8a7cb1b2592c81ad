package route

import (
	"crypto/rand"
	"encoding/hex"
	"regexp"
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// standbyHeader leads a request to the standby colour, if it has the value that only the standby
// route contains. It never reaches a pod.
const standbyHeader = "X-Turnout-Standby"

// keepSuffix makes another value for the rule that keeps the live colour.
const keepSuffix = "-keep"

// password is a value of the header, in the form of [newPassword].
var password = regexp.MustCompile(`^[0-9a-f]{32}$`)

// newPassword is 128 random bits.
func newPassword() string {
	var bits [16]byte
	_, _ = rand.Read(bits[:]) // never fails, see crypto/rand
	return hex.EncodeToString(bits[:])
}

// passwordOf reads the value from a standby route, or creates a new one.
func passwordOf(standby *unstructured.Unstructured) string {
	if value, found := storedPassword(standby); found {
		return value
	}
	return newPassword()
}

// storedPassword is the value in a standby route, its only place.
func storedPassword(standby *unstructured.Unstructured) (value string, found bool) {
	if standby == nil {
		return "", false
	}
	for _, r := range list(fields(standby.Object["spec"])["rules"]) {
		for _, m := range list(fields(r)["matches"]) {
			for _, h := range list(fields(m)["headers"]) {
				header := fields(h)
				if value := text(header["value"]); text(header["name"]) == standbyHeader && password.MatchString(value) {
					return value, true
				}
			}
		}
	}
	return "", false
}

// standbySpec derives the spec of an application's standby route from its own route. Parents and
// hosts are the same. Each match that leads to the application also requires the header, and
// leads with the rule's filters to the other colour alone.
//
// Precedence across routes is by specificity, not by order. A match with one more header than
// another of the same path and method comes first. So the header finds its colour under every
// path, and nobody without it does.
//
// The last rule names the live colour's ports under a value of its own. At the switch, the live
// colour's reference in the users' route falls to weight 0, and nothing documents whether a load
// balancer keeps its backends at that weight.
func standbySpec(bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color, by entrance) map[string]any {
	spec := copied(s.Spec)
	rules := list(spec["rules"])
	var ours []any
	for _, r := range s.Gateway.Rules {
		rule := fields(rules[r.Index])
		ref := copied(anyRef(r, rule))
		ref["name"], ref["weight"] = bg.Side(other).Service, int64(1)
		rule["backendRefs"] = []any{ref}
		delete(rule, "name")
		rule["matches"] = by.guarded(list(rule["matches"]))
		rule["filters"] = withoutHeader(list(rule["filters"]))
		ours = append(ours, rule)
	}
	spec["rules"] = append(ours, keepRule(bg, s, other.Other(), by.value))
	return spec
}

// anyRef is one of a rule's references to the application's Services.
func anyRef(r track.Rule, rule map[string]any) map[string]any {
	for _, c := range colors {
		if ref, found := r.Refs[c]; found {
			return fields(list(rule["backendRefs"])[ref.Index])
		}
	}
	return map[string]any{}
}

// entrance is how a request gets to the standby colour: by the secret value of a header and, for
// a canary's testers, by a header that everybody may know.
type entrance struct {
	value  string
	cohort bool
}

// guarded adds the header to each match, and repeats each one with that of the testers.
func (e entrance) guarded(matches []any) []any {
	if len(matches) == 0 {
		matches = []any{map[string]any{"path": map[string]any{"type": "PathPrefix", "value": "/"}}}
	}
	all := with(matches, standbyMatch(e.value))
	if e.cohort {
		all = append(all, with(matches, exactly(v1alpha1.CohortHeaderName, v1alpha1.CohortHeaderValue))...)
	}
	return all
}

// with adds a header to copies of matches.
func with(matches []any, header map[string]any) []any {
	var all []any
	for _, m := range matches {
		match := copied(fields(m))
		match["headers"] = append(list(match["headers"]), header)
		all = append(all, match)
	}
	return all
}

func standbyMatch(value string) map[string]any { return exactly(standbyHeader, value) }

func exactly(header, value string) map[string]any {
	return map[string]any{"name": header, "type": "Exact", "value": value}
}

// withoutHeader removes the header before the pod: with the rule's existing filter of that type,
// since there can be only one, or with a new one.
func withoutHeader(filters []any) []any {
	for _, f := range filters {
		filter := fields(f)
		if modifier := fields(filter["requestHeaderModifier"]); modifier != nil {
			modifier["remove"] = append(list(modifier["remove"]), standbyHeader)
			return filters
		}
	}
	return append(filters, map[string]any{
		"type": "RequestHeaderModifier", "requestHeaderModifier": map[string]any{"remove": []any{standbyHeader}},
	})
}

// keepRule names every port of a colour that users are routed to.
func keepRule(bg *v1alpha1.BlueGreen, s track.Routes, c v1alpha1.Color, value string) map[string]any {
	var refs []any
	for _, port := range portsOf(s.Gateway.Rules) {
		refs = append(refs, map[string]any{"group": "", "kind": "Service", "name": bg.Side(c).Service, "port": port, "weight": int64(1)})
	}
	return map[string]any{
		"matches": []any{map[string]any{
			"path":    map[string]any{"type": "PathPrefix", "value": "/"},
			"headers": []any{standbyMatch(value + keepSuffix)},
		}},
		"filters":     withoutHeader(nil),
		"backendRefs": refs,
	}
}

// newStandby is a new standby route.
func newStandby(bg *v1alpha1.BlueGreen, s track.Routes, other v1alpha1.Color) *unstructured.Unstructured {
	u := newHTTPRoute(bg.Namespace, bg.StandbyRoute())
	u.SetLabels(map[string]string{v1alpha1.ApplicationLabel: bg.Name})
	u.SetOwnerReferences([]metav1.OwnerReference{*metav1.NewControllerRef(bg, v1alpha1.GroupVersion.WithKind("BlueGreen"))})
	u.Object["spec"] = standbySpec(bg, s, other, entrance{value: newPassword()})
	return u
}

func newHTTPRoute(namespace, name string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{Object: map[string]any{}}
	u.SetGroupVersionKind(HTTPRouteKind)
	u.SetNamespace(namespace)
	u.SetName(name)
	return u
}

// IsStandby reports whether a route is some application's standby route, through which nobody
// reaches anything without the secret header or, during a canary, that of its testers.
func IsStandby(u *unstructured.Unstructured) bool {
	owner := metav1.GetControllerOf(u)
	if owner == nil || owner.Kind != "BlueGreen" || owner.APIVersion != v1alpha1.GroupVersion.String() ||
		u.GetName() != owner.Name+"-standby" {
		return false
	}
	for _, r := range list(fields(u.Object["spec"])["rules"]) {
		matches := list(fields(r)["matches"])
		open := slices.ContainsFunc(matches, func(m any) bool {
			return !slices.ContainsFunc(list(fields(m)["headers"]), func(h any) bool {
				name := text(fields(h)["name"])
				return name == standbyHeader || name == v1alpha1.CohortHeaderName
			})
		})
		if open || len(matches) == 0 {
			return false
		}
	}
	return true
}

// ownedBy reports whether an application's Turnout made a route.
func ownedBy(bg *v1alpha1.BlueGreen, u *unstructured.Unstructured) bool {
	owner := metav1.GetControllerOf(u)
	return owner != nil && owner.UID == bg.UID && owner.UID != types.UID("")
}

// readStandby records the state of the standby route.
func readStandby(bg *v1alpha1.BlueGreen, s *track.Routes, standby *unstructured.Unstructured) {
	if standby == nil {
		return
	}
	st := &s.Gateway.Standby
	st.UID, st.NoCohort = string(standby.GetUID()), noCohort(*s)
	st.Exists, st.Ours, st.Generation, st.Parents = true, ownedBy(bg, standby), standby.GetGeneration(), parentsOf(standby)
	for _, c := range colors {
		st.Testers = st.Testers || leadsCohort(standby, bg.Side(c).Service)
	}
	spec := fields(standby.Object["spec"])
	for _, c := range colors {
		for _, cohort := range []bool{false, true} {
			by := entrance{value: passwordOf(standby), cohort: cohort}
			if st.Ours && len(s.Gateway.Rules) > 0 && equality.Semantic.DeepEqual(spec, standbySpec(bg, *s, c, by)) {
				st.For, st.Cohort = c, cohort
			}
		}
	}
	if !st.Ours {
		return
	}
	for i, r := range list(spec["rules"]) {
		for j, v := range list(fields(r)["backendRefs"]) {
			ref := fields(v)
			if c, ours := colorOf(bg, ref); ours {
				s.Standby[c] = append(s.Standby[c], track.Backend{
					Pointer: refPointer(i, j) + "/name", Host: st.Name, Path: "/", Service: text(ref["name"]),
					Port: map[string]any{"number": whole(ref["port"], 0)},
				})
			}
		}
	}
}
