package preflight

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// backends finds unusable backends of an Ingress. On Google's load balancer a single one is fatal
// for all of them (ingress-gce pkg/controller/translator/translator.go:109-158,273-300);
// elsewhere only its own requests fail.
func backends(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	if f.gce() {
		for _, p := range route.UnfitPaths(f.Routes) {
			all = append(all, f.about("ingress", f.Routes.Name).fault("Path", p.Field, "it %s; until then it applies no change of this ingress",
				p.Text).With(edit(f.App, "ingress", f.Routes.Name)))
		}
	}
	for _, b := range route.AllBackends(f.Routes) {
		ingress := f.about("ingress", f.Routes.Name)
		if b.Service == "" {
			if f.gce() {
				all = append(all, ingress.fault("Resource", fieldOf(b),
					"the backend for %s is not a Service, so Google's load balancer applies no change of this ingress: replace the backend, or "+
						"remove it", b).
					With(edit(f.App, "ingress", f.Routes.Name)))
			}
			continue
		}
		if f.Services[b.Service] == nil && f.ours(b.Service) {
			continue // the condition reports it, or it is created from the other one
		}
		m := f.misfit(b.Service, b.Port)
		if m == nil {
			continue
		}
		service := f.about("service", b.Service)
		if !f.gce() {
			if f.Services[b.Service] == nil {
				all = append(all, service.warning(m.Reason, m.Field, "ingress %s names it for %s, and it %s, or remove that route", f.Routes.Name, b,
					m.Text))
			}
			continue
		}
		text := m.Text
		if !f.ours(b.Service) {
			text += ", or remove that route"
		}
		all = append(all, service.fault(m.Reason, m.Field,
			"ingress %s names it for %s, and it %s; until then Google's load balancer applies no change of that ingress", f.Routes.Name, b,
			text).With(f.command(m, b.Service)))
	}
	return all
}

// misfit is why Google's controller cannot use a port of a Service; nil if it can, or if
// that is not known.
func (f Facts) misfit(service string, port map[string]any) *route.Misfit {
	config, m := route.Unfit(f.Services[service], port)
	if m != nil || config == "" {
		return m
	}
	if c, known := f.Configs[config]; known {
		return route.UnfitConfig(config, c.Spec, c.Exists)
	}
	return nil
}

// command is the command that fixes a misfit, if a single one does.
func (f Facts) command(m *route.Misfit, service string) v1alpha1.ShellCommand {
	if m.Reason != "Unreachable" {
		return ""
	}
	return setGroups(f.App, f.Services[service], true)
}

func (f Facts) ours(service string) bool {
	return service == f.App.Side(v1alpha1.Blue).Service || service == f.App.Side(v1alpha1.Green).Service
}

// fieldOf is the field of an Ingress that holds a backend.
func fieldOf(b track.Backend) string {
	var field strings.Builder
	for part := range strings.SplitSeq(strings.TrimSuffix(strings.TrimPrefix(b.Pointer, "/"), "/service/name"), "/") {
		switch {
		case part[0] >= '0' && part[0] <= '9':
			field.WriteString("[" + part + "]")
		case field.Len() > 0:
			field.WriteString("." + part)
		default:
			field.WriteString(part)
		}
	}
	return field.String()
}

// ports finds ports of the live routes that the idle colour lacks: a switch changes only the name
// of the Service.
func ports(f Facts) []v1alpha1.Finding {
	name := f.App.Side(f.live().Other()).Service
	service := f.Services[name]
	if service == nil {
		return nil
	}
	var all []v1alpha1.Finding
	for _, want := range f.ports() {
		if route.FindPort(service, want) == nil {
			all = append(all, f.about("service", name).fault("Ports", "spec.ports",
				"it has no port %s, which ingress %s uses for service %s: give both colours' Services the same ports",
				track.PortText(want), f.Routes.Name, f.App.Side(f.live()).Service).With(edit(f.App, "service", name)))
			continue
		}
		// A release makes the Ingress name this Service at its beginning at the latest.
		if m := f.misfit(name, want); f.gce() && m != nil && !f.Routes.Attached(f.live().Other()) {
			all = append(all, f.about("service", name).fault(m.Reason, m.Field,
				"it %s; otherwise Google's load balancer applies no change of ingress %s", m.Text, f.Routes.Name).With(f.command(m, name)))
		}
	}
	return all
}

// groups finds colours where the load balancer sends directly to the pods of one but through
// the nodes to the other.
func groups(f Facts) []v1alpha1.Finding {
	live, other := f.service(f.live()), f.service(f.live().Other())
	if !f.gce() || live == nil || other == nil || route.UsesNEGs(live) == route.UsesNEGs(other) {
		return nil
	}
	with, without := live, other
	if route.UsesNEGs(other) {
		with, without = other, live
	}
	way := f.likeEachOther(with, without)
	return []v1alpha1.Finding{f.about("service", without.Name).fault("GroupsUnlike", "metadata.annotations["+negAnnotation+"]",
		"service %s has network endpoint groups and this one does not, so the load balancer would treat the users of the two differently, and "+
			"could not report which pods are healthy. %s",
		with.Name, way.Text).With(way.Commands...)}
}

// likeEachOther is how to make two Services alike. If the Service without groups has the users,
// and the other one works without groups, removing the groups disturbs nobody.
func (f Facts) likeEachOther(with, without *corev1.Service) v1alpha1.Advice {
	open := with.Spec.Type == corev1.ServiceTypeNodePort || with.Spec.Type == corev1.ServiceTypeLoadBalancer
	if open && without.Name == f.App.Side(f.live()).Service {
		return v1alpha1.Advise("Remove the annotation from that one, which no user reaches now", setGroups(f.App, with, false))
	}
	return f.useGroups(without)
}
