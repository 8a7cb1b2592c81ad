package preflight

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// healthCheck warns of Services whose health check gets its path from a pod's readiness probe.
// The path is copied when the check is created (it is / without such a probe), and never updated
// (ingress-gce pkg/healthchecks/healthchecks.go:157-174,278-291). A command in the finding never
// makes the load balancer send live pods a request whose answer nobody has seen.
func healthCheck(f Facts) []v1alpha1.Finding {
	return f.lacking(func(b backendOf) *v1alpha1.Finding {
		check, _ := b.config.Spec["healthCheck"].(map[string]any)
		if path, _ := check["requestPath"].(string); path != "" || check == nil && f.transparent(b.color) {
			return nil
		}
		field := "spec.healthCheck.requestPath"
		if b.name == "" {
			field = annotationField
		}
		way := b.checkAdvice()
		finding := b.object.warning("HealthCheck", field, "no health check is configured: %s", way.Text).With(way.Commands...)
		return &finding
	})
}

// checkAdvice describes the requests of an unconfigured check, and the way out.
func (b backendOf) checkAdvice() v1alpha1.Advice {
	port, _ := b.checked()
	t, _ := b.servedBy()
	a, onPort, ok := b.probe()
	way := b.newConfig()
	switch {
	case b.name != "" && ok:
		way = v1alpha1.Advise("set it"+b.facts.sharedConfig(b.name),
			patchConfig(b.facts.App, b.name, map[string]any{"healthCheck": b.safeCheck()}))
	case b.name != "":
		way = v1alpha1.Advise("", edit(b.facts.App, "backendconfig", b.name))
	}
	if host := b.hostProbe(); host != "" {
		if b.name == "" {
			way.Text = "; " + way.Text + ", and add spec.healthCheck to that"
		}
		way.Text = fmt.Sprintf("the load balancer copies the path and the header Host from the readiness probe of container %s of deployment "+
			"%s when it creates the check, and never updates them; a BackendConfig sends no such header. "+
			"Choose a path that your pods answer with 200 without it on port %d, and set spec.healthCheck.requestPath to it%s", host, t.Deployment,
			port, way.Text)
		return way
	}
	if ok && onPort {
		way.Text = fmt.Sprintf("the load balancer copies the path from a readiness probe when it creates the check, and never updates it; the "+
			"readiness probe of deployment %s asks %s now: %s", t.Deployment, a.path, way.Text)
		return way
	}
	asks := fmt.Sprintf("deployment %s has no readiness probe on port %d that the load balancer can copy, so a check that it creates asks /",
		t.Deployment, port)
	if ok {
		way.Text = fmt.Sprintf("%s; container %s answers its probe %s on port %d, which the load balancer can ask instead: %s", asks, a.container,
			a.path, a.port, way.Text)
		return way
	}
	if b.name == "" {
		way.Text = "; " + way.Text + ", and add spec.healthCheck to that"
	}
	way.Text = fmt.Sprintf("%s. Choose a path that your pods answer with 200 on that port, and set spec.healthCheck.requestPath to it%s", asks,
		way.Text)
	return way
}

// sharedConfig warns of a BackendConfig that other Services may use as well.
func (f Facts) sharedConfig(name string) string {
	if name == f.App.Name {
		return ""
	}
	return fmt.Sprintf(" (it then applies to every Service that names backendconfig %s)", name)
}

// transparent reports whether a Service without its own health check leaves it to GKE's nodes,
// which take no path (ingress-gce pkg/controller/translator/translator.go, setThcOptInOnSvc).
func (f Facts) transparent(c v1alpha1.Color) bool {
	var set struct {
		Enabled bool `json:"enabled"`
	}
	text := f.service(c).Annotations["networking.gke.io/transparent-health-checker"]
	return json.Unmarshal([]byte(text), &set) == nil && set.Enabled && route.UsesNEGs(f.service(c))
}

// asks is the request that the kubelet sends to a pod as its readiness probe.
type asks struct {
	container, path, scheme string
	port                    int32
}

// servedBy is the template whose pods show which requests are answered: the live colour's, whose
// pods answer now and which is staged on the other, unless each colour has its own.
func (b backendOf) servedBy() (Template, bool) {
	c := b.facts.live()
	if b.facts.App.Spec.Template == v1alpha1.TemplateOwn {
		c = b.color
	}
	t, ok := b.facts.Templates[c]
	return t, ok
}

// checked is the pod's port that the health check requests, and its protocol.
func (b backendOf) checked() (port int32, protocol string) {
	service := b.facts.service(b.color)
	p := route.FindPort(service, b.port)
	t, _ := b.servedBy()
	protocol, _, _ = route.AppProtocol(service, p)
	check, _ := b.config.Spec["healthCheck"].(map[string]any)
	if set, ok := check["port"].(int64); ok {
		port = int32(set) //nolint:gosec // the schema allows only ports
	}
	if set, ok := check["type"].(string); ok {
		protocol = set
	}
	return cmp.Or(port, workload.PodPort(*p, t.Spec)), protocol
}

// probe is the readiness probe that shows which path the health check may request: the one on the
// check's own port, which Google's controller copies, otherwise that of the container that gets
// the image. onPort distinguishes the two. ok is false if there is none that a BackendConfig can
// repeat: a BackendConfig sends no headers.
func (b backendOf) probe() (a asks, onPort, ok bool) {
	t, found := b.servedBy()
	if !found {
		return asks{}, false, false
	}
	port, protocol := b.checked()
	for i := range t.Spec.Containers {
		if a, ok := repeatable(&t.Spec.Containers[i]); ok && b.copies(&t.Spec.Containers[i]) && a.port == port &&
			a.scheme == probeScheme(protocol) {
			return a, true, true
		}
	}
	c := b.facts.container(t.Spec)
	if c == nil {
		return asks{}, false, false
	}
	a, ok = repeatable(c)
	return a, false, ok && route.UsesNEGs(b.facts.service(b.color)) // through a node, it can request only the node's port
}

// copies reports whether Google's controller looks at a container's readiness probe: the
// container must list the port to which the Service leads.
func (b backendOf) copies(c *corev1.Container) bool {
	p := route.FindPort(b.facts.service(b.color), b.port)
	t, _ := b.servedBy()
	pod := workload.PodPort(*p, t.Spec)
	return slices.ContainsFunc(c.Ports, func(p corev1.ContainerPort) bool { return p.ContainerPort == pod })
}

// hostProbe is the container whose readiness probe the load balancer copies together with its
// only header, Host; "" if there is none.
func (b backendOf) hostProbe() string {
	t, found := b.servedBy()
	if !found {
		return ""
	}
	port, protocol := b.checked()
	for i := range t.Spec.Containers {
		c := t.Spec.Containers[i].DeepCopy()
		if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil || !b.copies(c) {
			continue
		}
		headers := c.ReadinessProbe.HTTPGet.HTTPHeaders
		c.ReadinessProbe.HTTPGet.HTTPHeaders = nil
		a, ok := repeatable(c)
		if !ok || a.port != port || a.scheme != probeScheme(protocol) {
			continue
		}
		if len(headers) == 1 && headers[0].Name == "Host" {
			return c.Name
		}
		if len(headers) == 0 {
			return "" // the controller copies this one first
		}
	}
	return ""
}

// repeatable returns a container's readiness probe if a health check can repeat it.
func repeatable(c *corev1.Container) (asks, bool) {
	if c.ReadinessProbe == nil || c.ReadinessProbe.HTTPGet == nil {
		return asks{}, false
	}
	get := c.ReadinessProbe.HTTPGet
	if get.Host != "" || len(get.HTTPHeaders) > 0 {
		return asks{}, false
	}
	port := get.Port.IntVal
	if get.Port.Type == intstr.String {
		for _, p := range c.Ports {
			if p.Name == get.Port.StrVal {
				port = p.ContainerPort
			}
		}
	}
	return asks{c.Name, cmp.Or(get.Path, "/"), cmp.Or(string(get.Scheme), "HTTP"), port}, port != 0
}

// probeScheme is the scheme of a readiness probe that matches a protocol (ingress-gce
// pkg/controller/translator/translator.go, getProbeScheme).
func probeScheme(protocol string) string {
	if protocol == "HTTP2" {
		return "HTTPS"
	}
	return protocol
}

// safeCheck is a health check that live pods pass, since they already give the kubelet this very
// answer. It is nil if their answers are unknown.
func (b backendOf) safeCheck() map[string]any {
	_, protocol := b.checked()
	a, onPort, ok := b.probe()
	switch {
	case !ok:
		return nil
	case onPort:
		return map[string]any{"type": protocol, "requestPath": a.path}
	}
	return map[string]any{"type": a.scheme, "requestPath": a.path, "port": a.port}
}

// safeDraining lets pods finish their answers.
func safeDraining() map[string]any { return map[string]any{"drainingTimeoutSec": 60} }

// newConfig is how a Service gets a BackendConfig. It is the same whatever is missing, so the
// second of two findings does not undo the first. It uses server-side apply with its own field
// manager: in an existing BackendConfig, other fields stay, and a field that others set
// differently is refused.
func (b backendOf) newConfig() v1alpha1.Advice {
	spec := map[string]any{"connectionDraining": safeDraining()}
	if check := b.safeCheck(); check != nil {
		spec["healthCheck"] = check
	}
	object, err := json.Marshal(map[string]any{
		"apiVersion": "cloud.google.com/v1", "kind": "BackendConfig", "spec": spec,
		"metadata": map[string]any{"name": b.facts.App.Name, "namespace": b.facts.App.Namespace},
	})
	if err != nil {
		return v1alpha1.Advice{} // unreachable: maps, strings and numbers
	}
	service := b.facts.service(b.color)
	apply := v1alpha1.Shell("printf", `%s\n`,
		string(object)).Into(v1alpha1.Shell("kubectl", "apply", "--server-side", "--field-manager", "turnout-advice", "-f", "-"))
	return v1alpha1.Advise("create a BackendConfig and name it in "+annotationField,
		apply.Then(annotate(b.facts.App, service.Name, configAnnotation, withDefault(service, b.facts.App.Name))))
}

// withDefault is a Service's BackendConfig annotation with a default added; entries for other
// ports stay.
func withDefault(service *corev1.Service, name string) string {
	names := map[string]any{}
	text, found := service.Annotations[configAnnotation]
	if !found { // so far the older one counts
		text = service.Annotations[oldConfigAnnotation]
	}
	_ = json.Unmarshal([]byte(text), &names) // if it is not JSON, another finding reports that
	names["default"] = name
	whole, _ := json.Marshal(names) //nolint:errchkjson // strings
	return string(whole)
}
