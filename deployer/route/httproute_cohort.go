package route

import (
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// maxRuleMatches is the limit of a rule (gateway-api apis/v1/httproute_types.go).
const maxRuleMatches = 64

// noCohort is why the standby route cannot have the header of a canary's testers beside each
// match; empty if it can.
func noCohort(s track.Routes) string {
	all := 1 // the rule that keeps the live colour
	rules := list(s.Spec["rules"])
	for _, r := range s.Gateway.Rules {
		matches := list(fields(rules[r.Index])["matches"])
		n := 2 * max(1, len(matches))
		if all += n; n > maxRuleMatches || all > maxMatches {
			return "it has too many matches"
		}
		for _, m := range matches {
			if slices.ContainsFunc(list(fields(m)["headers"]), func(h any) bool {
				return strings.EqualFold(text(fields(h)["name"]), v1alpha1.CohortHeaderName)
			}) {
				return "one of its matches has that header already"
			}
		}
	}
	return ""
}

// leadsCohort reports whether a standby route leads a canary's testers to a Service.
func leadsCohort(u *unstructured.Unstructured, service string) bool {
	for _, r := range list(fields(u.Object["spec"])["rules"]) {
		rule := fields(r)
		leads := slices.ContainsFunc(list(rule["matches"]), ofCohort)
		there := slices.ContainsFunc(list(rule["backendRefs"]), func(b any) bool { return text(fields(b)["name"]) == service })
		if leads && there {
			return true
		}
	}
	return false
}

// withoutCohort is the spec of a standby route without the matches of a canary's testers, and with
// another secret value. A rule that had no other match goes, too: without any it would match
// everybody.
func withoutCohort(spec map[string]any, value string) map[string]any {
	spec = copied(spec)
	var rules []any
	for _, r := range list(spec["rules"]) {
		rule := fields(r)
		matches := slices.DeleteFunc(list(rule["matches"]), ofCohort)
		if len(matches) == 0 {
			continue
		}
		for _, m := range matches {
			for _, h := range list(fields(m)["headers"]) {
				if header := fields(h); text(header["name"]) == standbyHeader {
					header["value"] = value + keptSuffix(text(header["value"]))
				}
			}
		}
		rule["matches"] = matches
		rules = append(rules, rule)
	}
	spec["rules"] = rules
	return spec
}

// keptSuffix is the end of a value that makes it that of the rule for the live colour; otherwise empty.
func keptSuffix(value string) string {
	if strings.HasSuffix(value, keepSuffix) {
		return keepSuffix
	}
	return ""
}

// ofCohort reports whether a match is one of a canary's testers: it has their header, and not the
// secret one, beside which an owner may match that header, too.
func ofCohort(match any) bool {
	has := func(name string) bool {
		return slices.ContainsFunc(list(fields(match)["headers"]), func(h any) bool { return text(fields(h)["name"]) == name })
	}
	return has(v1alpha1.CohortHeaderName) && !has(standbyHeader)
}
