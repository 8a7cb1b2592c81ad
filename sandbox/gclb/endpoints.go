package gclb

import (
	"slices"
	"strconv"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/types"
)

// negPort is a port of a Service that needs NEGs.
type negPort struct {
	number int32
	name   string // of the Service's port, as in EndpointSlices
	neg    string // the NEGs' name, in every zone
}

// wantedPorts are the ports of a Service that need NEGs: with ingress: true those
// that an Ingress of ours refers to and no others, so that a Service that was
// never referred to has no NEG (pkg/neg/controller.go:792-799); and those in
// exposed_ports, whoever refers to them.
func wantedPorts(service *corev1.Service, ingresses []*networkingv1.Ingress, names namer) (map[int32]negPort, error) {
	use, err := readNEGAnnotation(service)
	if err != nil {
		return nil, err
	}
	wanted := map[int32]negPort{}
	add := func(p *corev1.ServicePort) {
		wanted[p.Port] = negPort{number: p.Port, name: p.Name, neg: names.neg(service.Namespace, service.Name, p.Port)}
	}
	for i := range service.Spec.Ports {
		p := &service.Spec.Ports[i]
		if _, exposed := use.ExposedPorts[strconv.Itoa(int(p.Port))]; exposed {
			add(p)
		}
	}
	if !use.Ingress {
		return wanted, nil
	}
	for _, ingress := range ingresses {
		if ingress.Namespace != service.Namespace {
			continue
		}
		for _, b := range backendsOf(ingress) {
			if b.Name != service.Name {
				continue
			}
			if p := findPort(service, b.Port); p != nil {
				add(p)
			}
		}
	}
	return wanted, nil
}

// backendsOf are the Services' ports that an Ingress refers to.
func backendsOf(ingress *networkingv1.Ingress) []networkingv1.IngressServiceBackend {
	var all []networkingv1.IngressServiceBackend
	add := func(b *networkingv1.IngressBackend) {
		if b != nil && b.Service != nil {
			all = append(all, *b.Service)
		}
	}
	add(ingress.Spec.DefaultBackend)
	for i := range ingress.Spec.Rules {
		if http := ingress.Spec.Rules[i].HTTP; http != nil {
			for j := range http.Paths {
				add(&http.Paths[j].Backend)
			}
		}
	}
	return all
}

// endpointSet is the endpoints of one NEG, or of one zone's.
type endpointSet map[endpoint]bool

// targetEndpoints are what the NEGs of a port should have in each zone, and whose
// pod each endpoint is. Pods that are not ready belong there too, since with the
// readiness gate they become ready only through the NEG; those that terminate do
// not (pkg/neg/types/types.go:379-393).
func targetEndpoints(all []*discoveryv1.EndpointSlice, port string, zoneOf func(node string) string) (map[string]endpointSet, map[endpoint]types.NamespacedName) {
	zones, pods := map[string]endpointSet{}, map[endpoint]types.NamespacedName{}
	for _, s := range all {
		number := slicePort(s, port)
		if number == 0 || s.AddressType != discoveryv1.AddressTypeIPv4 {
			continue
		}
		for i := range s.Endpoints {
			e := &s.Endpoints[i]
			if isTrue(e.Conditions.Terminating) || e.TargetRef == nil || e.NodeName == nil || len(e.Addresses) == 0 {
				continue
			}
			zone, at := zoneOf(*e.NodeName), endpoint{ip: e.Addresses[0], port: number}
			if zones[zone] == nil {
				zones[zone] = endpointSet{}
			}
			zones[zone][at] = true
			pods[at] = types.NamespacedName{Namespace: e.TargetRef.Namespace, Name: e.TargetRef.Name}
		}
	}
	return zones, pods
}

func isTrue(b *bool) bool { return b != nil && *b }

// slicePort is the number of a named port in a slice, 0 if it has none.
func slicePort(s *discoveryv1.EndpointSlice, name string) int32 {
	for _, p := range s.Ports {
		if p.Port != nil && (p.Name == nil && name == "" || p.Name != nil && *p.Name == name) {
			return *p.Port
		}
	}
	return 0
}

// operation is what is being done to an endpoint.
type operation string

const (
	attaching operation = "Attach"
	detaching operation = "Detach"
)

// negDiff is what has to be done to a NEG.
type negDiff struct {
	add, remove []endpoint
	committed   []endpoint // are where they should be
}

// diffEndpoints compares what a NEG has with what it should have. What is being
// attached or detached counts as done, and is left alone until it is
// (pkg/neg/syncers/transaction.go, syncInternalImpl).
func diffEndpoints(current, target endpointSet, underway map[endpoint]operation) negDiff {
	var diff negDiff
	for e := range target {
		switch _, busy := underway[e]; {
		case busy:
		case current[e]:
			diff.committed = append(diff.committed, e)
		default:
			diff.add = append(diff.add, e)
		}
	}
	for e := range current {
		if _, busy := underway[e]; !busy && !target[e] {
			diff.remove = append(diff.remove, e)
		}
	}
	for _, list := range [][]endpoint{diff.add, diff.remove, diff.committed} {
		slices.SortFunc(list, compareEndpoints)
	}
	return diff
}
