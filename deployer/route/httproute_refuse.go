package route

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Limits of an HTTPRoute (gateway-api apis/v1/httproute_types.go). The standby route has one more
// rule, one more match, and one more header per match than the rules that it follows.
const (
	maxRules   = 16
	maxMatches = 128
	maxEntries = 16 // of the headers of a match, and of the names that a filter removes
)

// refusals are what keeps Turnout from moving users: fields of the rules that name one of the
// application's Services, and mirrors to these Services in any rule.
func refusals(bg *v1alpha1.BlueGreen, spec map[string]any) []track.Refusal {
	var all []track.Refusal
	rules, matches := 0, 0
	for i, r := range list(spec["rules"]) {
		rule, at := fields(r), fmt.Sprintf("spec.rules[%d]", i)
		all = append(all, mirrors(bg, rule, at)...)
		if found := ruleOf(bg, i, rule); len(found.Refs) > 0 {
			rules, matches = rules+1, matches+max(1, len(list(rule["matches"])))
			all = append(all, refusedRefs(bg, found, rule, at)...)
			all = append(all, refusedRule(rule, at)...)
		}
	}
	if rules >= maxRules {
		all = append(all, track.Refusal{
			Field: "spec.rules", Reason: "Rules",
			Text: fmt.Sprintf("names the application's Services in %d rules, and the standby route needs one more "+
				"than these (at most %d): join some of them, or move some to another HTTPRoute", rules, maxRules),
		})
	}
	if matches >= maxMatches {
		all = append(all, track.Refusal{
			Field: "spec.rules", Reason: "Matches",
			Text: fmt.Sprintf("has %d matches for the application, and the standby route needs one more than "+
				"these (at most %d): join some of them, or move some to another HTTPRoute", matches, maxMatches),
		})
	}
	return all
}

// refusedRefs are the references of a rule that cannot be weighed.
func refusedRefs(bg *v1alpha1.BlueGreen, found track.Rule, rule map[string]any, at string) []track.Refusal {
	var all []track.Refusal
	refuse := func(field, reason, format string, args ...any) {
		all = append(all, track.Refusal{Field: field, Reason: reason, Text: fmt.Sprintf(format, args...)})
	}
	ours := bg.Side(v1alpha1.Blue).Service + " and " + bg.Side(v1alpha1.Green).Service
	seen := map[v1alpha1.Color]bool{}
	for j, r := range list(rule["backendRefs"]) {
		ref, field := fields(r), fmt.Sprintf("%s.backendRefs[%d]", at, j)
		c, own := colorOf(bg, ref)
		switch {
		case !isService(ref):
			refuse(field, "Kind", "is a %s, not a Service, beside %s: move it to a rule of its own", text(ref["kind"]), ours)
		case !own:
			refuse(field, "ThirdBackend", "names %s beside %s: move it to a rule of its own, or remove it", refName(ref), ours)
		case seen[c]:
			refuse(field, "Twice", "names service %s again: name it once in a rule", text(ref["name"]))
		}
		if own && len(list(ref["filters"])) > 0 {
			refuse(field+".filters", "BackendFilters", "would move with the weights: move them to %s.filters", at)
		}
		seen[c] = seen[c] || own
	}
	blue, green := found.Refs[v1alpha1.Blue], found.Refs[v1alpha1.Green]
	switch {
	case len(found.Refs) == 2 && blue.Port != green.Port:
		refuse(at+".backendRefs", "Ports", "names port %d of %s and port %d of %s: name the same port of both", blue.Port,
			bg.Side(v1alpha1.Blue).Service, green.Port, bg.Side(v1alpha1.Green).Service)
	case blue.Weight+green.Weight == 0:
		refuse(at+".backendRefs", "NoShare", "sends nobody to %s: give one of them a weight", ours)
	}
	return all
}

// refName names the object of a reference, with its namespace if it has one.
func refName(ref map[string]any) string {
	if namespace := text(ref["namespace"]); namespace != "" {
		return namespace + "/" + text(ref["name"])
	}
	return text(ref["name"])
}

// refusedRule is what else in a rule cannot be followed.
func refusedRule(rule map[string]any, at string) []track.Refusal {
	var all []track.Refusal
	if rule["sessionPersistence"] != nil {
		all = append(all, track.Refusal{
			Field: at + ".sessionPersistence", Reason: "SessionPersistence",
			Text: "keeps users with the colour that they had, whatever the weights: remove it",
		})
	}
	for i, m := range list(rule["matches"]) {
		headers := list(fields(m)["headers"])
		field := fmt.Sprintf("%s.matches[%d].headers", at, i)
		if slices.ContainsFunc(headers, func(h any) bool { return strings.EqualFold(text(fields(h)["name"]), standbyHeader) }) {
			all = append(all, track.Refusal{
				Field: field, Reason: "Header",
				Text: "has the header " + standbyHeader + ", which is Turnout's: remove it",
			})
		}
		if len(headers) >= maxEntries {
			all = append(all, track.Refusal{
				Field: field, Reason: "Headers",
				Text: fmt.Sprintf("has %d headers, and the standby route needs one more (at most %d): match fewer", len(headers), maxEntries),
			})
		}
	}
	for i, f := range list(rule["filters"]) {
		if n := len(list(fields(fields(f)["requestHeaderModifier"])["remove"])); n >= maxEntries {
			all = append(all, track.Refusal{
				Field: fmt.Sprintf("%s.filters[%d].requestHeaderModifier.remove", at, i), Reason: "Headers",
				Text: fmt.Sprintf("has %d names, and the standby route needs one more (at most %d): remove fewer", n, maxEntries),
			})
		}
	}
	return all
}

// mirrors are those in a rule, anybody's, that send copies of requests to one of the
// application's Services: a version that has not passed its gate would get them.
func mirrors(bg *v1alpha1.BlueGreen, rule map[string]any, at string) []track.Refusal {
	var all []track.Refusal
	look := func(filters []any, at string) {
		for i, f := range filters {
			ref := fields(fields(fields(f)["requestMirror"])["backendRef"])
			if _, ours := colorOf(bg, ref); ours {
				all = append(all, track.Refusal{
					Field: fmt.Sprintf("%s.filters[%d].requestMirror", at, i), Reason: "Mirror",
					Text: "sends copies of requests to service " + text(ref["name"]) + ", whichever version it has: remove it",
				})
			}
		}
	}
	look(list(rule["filters"]), at)
	for j, r := range list(rule["backendRefs"]) {
		look(list(fields(r)["filters"]), fmt.Sprintf("%s.backendRefs[%d]", at, j))
	}
	return all
}
