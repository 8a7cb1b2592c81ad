package preflight

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// gatePort warns of a gate whose checks name no port although users are routed to several: a
// check without a port covers only one of them.
func gatePort(f Facts) []v1alpha1.Finding {
	service, t := f.service(f.live()), f.Templates[f.live()]
	unset := slices.IndexFunc(f.App.Spec.Gate.HTTP, func(c v1alpha1.HTTPCheck) bool { return c.Port == 0 })
	if service == nil || unset < 0 {
		return nil
	}
	var reached []int32
	for _, port := range f.ports() {
		if p := route.FindPort(service, port); p != nil {
			if pod := workload.PodPort(*p, t.Spec); pod != 0 && !slices.Contains(reached, pod) {
				reached = append(reached, pod)
			}
		}
	}
	if len(reached) < 2 {
		return nil
	}
	field := fmt.Sprintf("spec.gate.http[%d].port", unset)
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("GatePort", field,
		"users are routed to the ports %s of the pods, but a check without a port asks only %d. Set the port of each check, and have one for "+
			"each port",
		listed(reached), reached[0]).With(askAll(f.App, reached))}
}

// gateScheme warns of a check that sends plain HTTP to a port on which the load balancer or
// the readiness probe uses TLS.
func gateScheme(f Facts) []v1alpha1.Finding {
	service, t := f.service(f.live()), f.Templates[f.live()]
	if service == nil {
		return nil
	}
	secure := map[int32]string{} // by port, how that is known
	var first int32
	for _, port := range f.ports() {
		p := route.FindPort(service, port)
		if p == nil {
			continue
		}
		pod := workload.PodPort(*p, t.Spec)
		first = cmp.Or(first, pod)
		if protocol, _, err := route.AppProtocol(service, p); f.gce() && err == nil && (protocol == "HTTPS" || protocol == "HTTP2") {
			secure[pod] = "the load balancer speaks " + protocol + " to it"
		}
	}
	for i := range t.Spec.Containers {
		if a, ok := repeatable(&t.Spec.Containers[i]); ok && a.scheme == "HTTPS" {
			secure[a.port] = "the readiness probe speaks HTTPS to it"
		}
	}
	for i, c := range f.App.Spec.Gate.HTTP {
		port := cmp.Or(c.Port, first)
		if how := secure[port]; how != "" && c.Scheme != "HTTPS" {
			field := fmt.Sprintf("spec.gate.http[%d].scheme", i)
			return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("GateScheme", field,
				"it is HTTP, but port %d of the pods expects TLS (%s), so the gate fails every release. Set it to HTTPS", port,
				how).With(askSecurely(f.App, i))}
		}
	}
	return nil
}

// listed writes a list for people: 80, 81 and 82.
func listed(ports []int32) string {
	var words []string
	for _, p := range ports {
		words = append(words, fmt.Sprint(p))
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " and " + words[last]
}
