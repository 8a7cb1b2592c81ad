package scaffold

import (
	"fmt"
	"slices"
	"strings"

	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// writeApplication writes the BlueGreen.
func writeApplication(m *maker) error {
	spec, say := m.bg, comments{"": "One application: whose merges are releases, what builds them, and which objects are its two colours."}
	spec["repository"] = m.o.Repository
	if m.o.Branch != "main" {
		spec["branch"] = m.o.Branch
	}
	build := object{"project": m.o.Project}
	spec["build"] = build
	name := m.s.BuildName
	if name == "" {
		name = "cloudbuild.yaml"
	}
	if file := m.s.path(name); file != "cloudbuild.yaml" {
		build["config"] = file
	}
	if m.o.Image != "" {
		build["image"] = m.o.Image
		say["spec/build/image"] = "The build lists more than one."
	}
	if url := urlOf(m); url != "" {
		spec["url"] = url
		say["spec/url"] = "Every switch is measured there, as users see it."
	} else {
		say["spec/repository"] = "url: https://... is missing here: where users reach the application. Without it no switch is measured."
		m.lookAt("spec.url of the BlueGreen is not set, since nothing shows where users reach the application: --url sets it.")
	}
	if m.r != nil && len(m.r.deployment.Spec.Template.Spec.Containers) > 1 {
		spec["container"] = m.r.container.Name
		say["spec/container"] = "The one that gets the image."
	}
	nameGate(m, spec, say)
	bg := object{
		"apiVersion": v1alpha1.GroupVersion.String(), "kind": "BlueGreen", "spec": spec,
		"metadata": object{"name": m.o.Name, "namespace": m.o.Namespace},
	}
	return m.add("bluegreen.yaml", bg, say)
}

// nameGate names a check where pods have no probe that could be repeated.
func nameGate(m *maker, spec object, say comments) {
	if m.r == nil || m.r.container.ReadinessProbe != nil && m.r.container.ReadinessProbe.HTTPGet != nil {
		return // the gate repeats the readiness probe
	}
	spec["gate"] = object{"http": []any{object{"path": m.health()}}}
	say["spec/gate"] = "The container has no readiness probe over HTTP, which the gate would repeat. A new version must answer this with 200."
	m.lookAt("Container %s of deployment %s has no readiness probe over HTTP, so the gate requests %s: let only a pod that works answer that "+
		"with 200.", m.r.container.Name, m.r.deployment.Name, m.health())
}

// urlOf is where users reach the application, if that can be seen.
func urlOf(m *maker) string {
	switch {
	case m.o.URL != "" || m.r == nil:
		return m.o.URL
	case m.r.route != nil:
		return m.r.route.url(m.r.service.Name)
	case m.r.ingress == nil:
		return ""
	}
	in := m.r.ingress
	for _, rule := range in.Spec.Rules {
		if rule.HTTP == nil || rule.Host == "" || strings.Contains(rule.Host, "*") {
			continue
		}
		for _, p := range rule.HTTP.Paths {
			if p.Backend.Service != nil && p.Backend.Service.Name == m.r.service.Name {
				return scheme(in, rule.Host) + rule.Host + measurable(p.Path)
			}
		}
	}
	for _, at := range in.Status.LoadBalancer.Ingress {
		if at.IP != "" && !slices.ContainsFunc(in.Spec.Rules, func(r networkingv1.IngressRule) bool { return r.Host != "" }) {
			return "http://" + at.IP
		}
	}
	return ""
}

// measurable is a path of an Ingress as one that can be asked for; "" for all.
func measurable(path string) string {
	if strings.ContainsAny(strings.TrimSuffix(path, "/*"), "*()$|\\?#") {
		return "" // an expression of another controller's
	}
	return strings.TrimSuffix(strings.TrimSuffix(path, "*"), "/")
}

// scheme by which users reach a host.
func scheme(in *networkingv1.Ingress, host string) string {
	for _, tls := range in.Spec.TLS {
		if len(tls.Hosts) == 0 || slices.Contains(tls.Hosts, host) {
			return "https://"
		}
	}
	for key := range in.Annotations {
		if key == "networking.gke.io/managed-certificates" || key == "ingress.gcp.kubernetes.io/pre-shared-cert" {
			return "https://"
		}
	}
	return "http://"
}

// writeGrant writes what a cluster administrator must allow.
func writeGrant(m *maker) error {
	granted := v1alpha1.Grants{}
	if m.n != nil {
		granted = m.n.Granted
	}
	bg := &v1alpha1.BlueGreen{Spec: v1alpha1.BlueGreenSpec{Repository: m.o.Repository, Build: v1alpha1.BuildSpec{Project: m.o.Project}}}
	needs := granted.Missing(bg.Needs()...)
	if len(needs) == 0 {
		m.found("namespace %s is granted what this needs", m.o.Namespace)
		return nil
	}
	annotations := object{}
	for _, need := range needs {
		annotations[need.Annotation] = strings.TrimPrefix(strings.TrimRight(granted[need.Annotation], ", ")+","+need.Value, ",")
	}
	say := "For a cluster administrator: it allows the namespace this repository and this Google project.\nIt includes what is " +
		"granted already."
	if m.n == nil || !m.n.Known {
		say = "For a cluster administrator: it allows the namespace this repository and this Google project.\n" +
			"What is granted already is unknown. Add it here, since this file replaces it."
	}
	file := "changes/namespace-" + m.o.Namespace + ".yaml"
	if err := m.add(file, object{"metadata": object{"annotations": annotations}}, comments{"": say}); err != nil {
		return err
	}
	step := Step{Do: "A cluster administrator grants the namespace its repository and project.", Why: "Users notice nothing."}
	if m.n != nil && !m.n.Exists {
		step.Commands = append(step.Commands, v1alpha1.Shell("kubectl", "create", "namespace", m.o.Namespace))
	}
	step.Commands = append(step.Commands, m.patch("namespace", m.o.Namespace, file))
	m.Steps = append([]Step{step}, m.Steps...)
	return nil
}

// makeCommands are the commands that make what the files hold, but for one that was made before. They name
// each file: the folder may have others.
func makeCommands(m *maker, but string) []v1alpha1.ShellCommand {
	create, apply := []string{"create"}, []string{"apply"}
	for _, f := range m.Files {
		name, ours := strings.CutPrefix(f.Path, m.path(""))
		switch {
		case !ours || name == but || strings.HasPrefix(name, "changes/"):
		case strings.HasPrefix(name, "once/"):
			create = append(create, "-f", f.Path)
		default:
			apply = append(apply, "-f", f.Path)
		}
	}
	apply = append(apply, "-f", m.path("bluegreen.yaml"))
	switch {
	case len(create) == 1:
		return []v1alpha1.ShellCommand{m.kubectl(apply...)}
	case m.r == nil: // the Ingress names what must exist
		return []v1alpha1.ShellCommand{m.kubectl(apply...), m.kubectl(create...)}
	}
	return []v1alpha1.ShellCommand{m.kubectl(create...), m.kubectl(apply...)}
}

// addEnd adds the steps that everything ends with.
func addEnd(m *maker) {
	if m.n != nil && !m.n.Turnout {
		m.lookAt("This cluster does not know applications: install Turnout before the BlueGreen is applied (docs/install.md).")
	}
	m.Steps = append(m.Steps, Step{
		Do: fmt.Sprintf("Wait until the application is ready: it then shows Idle, and the live colour. Then merge these files: that push to %s "+
			"is "+
			"the first release.", m.o.Branch),
		Why: fmt.Sprintf("Users notice nothing until that release has passed its gate. If the application is Blocked, %q shows why, with "+
			"commands.",
			string(v1alpha1.Shell("turnout", "preflight", m.o.Name, "-n", m.o.Namespace))),
		Commands: []v1alpha1.ShellCommand{m.kubectl("get", "bluegreen", m.o.Name)},
	})
}
