package preflight

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// configAnnotation names the BackendConfigs of a Service.
const configAnnotation = "cloud.google.com/backend-config"

// both are the colours, always in this order.
var both = []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green}

// lacking collects what the BackendConfig of each colour's Service lacks; two
// colours with one BackendConfig lack it once. want says what, of a BackendConfig
// that may be named "" and then does not exist.
func (f Facts) lacking(want func(about about, c v1alpha1.Color, name string, config Config) *v1alpha1.Finding) []v1alpha1.Finding {
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
			object := f.about("backendconfig", name)
			if name == "" {
				object = f.about("service", f.App.Side(c).Service)
			}
			if finding := want(object, c, name, config); finding != nil {
				all = append(all, *finding)
			}
		}
	}
	return slices.CompactFunc(all, func(a, b v1alpha1.Finding) bool { return a.Object == b.Object && a.Reason == b.Reason })
}

// healthCheck finds Services whose health check has its path from a pod's readiness
// probe: copied when the check is made, / if there is no pod then, and never copied
// again (ingress-gce pkg/healthchecks/healthchecks.go:157-174,278-291).
func healthCheck(f Facts) []v1alpha1.Finding {
	return f.lacking(func(object about, c v1alpha1.Color, name string, config Config) *v1alpha1.Finding {
		check, _ := config.Spec["healthCheck"].(map[string]any)
		if path, _ := check["requestPath"].(string); path != "" {
			return nil
		}
		source, path := "a pod of the Service has no HTTP readiness probe on that port, so it is /", "/"
		if probe := f.probe(c); probe != "" {
			source, path = fmt.Sprintf("the readiness probe of deployment %s asks %s now", f.Templates[c].Deployment, probe), probe
		}
		field, how := "spec.healthCheck.requestPath", fmt.Sprintf("kubectl patch backendconfig %s -n %s --type merge -p '{\"spec\":{\"healthCheck\":{\"type\":\"HTTP\",\"requestPath\":\"%s\"}}}'", name, f.App.Namespace, path)
		if name == "" {
			field, how = annotationField, f.newConfig(c, fmt.Sprintf("healthCheck: {type: HTTP, requestPath: %s}", path))
		}
		finding := object.warning("HealthCheck", field, "no health check is configured: its path is copied from a readiness probe when the load balancer makes it, and never again, and %s: %s", source, how)
		return &finding
	})
}

const annotationField = "metadata.annotations[" + configAnnotation + "]"

// newConfig says how a Service gets a BackendConfig of a spec.
func (f Facts) newConfig(c v1alpha1.Color, spec string) string {
	return fmt.Sprintf("apply {apiVersion: cloud.google.com/v1, kind: BackendConfig, metadata: {name: %s, namespace: %s}, spec: {%s}}, then %s",
		f.App.Name, f.App.Namespace, spec, f.annotate(f.App.Side(c).Service, configAnnotation, fmt.Sprintf(`{"default": "%s"}`, f.App.Name)))
}

// probe is the path that the pods of a colour have their readiness probed at; "" if
// that is no plain HTTP request.
func (f Facts) probe(c v1alpha1.Color) string {
	template, ok := f.Templates[c]
	if !ok {
		return ""
	}
	container := f.container(template.Spec)
	if container == nil || container.ReadinessProbe == nil || container.ReadinessProbe.HTTPGet == nil {
		return ""
	}
	return cmp.Or(container.ReadinessProbe.HTTPGet.Path, "/")
}

// container is the one that gets the image; nil if that is not clear.
func (f Facts) container(pod corev1.PodSpec) *corev1.Container {
	for i := range pod.Containers {
		if len(pod.Containers) == 1 && f.App.Spec.Container == "" || pod.Containers[i].Name == f.App.Spec.Container {
			return &pod.Containers[i]
		}
	}
	return nil
}

// alike finds colours that the load balancer treats differently: Cloud Armor, IAP,
// timeouts and draining change with a switch then.
func alike(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	var all []v1alpha1.Finding
	for _, port := range f.ports() {
		live, liveConfig, known := f.configOf(f.live(), port)
		name, config, otherKnown := f.configOf(f.live().Other(), port)
		if !known || !otherKnown || live == name || equality.Semantic.DeepEqual(liveConfig.Spec, config.Spec) {
			continue
		}
		service := f.App.Side(f.live().Other()).Service
		how := "remove the annotation: kubectl annotate service " + service + " -n " + f.App.Namespace + " " + configAnnotation + "-"
		if live != "" {
			how = "name the same one: " + f.annotate(service, configAnnotation, fmt.Sprintf(`{"default": "%s"}`, live))
		}
		all = append(all, f.about("service", service).warning("ConfigsUnlike", annotationField, "%s and service %s %s, which differ in %s: users would notice that after a switch; %s",
			names(name), f.App.Side(f.live()).Service, names(live), difference(config.Spec, liveConfig.Spec), how))
	}
	return all
}

func names(config string) string {
	if config == "" {
		return "names no BackendConfig"
	}
	return "names the BackendConfig " + config
}

// difference lists the fields that two specs have unlike.
func difference(a, b map[string]any) string {
	keys := slices.Sorted(maps.Keys(a))
	keys = slices.AppendSeq(keys, maps.Keys(b))
	slices.Sort(keys)
	keys = slices.DeleteFunc(slices.Compact(keys), func(k string) bool { return equality.Semantic.DeepEqual(a[k], b[k]) })
	for i, k := range keys {
		keys[i] = "spec." + k
	}
	return strings.Join(keys, ", ")
}

// draining finds Services whose pods are cut off in the middle of an answer when
// they are detached: draining is off unless set (ingress-gce
// pkg/backends/features/draining.go:31-43).
func draining(f Facts) []v1alpha1.Finding {
	return f.lacking(func(object about, c v1alpha1.Color, name string, config Config) *v1alpha1.Finding {
		if t, _ := config.seconds("connectionDraining", "drainingTimeoutSec"); t > 0 {
			return nil
		}
		field, how := "spec.connectionDraining.drainingTimeoutSec", fmt.Sprintf(`kubectl patch backendconfig %s -n %s --type merge -p '{"spec":{"connectionDraining":{"drainingTimeoutSec":60}}}'`, name, f.App.Namespace)
		if name == "" {
			field, how = annotationField, f.newConfig(c, "connectionDraining: {drainingTimeoutSec: 60}")
		}
		finding := object.warning("Draining", field, "connection draining is off: what a pod is answering when the old colour is shrunk is cut off: %s", how)
		return &finding
	})
}

const (
	// leastDrain is how long front ends may send to the old colour at least: no number
	// is published, "minutes" is Google's own word (gke-networking-recipes
	// ingress/multi-cluster/mci-asm-https-e2e/README.md:670).
	leastDrain = time.Minute
	// backendTimeout of a BackendConfig that sets no timeoutSec.
	backendTimeout = 30 * time.Second
)

// drain finds an application whose old colour is shrunk before the answers have
// ended that it may still be asked for.
func drain(f Facts) []v1alpha1.Finding {
	if !f.gce() {
		return nil
	}
	least, why := leastDrain, "its front ends take up a switch one after the other"
	for _, port := range f.ports() {
		for _, c := range both {
			name, config, known := f.configOf(c, port)
			if t, set := config.seconds("timeoutSec"); known && set && t > max(least, backendTimeout) {
				least, why = t, fmt.Sprintf("an answer may take timeoutSec of backendconfig %s", name)
			}
		}
	}
	if f.App.Spec.DrainTime() >= least {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("Drain", "spec.drain", "the old colour may be shrunk %s after a switch, and Google's load balancer may send to it for longer, since %s: set it to %s or more: kubectl patch bluegreen %s -n %s --type merge -p '{\"spec\":{\"drain\":\"%s\"}}'",
		f.App.Spec.DrainTime(), why, least, f.App.Name, f.App.Namespace, least)}
}

// nodes finds colours that the load balancer reaches through the nodes: it does not
// tell of their pods then.
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
		all = append(all, f.about("service", service.Name).warning("Nodes", "metadata.annotations["+negAnnotation+"]",
			"the load balancer sends to nodes, which pass on to any pod, so it cannot tell whether it finds each of them healthy: give both colours' Services network endpoint groups: %s", f.annotate(service.Name, negAnnotation, `{"ingress": true}`)))
	}
	return all
}
