package urlmap

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/api/compute/v1"
)

// Map is where a URL map sends requests.
type Map struct {
	// Name of the URL map.
	Name string

	leads []lead
}

// lead is a place in a URL map that names a backend service.
type lead struct {
	hosts   []string // none: every host without a rule
	path    string   // empty: every path without a rule
	service string
}

func (l lead) String() string {
	if len(l.hosts) == 0 {
		return "every other host"
	}
	return strings.Join(l.hosts, ",") + l.path
}

// fromAPI reads a URL map. Google's controller creates maps that only send requests to backend
// services; any other map is not understood.
func fromAPI(from *compute.UrlMap) (Map, error) {
	m := Map{Name: from.Name}
	if from.DefaultRouteAction != nil || from.DefaultUrlRedirect != nil {
		return Map{}, notUnderstood(from, "its default")
	}
	m.leads = append(m.leads, lead{service: backendService(from.DefaultService)})
	for _, rule := range from.HostRules {
		if rule == nil {
			return Map{}, notUnderstood(from, "a host rule")
		}
		i := slices.IndexFunc(from.PathMatchers, func(p *compute.PathMatcher) bool { return p != nil && p.Name == rule.PathMatcher })
		if i < 0 {
			return Map{}, notUnderstood(from, "path matcher "+rule.PathMatcher)
		}
		matcher := from.PathMatchers[i]
		if matcher.DefaultRouteAction != nil || matcher.DefaultUrlRedirect != nil || len(matcher.RouteRules) > 0 {
			return Map{}, notUnderstood(from, "path matcher "+matcher.Name)
		}
		m.leads = append(m.leads, lead{hosts: rule.Hosts, service: backendService(matcher.DefaultService)})
		for _, p := range matcher.PathRules {
			if p == nil || p.RouteAction != nil || p.UrlRedirect != nil {
				return Map{}, notUnderstood(from, "path matcher "+matcher.Name)
			}
			for _, path := range p.Paths {
				m.leads = append(m.leads, lead{rule.Hosts, path, backendService(p.Service)})
			}
		}
	}
	return m, nil
}

func notUnderstood(m *compute.UrlMap, part string) error {
	return fmt.Errorf("URL map %s is not as Google's controller makes it (%s), and so not understood", m.Name, part)
}

// backendService is the name in a link to a backend service. For a link to anything else it
// returns the whole link, which matches no backend service's name.
func backendService(link string) string {
	if _, name, found := strings.Cut(link, "/backendServices/"); found {
		return name
	}
	return link
}

// Question is which of two colours a URL map leads users to.
type Question struct {
	// StandbyHost is the host that may lead to either colour: users do not use it.
	StandbyHost string
	// To are the backend services of the colour that users should reach, From those of the other
	// colour.
	To, From []string
}

// Answer is what a URL map shows.
type Answer struct {
	// There: it leads users to To, and none of them to From.
	There bool
	// Old is where it leads users to the other; empty if nowhere.
	Old string
}

// Says determines which colour the URL map leads users to. The answer is neither if the
// map leads to none of the two.
func (m Map) Says(q Question) Answer {
	var a Answer
	for _, l := range m.leads {
		switch {
		case q.StandbyHost != "" && len(l.hosts) == 1 && l.hosts[0] == q.StandbyHost:
		case slices.Contains(q.From, l.service):
			return Answer{Old: fmt.Sprintf("%s to %s", l, l.service)}
		case slices.Contains(q.To, l.service):
			a.There = true
		}
	}
	return a
}
