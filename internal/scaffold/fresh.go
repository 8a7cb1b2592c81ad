package scaffold

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// onlyOnce is what the files in once/ begin with.
const onlyOnce = "Create it once, with kubectl create. Releases change it later, so do not apply this file again: that would undo them."

// drainSeconds is how long a detached pod may finish its answers; stopSeconds how long an ending one
// waits until it is detached; graceSeconds both, and some to spare.
const (
	drainSeconds = 60
	stopSeconds  = 45
	graceSeconds = stopSeconds + drainSeconds + 15
)

// writeConfig is how Google's load balancer is to treat the pods of both colours.
func writeConfig(m *maker, check object) error {
	spec := object{"connectionDraining": object{"drainingTimeoutSec": drainSeconds}}
	say := comments{
		"":                        "How Google's load balancer treats the pods of both colours.",
		"spec/connectionDraining": "How long a detached pod may finish its answers. Without this field it cannot.",
	}
	if check != nil {
		spec["healthCheck"] = check
		say["spec/healthCheck"] = "Without it the load balancer copies the path once from a readiness probe, and never updates it."
	}
	return m.add("backendconfig.yaml", object{
		"apiVersion": "cloud.google.com/v1", "kind": "BackendConfig", "metadata": object{"name": m.o.Name, "namespace": m.o.Namespace},
		"spec": spec,
	}, say)
}

// writeFresh writes an application that does not run yet.
func writeFresh(m *maker) error {
	m.found("port %d, health check %s", m.port(), m.health())
	if m.s.Health == "" {
		m.lookAt("No path for health checks was found, so they request /. Better is a path that checks what the program needs, such as "+
			"/healthz: name it in %s and once/deployment-*.yaml.", m.path("backendconfig.yaml"))
	}
	check := object{"type": "HTTP", "requestPath": m.health(), "port": m.port()}
	if err := writeConfig(m, check); err != nil {
		return err
	}
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		if err := writeColor(m, c); err != nil {
			return err
		}
	}
	if err := writeIngress(m, m.o.Name+"-blue-svc", object{"number": 80}); err != nil {
		return err
	}
	image := m.image() + ":first"
	m.Steps = append(m.Steps, Step{
		Do: "Build the first image, with the tag that the Deployments name.", Why: "There are no users yet.",
		Commands: []v1alpha1.ShellCommand{v1alpha1.Shell("gcloud", "builds", "submit", "--project="+m.o.Project,
			"--config="+buildFile(m), "--substitutions=COMMIT_SHA=first", rootOf(m))},
	}, Step{
		Do: "Apply the rest, and create what releases change later.", Why: "Blue starts with " + image + ", and green waits at size 0.",
		Commands: makeCommands(m, ""),
	})
	addEnd(m)
	return nil
}

func buildFile(m *maker) string {
	if m.s.BuildName != "" {
		return m.s.BuildName
	}
	return "cloudbuild.yaml"
}

// rootOf is the repository's root, seen from the folder.
func rootOf(m *maker) string {
	if m.s.Below == "" {
		return "."
	}
	return strings.TrimSuffix(strings.Repeat("../", strings.Count(m.s.Below, "/")+1), "/")
}

// writeColor writes Deployment and Service of a colour.
func writeColor(m *maker, c v1alpha1.Color) error {
	name := m.o.Name + "-" + string(c)
	labels := func() object { return object{"app": m.o.Name, defaultLabel: string(c)} }
	const pod, container = "spec/template/spec/", "spec/template/spec/containers/0/"
	replicas := 2
	say := comments{
		"": onlyOnce, pod + "terminationGracePeriodSeconds": "preStop, the draining of backendconfig.yaml, and 15 to spare.",
		container + "image":             "A release puts its own here. The first one is built by hand.",
		container + "lifecycle/preStop": "The load balancer goes on sending until it has detached this pod.",
		container + "readinessProbe":    "The gate of every release repeats it on every pod.",
	}
	if c == v1alpha1.Green {
		replicas = 0
		say["spec/replicas"] = "A release sizes it like blue."
	}
	deployment := object{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": object{"name": name, "namespace": m.o.Namespace, "labels": labels()},
		"spec": object{
			"replicas": replicas, "selector": object{"matchLabels": labels()},
			"template": object{"metadata": object{"labels": labels()}, "spec": object{
				"terminationGracePeriodSeconds": graceSeconds,
				"containers": []any{object{
					"name": "app", "image": m.image() + ":first",
					"ports":          []any{object{"name": "http", "containerPort": m.port()}},
					"readinessProbe": object{"httpGet": object{"path": m.health(), "port": "http"}, "periodSeconds": 2, "failureThreshold": 2},
					"lifecycle":      object{"preStop": object{"sleep": object{"seconds": stopSeconds}}},
				}},
			}},
		},
	}
	if err := m.add("once/deployment-"+string(c)+".yaml", deployment, say); err != nil {
		return err
	}
	return m.add("service-"+string(c)+".yaml", object{
		"apiVersion": "v1", "kind": "Service",
		"metadata": object{"name": name + "-svc", "namespace": m.o.Namespace, "labels": labels(), "annotations": object{
			groupsKey: `{"ingress": true}`, configKey: fmt.Sprintf(`{"default": %q}`, m.o.Name),
		}},
		"spec": object{"selector": labels(), "ports": []any{object{"name": "http", "port": 80, "targetPort": "http"}}},
	}, comments{"metadata/annotations": "The load balancer sends to pods, not to nodes. Both colours need the same annotations."})
}

const (
	groupsKey = "cloud.google.com/neg"
	configKey = "cloud.google.com/backend-config"
	classKey  = "kubernetes.io/ingress.class"
)

// writeIngress writes the Ingress that sends users to a Service.
func writeIngress(m *maker, service string, port object) error {
	return m.add("once/ingress.yaml", object{
		"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
		"metadata": object{"name": m.o.Name + "-ingress", "namespace": m.o.Namespace, "annotations": object{classKey: "gce"}},
		"spec": object{"rules": []any{object{"http": object{"paths": []any{object{
			"path": "/", "pathType": "Prefix", "backend": object{"service": object{"name": service, "port": port}},
		}}}}}},
	}, comments{"": onlyOnce, "metadata/annotations": "GKE reads the class here, and ignores spec.ingressClassName."})
}
