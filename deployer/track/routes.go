package track

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Backend is one place of an Ingress that names a Service.
type Backend struct {
	// Pointer is the JSON pointer of the Service's name.
	Pointer string
	// Host of the rule; empty for every host, and for the default backend.
	Host string
	// Path of the rule; empty for the default backend.
	Path string
	// Service it names.
	Service string
	// Port it names, as in the object: {"number": 80} or {"name": "http"}.
	Port map[string]any
}

// String describes a backend to a person.
func (b Backend) String() string {
	if b.Path == "" && b.Host == "" {
		return "the default backend"
	}
	host := b.Host
	if host == "" {
		host = "*"
	}
	return host + b.Path
}

// Names reports whether the backend names the Service's port with this name and number.
func (b Backend) Names(name string, number int32) bool { return NamesPort(b.Port, name, number) }

// NamesPort reports whether a port in an Ingress is the one with this name and number.
func NamesPort(port map[string]any, name string, number int32) bool {
	if want, ok := port["name"].(string); ok {
		return want == name
	}
	want, ok := port["number"].(int64)
	return ok && want == int64(number)
}

// Routes are an Ingress's routes for one application.
type Routes struct {
	// Name of the Ingress.
	Name string
	// Exists is false if there is no such Ingress.
	Exists bool
	// UID of the Ingress.
	UID string
	// Generation of its spec, which never comes back: a patch that tests it is refused once
	// anybody has changed a route, even if the routes are the same again.
	Generation int64
	// Fence is the value of the last fence; empty if there is none.
	Fence string
	// StandbyHost as recorded on the Ingress for this application; empty if
	// nothing is recorded.
	StandbyHost string
	// Users are the backends, outside the standby host, that name one of the
	// application's Services, by colour.
	Users map[v1alpha1.Color][]Backend
	// Standby are the backends under the recorded standby host that name one of
	// the Services, by colour.
	Standby map[v1alpha1.Color][]Backend
	// LoadBalancer that the Ingress programs.
	LoadBalancer v1alpha1.LoadBalancer
	// BackendStates of the load balancer's routes in use, as its controller last reported
	// them, by the name of a NEG. Only Google's controller reports them.
	BackendStates map[string]string
	// URLMap is the name of the URL map that Google's controller made for the Ingress; empty
	// if it has not reported one. Regional: it is a regional one. Internal: only
	// its own network reaches it.
	URLMap   string
	Regional bool
	Internal bool
	// PokedAt is when anybody last made the Ingress's controller look at it; zero if nobody
	// did.
	PokedAt time.Time
	// Addresses of the load balancer, as its controller wrote them.
	Addresses []netip.Addr
	// HostTaken names a host that the application wants as its standby host
	// while a rule that is not ours uses it.
	HostTaken string

	// Gateway is what only a route of the Gateway API has; nil for an Ingress.
	Gateway *Gateway

	// Spec of the Ingress and Version of the object as they were read, for patches.
	// Annotated: it has an annotation.
	Spec      map[string]any
	Version   string
	Annotated bool
}

// Kind of the object that routes users, in kubectl's word.
func (s Routes) Kind() string {
	if s.Gateway != nil {
		return "httproute"
	}
	return "ingress"
}

// String names the object that routes users.
func (s Routes) String() string { return s.Kind() + " " + s.Name }

// Tells names where its controller says what it makes of the object.
func (s Routes) Tells() string {
	if s.Gateway != nil {
		return "status"
	}
	return "events"
}

// StandbyPlace is where the colour that is not live is reachable.
func (s Routes) StandbyPlace() string {
	if s.Gateway != nil {
		return "httproute " + s.Gateway.Standby.Name
	}
	return s.StandbyHost
}

// Live returns the one colour that users reach. It is empty if the Ingress names neither
// Service, or both.
func (s Routes) Live() v1alpha1.Color {
	blue, green := len(s.Users[v1alpha1.Blue]), len(s.Users[v1alpha1.Green])
	switch {
	case blue > 0 && green == 0:
		return v1alpha1.Blue
	case green > 0 && blue == 0:
		return v1alpha1.Green
	}
	return ""
}

// Mixed reports whether users reach both colours.
func (s Routes) Mixed() bool {
	return len(s.Users[v1alpha1.Blue]) > 0 && len(s.Users[v1alpha1.Green]) > 0
}

// Attached reports whether a colour is referenced under the standby host, through every
// port that users of the other colour are routed to. The load balancer has a backend for
// each referenced port of a Service, and for no other.
//
// On a Gateway every rule names both Services, and the standby route leads to the colour.
func (s Routes) Attached(c v1alpha1.Color) bool {
	if s.Gateway != nil {
		return s.Gateway.Complete() && s.Gateway.Standby.For == c
	}
	return len(s.Standby[c]) > 0 && len(MissingPorts(s.Users[c.Other()], s.Standby[c])) == 0
}

// Kept reports whether the load balancer has kept what it has of a colour since that
// was attached. On a Gateway the standby route names both Services at any time, and keeps
// doing so where it has not followed the owner's last change of the route yet.
func (s Routes) Kept(c v1alpha1.Color) bool {
	if s.Gateway != nil {
		return len(s.Standby[c]) > 0 && len(MissingPorts(s.Users[c.Other()], s.Standby[c])) == 0
	}
	return s.Attached(c)
}

// MissingPorts returns the ports, each once, that users are routed to but that no standby
// backend has.
func MissingPorts(users, standby []Backend) []map[string]any {
	seen := map[string]bool{}
	for _, b := range standby {
		seen[PortText(b.Port)] = true
	}
	var ports []map[string]any
	for _, b := range users {
		if text := PortText(b.Port); !seen[text] {
			seen[text] = true
			ports = append(ports, b.Port)
		}
	}
	return ports
}

// PortText names a port of a Service as an Ingress does.
func PortText(port map[string]any) string {
	if name, ok := port["name"].(string); ok {
		return name
	}
	return fmt.Sprint(port["number"])
}

// stateHealthy is the state of a backend with at least one healthy endpoint (ingress-gce
// pkg/backends/backends.go:171-213).
const stateHealthy = "HEALTHY"

// stateUnhealthy is the state of a backend whose endpoints all fail their checks.
const stateUnhealthy = "UNHEALTHY"

// Group is what Google's load balancer has for one port of a Service: a network endpoint
// group, or the nodes' instance groups.
type Group struct {
	// Port of the Service.
	Port int32
	// Name of the NEG; "" until its controller has named it.
	Name string
	// Backend is the name of the backend service that uses it.
	Backend string
	// Region of a NEG's zones; "" for instance groups, and until the controller reports it.
	Region string
	// Routed: the routes in use lead to it, as the Ingress's controller last reported.
	Routed bool
	// State of all its endpoints together, as that controller last reported: HEALTHY if at
	// least one of them is. It is as old as the controller's last sync.
	State string
	// Trouble is what its own object reports as missing; "" if there is nothing, or if this
	// cluster has no such object. A failed read is trouble as well.
	Trouble string
}

// Healthy reports whether at least one of its endpoints was healthy at its controller's last
// report.
func (g Group) Healthy() bool { return g.State == stateHealthy }

// Unhealthy reports whether none of its endpoints was healthy at its controller's last
// report. It is false if nothing is known.
func (g Group) Unhealthy() bool { return g.Routed && g.State == stateUnhealthy }

// String describes a group to a person.
func (g Group) String() string {
	if g.Name == "" {
		return "port " + strconv.Itoa(int(g.Port))
	}
	return g.Name
}

// TakenUp reports whether the load balancer's routes in use lead to all of a Service's
// groups; why says what is missing.
func TakenUp(service string, groups []Group) (why string, ok bool) {
	if len(groups) == 0 {
		return "the ingress names no port of service " + service, false
	}
	for _, g := range groups {
		switch {
		case g.Name == "":
			return fmt.Sprintf("port %d of service %s has no backend yet", g.Port, service), false
		case !g.Routed:
			return g.Name + " is not among the backends of the routes in use", false
		}
	}
	return "", true
}
