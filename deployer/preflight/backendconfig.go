package preflight

import (
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// configAnnotation names the BackendConfigs of a Service. Without it, the older annotation
// counts.
const (
	configAnnotation    = "cloud.google.com/backend-config"
	oldConfigAnnotation = "beta.cloud.google.com/backend-config"
)

// both are the colours, always in this order.
var both = []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green}

// backendOf is the load balancer's configuration for one port of a colour's Service.
type backendOf struct {
	facts Facts
	color v1alpha1.Color
	port  map[string]any // as the Ingress names it
	// name of the BackendConfig; "" if the Service names none for the port.
	name   string
	config Config
	object about // the BackendConfig, or the Service that names none
}

// lacking collects what the BackendConfig of each colour's Service lacks. If both colours
// use one BackendConfig, it is reported once.
func (f Facts) lacking(want func(backendOf) *v1alpha1.Finding) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	var all []v1alpha1.Finding
	for _, port := range f.ports() {
		for _, c := range both {
			name, config, known := f.configOf(c, port)
			if !known {
				continue
			}
			b := backendOf{facts: f, color: c, port: port, name: name, config: config, object: f.about("backendconfig", name)}
			if name == "" {
				b.object = f.about("service", f.App.Side(c).Service)
			}
			if finding := want(b); finding != nil {
				all = append(all, *finding)
			}
		}
	}
	return slices.CompactFunc(all, func(a, b v1alpha1.Finding) bool { return a.Object == b.Object && a.Reason == b.Reason })
}

const annotationField = "metadata.annotations[" + configAnnotation + "]"

// container is the one that gets the image; nil if that is ambiguous.
func (f Facts) container(pod corev1.PodSpec) *corev1.Container {
	for i := range pod.Containers {
		if len(pod.Containers) == 1 && f.App.Spec.Container == "" || pod.Containers[i].Name == f.App.Spec.Container {
			return &pod.Containers[i]
		}
	}
	return nil
}

// draining warns of Services whose pods are cut off in the middle of an answer when they are
// detached: draining is off by default (ingress-gce pkg/backends/features/draining.go:31-43).
func draining(f Facts) []v1alpha1.Finding {
	return f.lacking(func(b backendOf) *v1alpha1.Finding {
		if t, _ := b.config.seconds("connectionDraining", "drainingTimeoutSec"); t > 0 {
			return nil
		}
		field, way := "spec.connectionDraining.drainingTimeoutSec", v1alpha1.Advise("set it",
			patchConfig(f.App, b.name, map[string]any{"connectionDraining": safeDraining()}))
		if b.name == "" {
			field, way = annotationField, b.newConfig()
		}
		finding := b.object.warning("Draining", field,
			"connection draining is off: scaling down the old colour cuts off answers in progress: %s", way.Text).With(way.Commands...)
		return &finding
	})
}

const (
	// leastDrain is the minimum time for which front ends may keep sending to the old colour.
	// Google publishes no number, only "minutes" (gke-networking-recipes
	// ingress/multi-cluster/mci-asm-https-e2e/README.md:670).
	leastDrain = time.Minute
	// backendTimeout applies to a BackendConfig that sets no timeoutSec.
	backendTimeout = 30 * time.Second
)

// drain warns of an application whose old colour is scaled down before its last requests can be
// answered.
func drain(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	least, why := leastDrain, "Google's front ends may use the old colour for longer"
	for _, port := range f.ports() {
		for _, c := range both {
			name, config, known := f.configOf(c, port)
			if t, set := config.seconds("timeoutSec"); known && set && t > max(least, backendTimeout) {
				least, why = t, fmt.Sprintf("an answer may take as long as timeoutSec of backendconfig %s", name)
			}
		}
	}
	if f.App.Spec.DrainTime() >= least {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("Drain", "spec.drain",
		"%s is too short: %s: set it to %s or more",
		f.App.Spec.DrainTime(), why, least).With(patchApp(f.App, map[string]any{"drain": least.String()}))}
}

// nodes warns of colours that the load balancer reaches through the nodes: it then does not
// report on their pods.
func nodes(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	var all []v1alpha1.Finding
	for _, c := range both {
		service := f.service(c)
		if service == nil || route.UsesNEGs(service) {
			continue
		}
		if _, m := route.Unfit(service, f.ports()[0]); m != nil {
			continue // it cannot be reached at all
		}
		way := f.useGroups(service)
		all = append(all, f.about("service", service.Name).warning("Nodes", "metadata.annotations["+negAnnotation+"]",
			"the load balancer sends to nodes, which pass requests on to any pod, so it cannot report whether each pod is healthy. %s",
			way.Text).With(way.Commands...))
	}
	return all
}

// useGroups is how a Service that is reached through the nodes gets network endpoint groups, and
// what that does to its users. The load balancer's backend gets another name, so it is created
// again, and none of its pods is healthy before its first check (ingress-gce
// pkg/utils/serviceport.go:87-102).
func (f Facts) useGroups(service *corev1.Service) v1alpha1.Advice {
	give := setGroups(f.App, service, true)
	if service.Name != f.App.Side(f.live()).Service {
		return v1alpha1.Advise("With network endpoint groups it can: annotate this Service, which no user reaches now, and do so for both "+
			"colours before the next release", give)
	}
	return v1alpha1.Advise("With network endpoint groups it can, but this Service is live, and annotating it replaces its backend at once: "+
		"users get errors for some minutes, until the new backend passes its health checks. Do it when that is acceptable, and after the "+
		"other colour's Service", give)
}
