package route

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Backends returns every place of the Ingress that names a Service, whoever owns it.
func Backends(s track.Routes) []track.Backend { return backends(s.Spec, false) }

// AllBackends also returns the places that name something other than a Service; these
// have no Service.
func AllBackends(s track.Routes) []track.Backend { return backends(s.Spec, true) }

// addresses are the load balancer's, from the status of an Ingress.
func addresses(ingress *unstructured.Unstructured) []netip.Addr {
	var all []netip.Addr
	entries, _, _ := unstructured.NestedSlice(ingress.Object, "status", "loadBalancer", "ingress")
	for _, entry := range entries {
		fields, _ := entry.(map[string]any)
		text, _ := fields["ip"].(string)
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, a)
		}
	}
	return all
}

// Read derives the state of an application from an Ingress as the API server returned
// it. A nil Ingress does not exist.
func Read(bg *v1alpha1.BlueGreen, ingress *unstructured.Unstructured) track.Routes {
	s := track.Routes{
		Name:    bg.IngressName(),
		Users:   map[v1alpha1.Color][]track.Backend{},
		Standby: map[v1alpha1.Color][]track.Backend{},
	}
	if ingress == nil {
		return s
	}
	annotations := ingress.GetAnnotations()
	s.Exists = true
	s.UID, s.Generation = string(ingress.GetUID()), ingress.GetGeneration()
	s.Version, s.Fence = ingress.GetResourceVersion(), annotations[v1alpha1.FenceAnnotation]
	s.Annotated = len(annotations) > 0
	s.StandbyHost = annotations[v1alpha1.StandbyAnnotationPrefix+bg.Name]
	s.LoadBalancer, s.BackendStates = loadBalancer(ingress), backendStates(ingress)
	s.URLMap, s.Regional, s.Internal = annotations[urlMapAnnotation], regional(ingress), internal(ingress)
	s.Addresses = addresses(ingress)
	s.PokedAt, _ = time.Parse(time.RFC3339Nano, annotations[v1alpha1.PokeAnnotation])
	s.Spec, _, _ = unstructured.NestedMap(ingress.Object, "spec")

	colors := map[string]v1alpha1.Color{
		bg.Side(v1alpha1.Blue).Service:  v1alpha1.Blue,
		bg.Side(v1alpha1.Green).Service: v1alpha1.Green,
	}
	for _, b := range Backends(s) {
		if b.Host != "" && b.Host != s.StandbyHost && b.Host == bg.StandbyHost() {
			s.HostTaken = b.Host
		}
		color, ours := colors[b.Service]
		switch {
		case !ours:
		case s.StandbyHost != "" && b.Host == s.StandbyHost:
			s.Standby[color] = append(s.Standby[color], b)
		default:
			s.Users[color] = append(s.Users[color], b)
		}
	}
	return s
}

// backends lists every place of an Ingress spec that names a Service; with all, also
// those that name something else, which have no Service.
func backends(spec map[string]any, all bool) []track.Backend {
	var out []track.Backend
	add := func(pointer, host, path string, backend map[string]any) {
		name, found, _ := unstructured.NestedString(backend, "service", "name")
		if !found && !all {
			return
		}
		port, _, _ := unstructured.NestedMap(backend, "service", "port")
		out = append(out, track.Backend{Pointer: pointer + "/service/name", Host: host, Path: path, Service: name, Port: port})
	}
	if b, found, _ := unstructured.NestedMap(spec, "defaultBackend"); found {
		add("/spec/defaultBackend", "", "", b)
	}
	rules, _, _ := unstructured.NestedSlice(spec, "rules")
	for i, r := range rules {
		rule, _ := r.(map[string]any)
		host, _, _ := unstructured.NestedString(rule, "host")
		paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
		for j, p := range paths {
			path, _ := p.(map[string]any)
			text, _, _ := unstructured.NestedString(path, "path")
			backend, _, _ := unstructured.NestedMap(path, "backend")
			add("/spec/rules/"+strconv.Itoa(i)+"/http/paths/"+strconv.Itoa(j)+"/backend", host, text, backend)
		}
	}
	return out
}

// Op is one operation of a JSON patch (RFC 6902).
type Op struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value,omitempty"`
}

// guard is how every patch begins: it tests for the same object, a spec that nobody has
// written since it was read, and no fence in between. It does not test the resource
// version, which changes with every annotation and status that a controller writes, nor
// the spec itself, which comes back when somebody moves users back.
func guard(s track.Routes) []Op {
	ops := []Op{
		{Op: "test", Path: "/metadata/uid", Value: s.UID},
		{Op: "test", Path: "/metadata/generation", Value: s.Generation},
	}
	switch {
	case s.Fence != "":
		return append(ops, Op{Op: "test", Path: fencePath, Value: s.Fence})
	case s.Annotated:
		return append(ops, Op{Op: "test", Path: fencePath, Value: absent})
	}
	return append(ops, Op{Op: "test", Path: "/metadata/annotations", Value: absent})
}

// absent as the value of a test means that there is nothing.
var absent = json.RawMessage("null")

// fencePath is the JSON pointer of [v1alpha1.FenceAnnotation].
var fencePath = annotationPath(v1alpha1.FenceAnnotation)

// FencePatch returns the patch that invalidates every other patch based on the same
// state, which may still be on its way. It writes a value that never comes back, and
// changes no route.
func FencePatch(s track.Routes) []Op {
	ops := guard(s)
	if !s.Annotated {
		ops = append(ops, Op{Op: "add", Path: "/metadata/annotations", Value: map[string]any{}})
	}
	return append(ops, Op{Op: "add", Path: fencePath, Value: s.Version})
}

// AttachPatch returns the patch that references the target's Service under the
// application's standby host and records that host, or nil if it is already referenced.
// It uses the ports of the live backends, so that both colours are reached through the
// same ports: a port that nothing references is cold when a switch first names it. If
// there is a standby rule, the patch adds what it lacks.
func AttachPatch(bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) ([]Op, error) {
	if s.Attached(target) {
		return nil, nil
	}
	if s.HostTaken != "" {
		return nil, hostTaken(s)
	}
	users := s.Users[target.Other()]
	if len(users) == 0 {
		return nil, fmt.Errorf("ingress %s: nothing routes to %s", s.Name, bg.Side(target.Other()).Service)
	}
	service := bg.Side(target).Service
	ops := guard(s)
	turned := s.Standby[target.Other()]
	for _, b := range turned {
		ops = append(ops, Op{Op: "replace", Path: b.Pointer, Value: service})
	}
	ports := track.MissingPorts(users, slices.Concat(s.Standby[target], turned))
	if at, rooted, found := standbyRule(s); found {
		for _, p := range standbyPaths(service, ports, rooted) {
			ops = append(ops, Op{Op: "add", Path: at + "/http/paths/-", Value: p})
		}
		return ops, nil
	}
	host := bg.StandbyHost()
	if s.StandbyHost != "" {
		host = s.StandbyHost
	}
	rule := map[string]any{
		"host": host,
		"http": map[string]any{"paths": standbyPaths(service, ports, false)},
	}
	if _, found := s.Spec["rules"]; found {
		ops = append(ops, Op{Op: "add", Path: "/spec/rules/-", Value: rule})
	} else {
		ops = append(ops, Op{Op: "add", Path: "/spec/rules", Value: []any{rule}})
	}
	if !s.Annotated {
		ops = append(ops, Op{Op: "add", Path: "/metadata/annotations", Value: map[string]any{}})
	}
	return append(ops, Op{Op: "add", Path: standbyPath(bg), Value: host}), nil
}

// standbyRule finds the rule for the recorded standby host: its JSON pointer, and
// whether it already has the path /. Of several it is the last one with paths, since
// Google's load balancer ignores those before it.
func standbyRule(s track.Routes) (pointer string, rooted, found bool) {
	if s.StandbyHost == "" {
		return "", false, false
	}
	rules, _, _ := unstructured.NestedSlice(s.Spec, "rules")
	for i, r := range slices.Backward(rules) {
		rule, _ := r.(map[string]any)
		host, _, _ := unstructured.NestedString(rule, "host")
		paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
		if host != s.StandbyHost || len(paths) == 0 {
			continue
		}
		rooted = slices.ContainsFunc(paths, func(p any) bool {
			path, _ := p.(map[string]any)
			return path["path"] == "/"
		})
		return "/spec/rules/" + strconv.Itoa(i), rooted, true
	}
	return "", false, false
}

// standbyPaths are the paths of a standby rule that reference ports of a Service: / for
// the first port, unless that is taken, and a path that names the port for every other.
// Nobody ever requests them: they make the load balancer keep a backend for each port.
func standbyPaths(service string, ports []map[string]any, rooted bool) []any {
	var paths []any
	for _, port := range ports {
		path := "/"
		if rooted {
			path = portPath(port)
		}
		rooted = true
		paths = append(paths, map[string]any{
			"path":     path,
			"pathType": "Prefix",
			"backend":  map[string]any{"service": map[string]any{"name": service, "port": port}},
		})
	}
	return paths
}

// portPath is the path under the standby host of a port that does not get /.
func portPath(port map[string]any) string { return "/turnout-port-" + track.PortText(port) }

// SwitchPatch returns the single patch that sends users to a colour and the standby host
// to the other, or nil if users already reach it. It changes nothing but names of
// Services.
func SwitchPatch(bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color) ([]Op, error) {
	if s.Live() == to {
		return nil, nil
	}
	from := to.Other()
	if s.Live() != from {
		return nil, fmt.Errorf("ingress %s routes users to neither colour alone", s.Name)
	}
	ops := guard(s)
	for _, b := range s.Users[from] {
		ops = append(ops, Op{Op: "replace", Path: b.Pointer, Value: bg.Side(to).Service})
	}
	for _, b := range s.Standby[to] {
		ops = append(ops, Op{Op: "replace", Path: b.Pointer, Value: bg.Side(from).Service})
	}
	return ops, nil
}

// DetachPatch returns the patch that removes a colour's Service from under the standby
// host, and the record of that host if nothing is left under it; nil if the Service is
// not there. It is for a reference that the load balancer's controller cannot use: while
// it exists, the controller applies no change of the Ingress. Nothing else ever removes
// a reference.
func DetachPatch(bg *v1alpha1.BlueGreen, s track.Routes, target v1alpha1.Color) []Op {
	if len(s.Standby[target]) == 0 {
		return nil
	}
	ours := map[string]bool{}
	for _, b := range s.Standby[target] {
		ours[b.Pointer] = true
	}
	ops, left := guard(s), false
	rules, _, _ := unstructured.NestedSlice(s.Spec, "rules")
	for i, r := range slices.Backward(rules) { // backward: removing one moves those after it
		rule, _ := r.(map[string]any)
		if host, _, _ := unstructured.NestedString(rule, "host"); host != s.StandbyHost {
			continue
		}
		paths, _, _ := unstructured.NestedSlice(rule, "http", "paths")
		at := "/spec/rules/" + strconv.Itoa(i)
		var removed []Op
		for j := range slices.Backward(paths) {
			path := at + "/http/paths/" + strconv.Itoa(j)
			if ours[path+"/backend/service/name"] {
				removed = append(removed, Op{Op: "remove", Path: path})
			}
		}
		if len(removed) == len(paths) {
			removed = []Op{{Op: "remove", Path: at}}
		} else {
			left = true
		}
		ops = append(ops, removed...)
	}
	if !left {
		ops = append(ops, Op{Op: "remove", Path: standbyPath(bg)})
	}
	return ops
}

// MigratePatch returns the patch that gives the application's standby rule the host of
// its spec and records it, or nil if it has that host. The Service under it stays
// referenced all the time.
func MigratePatch(bg *v1alpha1.BlueGreen, s track.Routes) ([]Op, error) {
	host := bg.StandbyHost()
	if s.StandbyHost == "" || s.StandbyHost == host {
		return nil, nil
	}
	if s.HostTaken != "" {
		return nil, hostTaken(s)
	}
	ops := guard(s)
	rules, _, _ := unstructured.NestedSlice(s.Spec, "rules")
	for i, r := range rules {
		rule, _ := r.(map[string]any)
		if old, _, _ := unstructured.NestedString(rule, "host"); old == s.StandbyHost {
			ops = append(ops, Op{Op: "replace", Path: "/spec/rules/" + strconv.Itoa(i) + "/host", Value: host})
		}
	}
	return append(ops, Op{Op: "add", Path: standbyPath(bg), Value: host}), nil
}

// standbyPath is the JSON pointer of the annotation that records an application's
// standby host.
func standbyPath(bg *v1alpha1.BlueGreen) string {
	return annotationPath(v1alpha1.StandbyAnnotationPrefix + bg.Name)
}

func annotationPath(name string) string {
	return "/metadata/annotations/" + strings.ReplaceAll(name, "/", "~1")
}

func hostTaken(s track.Routes) error {
	return fmt.Errorf("ingress %s: the host %s is used by a rule that is not Turnout's: remove that rule, or set spec.ingress.standbyHost "+
		"to another host", s.Name, s.HostTaken)
}

// Same reports whether an application's own routes are the same in two states, whatever
// else changed in the Ingress. It ignores references that only the later state has, in
// the form in which [AttachPatch] makes them. After a lost race it decides between
// trying again and leaving the routes to whoever changed them.
func Same(before, after track.Routes) bool {
	key := func(of map[v1alpha1.Color][]track.Backend, skip func(track.Backend) bool) []string {
		var out []string
		for color, list := range of {
			for _, x := range list {
				if !skip(x) {
					out = append(out, fmt.Sprintf("%s %s%s:%s", color, x.Host, x.Path, track.PortText(x.Port)))
				}
			}
		}
		slices.Sort(out)
		return out
	}
	none := func(track.Backend) bool { return false }
	had := map[string]bool{}
	for _, list := range before.Standby {
		for _, x := range list {
			had[x.Path] = true
		}
	}
	added := func(x track.Backend) bool { return !had[x.Path] && (x.Path == "/" || x.Path == portPath(x.Port)) }
	if after.Gateway != nil { // the standby route is Turnout's own
		return before.UID == after.UID && slices.Equal(key(before.Users, none), key(after.Users, none)) &&
			slices.Equal(weightsOf(before), weightsOf(after))
	}
	return before.UID == after.UID &&
		slices.Equal(key(before.Users, none), key(after.Users, none)) &&
		slices.Equal(key(before.Standby, none), key(after.Standby, added))
}
