package track

import (
	"fmt"
	"net/netip"
	"strconv"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Backend is one place in an Ingress that names a Service.
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

// String describes a backend to people.
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
	// Generation of its spec. It only grows: a patch that tests it fails after anybody's change,
	// even if that change was undone.
	Generation int64
	// Fence is the value of the last fence; empty if there is none.
	Fence string
	// StandbyHost that is recorded on the Ingress for this application; empty if none is.
	StandbyHost string
	// Users are the backends, outside the standby host, that name one of the
	// application's Services, by colour.
	Users map[v1alpha1.Color][]Backend
	// Standby are the backends under the recorded standby host that name one of
	// the Services, by colour.
	Standby map[v1alpha1.Color][]Backend
	// LoadBalancer that the Ingress programs.
	LoadBalancer v1alpha1.LoadBalancer
	// BackendStates are the states of the routes' backends by NEG name, as last reported. Only
	// Google's controller reports them.
	BackendStates map[string]string
	// URLMap is the name of the URL map that Google's controller made for the Ingress; empty if
	// it has not reported one. Regional: the map is regional. Internal: only its own network
	// reaches it.
	URLMap   string
	Regional bool
	Internal bool
	// PokedAt is when somebody last poked the Ingress's controller; zero if nobody did.
	PokedAt time.Time
	// Addresses of the load balancer, as its controller wrote them.
	Addresses []netip.Addr
	// HostTaken is the host that the application wants as its standby host, if somebody else's
	// rule already uses it.
	HostTaken string

	// DividedFrom is the colour that users leave while a release divides them between both, or
	// brings them together again: until its switch it is live, whatever the weights. Empty if
	// none does.
	DividedFrom v1alpha1.Color

	// Gateway is what only a route of the Gateway API has; nil for an Ingress.
	Gateway *Gateway

	// Spec of the Ingress and Version of the object as read, for patches. Annotated: it has an
	// annotation.
	Spec      map[string]any
	Version   string
	Annotated bool
}

// Kind of the object that routes users, in kubectl's spelling.
func (s Routes) Kind() string {
	if s.Gateway != nil {
		return "httproute"
	}
	return "ingress"
}

// String names the object that routes users.
func (s Routes) String() string { return s.Kind() + " " + s.Name }

// Tells names where its controller reports on the object.
func (s Routes) Tells() string {
	if s.Gateway != nil {
		return "status"
	}
	return "events"
}

// StandbyPlace is where the idle colour is reachable.
func (s Routes) StandbyPlace() string {
	if s.Gateway != nil {
		return "httproute " + s.Gateway.Standby.Name
	}
	return s.StandbyHost
}

// Live returns the one colour that users reach, or that a release is taking a share of
// them from. It is empty if the Ingress names neither Service, or both.
func (s Routes) Live() v1alpha1.Color {
	blue, green := len(s.Users[v1alpha1.Blue]), len(s.Users[v1alpha1.Green])
	switch {
	case blue > 0 && green == 0:
		return v1alpha1.Blue
	case green > 0 && blue == 0:
		return v1alpha1.Green
	case blue > 0 && green > 0:
		return s.DividedFrom
	}
	return ""
}

// Shared reports whether users reach both colours.
func (s Routes) Shared() bool {
	return len(s.Users[v1alpha1.Blue]) > 0 && len(s.Users[v1alpha1.Green]) > 0
}

// Mixed reports whether users reach both colours, and no release divides them.
func (s Routes) Mixed() bool { return s.Shared() && s.DividedFrom == "" }

// Attached reports whether the standby host references a colour on every port that users of the
// other colour reach. The load balancer has a backend for each referenced port of a Service, and
// for no other.
//
// On a Gateway, every rule names both Services and the standby route leads to the colour.
func (s Routes) Attached(c v1alpha1.Color) bool {
	if s.Gateway != nil {
		return s.Gateway.Complete() && s.Gateway.Standby.For == c
	}
	return len(s.Standby[c]) > 0 && len(MissingPorts(s.Users[c.Other()], s.Standby[c])) == 0
}

// Kept reports whether the load balancer has kept a colour's backends since the colour was
// attached. On a Gateway the standby route always names both Services, even while it does not yet
// follow the owner's last change.
func (s Routes) Kept(c v1alpha1.Color) bool {
	if s.Gateway != nil {
		return len(s.Standby[c]) > 0 && len(MissingPorts(s.Users[c.Other()], s.Standby[c])) == 0
	}
	return s.Attached(c)
}

// MissingPorts returns each port that users are routed to and no standby backend has.
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

// PortText names a Service's port as an Ingress does.
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

// Group is the load balancer's backend for one port of a Service: a network endpoint group, or
// the nodes' instance groups.
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
	// State of all its endpoints together, as last reported: HEALTHY if at least one is. It is as
	// old as the controller's last sync.
	State string
	// Trouble is what its own object reports as missing, or why that object could not be read; ""
	// if there is none, or if this cluster has no such object.
	Trouble string
}

// Healthy reports whether at least one endpoint was healthy at the controller's last report.
func (g Group) Healthy() bool { return g.State == stateHealthy }

// Unhealthy reports whether no endpoint was healthy at the controller's last report. It is false
// if nothing is known.
func (g Group) Unhealthy() bool { return g.Routed && g.State == stateUnhealthy }

// String describes a group to people.
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
