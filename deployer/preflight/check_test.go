package preflight

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// found is a finding without its message, which is compared in parts.
type found struct {
	Severity              v1alpha1.Severity
	Reason, Object, Field string
}

const (
	blueService  = "service shop/app-blue-svc"
	greenService = "service shop/app-green-svc"
	ingressApp   = "ingress shop/app-ingress"
	application  = "bluegreen shop/app"
	negField     = "metadata.annotations[cloud.google.com/neg]"
	configField  = "metadata.annotations[cloud.google.com/backend-config]"
	podField     = "spec.template.spec"
)

// situation is an application without findings, until a test changes it.
type situation struct {
	app     *v1alpha1.BlueGreen
	ingress *unstructured.Unstructured
	facts   Facts
}

func backend(service string, port int64) map[string]any {
	return map[string]any{"service": map[string]any{"name": service, "port": map[string]any{"number": port}}}
}

func rule(host string, paths ...any) map[string]any {
	r := map[string]any{"http": map[string]any{"paths": paths}}
	if host != "" {
		r["host"] = host
	}
	return r
}

func path(path, service string) map[string]any {
	return map[string]any{"path": path, "backend": backend(service, 80)}
}

func service(name string) *corev1.Service {
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Name: name, Annotations: map[string]string{
		"cloud.google.com/neg": `{"ingress": true}`, "cloud.google.com/backend-config": `{"default": "app"}`,
	}}}
	s.Spec.Ports = []corev1.ServicePort{{Name: "http", Port: 80, TargetPort: intstr.FromInt32(8080)}}
	return s
}

func template(deployment string) Template {
	return Template{Deployment: deployment, Spec: corev1.PodSpec{
		TerminationGracePeriodSeconds: new(int64(120)),
		Containers: []corev1.Container{{
			Name:  "app",
			Ports: []corev1.ContainerPort{{Name: "http", ContainerPort: 8080}, {Name: "admin", ContainerPort: 9000}},
			ReadinessProbe: &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{
				Path: "/ready",
				Port: intstr.FromString("http"),
			}}},
			Lifecycle: &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 45}}},
		}},
	}}
}

func config() Config {
	return Config{Exists: true, Spec: map[string]any{
		"healthCheck":        map[string]any{"requestPath": "/healthz"},
		"connectionDraining": map[string]any{"drainingTimeoutSec": int64(60)},
	}}
}

func good() *situation {
	app := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "1"}}
	app.Spec.URL = "https://shop.example.com"
	ingress := &unstructured.Unstructured{Object: map[string]any{
		"metadata": map[string]any{"annotations": map[string]any{"kubernetes.io/ingress.class": "gce"}},
		"spec":     map[string]any{"rules": []any{rule("shop.example.com", path("/", "app-blue-svc"))}},
	}}
	return &situation{app: app, ingress: ingress, facts: Facts{
		Services:  map[string]*corev1.Service{"app-blue-svc": service("app-blue-svc"), "app-green-svc": service("app-green-svc")},
		Configs:   map[string]Config{"app": config()},
		Templates: map[v1alpha1.Color]Template{v1alpha1.Blue: template("app-blue"), v1alpha1.Green: template("app-green")},
	}}
}

func (s *situation) check() []v1alpha1.Finding {
	f := s.facts
	f.App, f.Routes = s.app, route.Read(s.app, s.ingress)
	f.Ingress.Class = s.ingress.GetAnnotations()["kubernetes.io/ingress.class"]
	return Check(f)
}

// elsewhere gives the Ingress a class that is not Google's.
func (s *situation) elsewhere() {
	s.ingress.SetAnnotations(map[string]string{"kubernetes.io/ingress.class": "nginx"})
}

func (s *situation) rules(rules ...any) {
	s.ingress.Object["spec"] = map[string]any{"rules": rules}
}

// blue and green are the colours' Services.
func (s *situation) blue() *corev1.Service  { return s.facts.Services["app-blue-svc"] }
func (s *situation) green() *corev1.Service { return s.facts.Services["app-green-svc"] }

// pod is the live colour's template.
func (s *situation) pod(change func(*corev1.PodSpec)) {
	t := s.facts.Templates[v1alpha1.Blue]
	change(&t.Spec)
	s.facts.Templates[v1alpha1.Blue] = t
}

// mounts gives the live colour's pods a volume.
func (s *situation) mounts(path string, source corev1.VolumeSource) {
	s.pod(func(p *corev1.PodSpec) {
		p.Volumes = []corev1.Volume{{Name: "data", VolumeSource: source}}
		p.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "data", MountPath: path}}
	})
}

// claims makes a claim, files, with these modes, which the live colour's pods mount.
func (s *situation) claims(modes ...corev1.PersistentVolumeAccessMode) {
	s.mounts("/srv/files", corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "files"}})
	s.facts.Claims = map[string]Claim{"files": {Exists: true, Modes: modes}}
}

// wrote records a field manager of the Ingress.
func (s *situation) wrote(manager, fields string, at int64) {
	when := metav1.Unix(at, 0)
	s.facts.Ingress.Managers = append(s.facts.Ingress.Managers, metav1.ManagedFieldsEntry{
		Manager: manager, Operation: metav1.ManagedFieldsOperationUpdate, Time: &when, FieldsType: "FieldsV1",
		FieldsV1: metav1.NewFieldsV1(fields),
	})
}

const ownsRules = `{"f:spec":{"f:rules":{}}}`

func fault(reason, object, field string) []found {
	return []found{{v1alpha1.SeverityError, reason, object, field}}
}

func warning(reason, object, field string) []found {
	return []found{{v1alpha1.SeverityWarning, reason, object, field}}
}

func TestEachRuleFindsWhatIsWrongAndSaysTheWayOut(t *testing.T) {
	t.Parallel()
	const admin = "service shop/admin-svc"
	adminRoute := func(s *situation) {
		s.rules(rule("shop.example.com", path("/", "app-blue-svc")), rule("admin.example.com", path("/", "admin-svc")))
		s.facts.Services["admin-svc"] = service("admin-svc")
	}
	tests := []struct {
		name   string
		change func(*situation)
		want   []found
		says   []string
	}{
		{"nothing is wrong", func(*situation) {}, nil, nil},
		{"another class with nothing of Google's", func(s *situation) {
			s.elsewhere()
			s.facts.Configs = nil
			s.blue().Annotations, s.green().Annotations = nil, nil
			s.pod(func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds, p.Containers[0].Lifecycle = nil, nil })
			s.app.Spec.Drain = &metav1.Duration{}
		}, nil, nil},

		// translate.go
		{
			"somebody's service is missing", func(s *situation) { adminRoute(s); delete(s.facts.Services, "admin-svc") },
			fault("ServiceMissing", admin, ""),
			[]string{
				"app-ingress names it for admin.example.com/", "does not exist",
				"create it, or remove that route", "no change of that ingress",
			},
		},
		{
			"somebody's service is missing elsewhere", func(s *situation) { adminRoute(s); s.elsewhere(); delete(s.facts.Services, "admin-svc") },
			warning("ServiceMissing", admin, ""),
			[]string{"admin.example.com/", "create it, or remove that route"},
		},
		{
			"somebody's service has not the port", func(s *situation) { adminRoute(s); s.facts.Services["admin-svc"].Spec.Ports[0].Port = 81 },
			fault("Ports", admin, "spec.ports"),
			[]string{"no port 80", "add it"},
		},
		{
			"somebody's service cannot be reached", func(s *situation) { adminRoute(s); s.facts.Services["admin-svc"].Annotations = nil },
			fault("Unreachable", admin, negField),
			[]string{"ClusterIP", `kubectl annotate service admin-svc -n shop --overwrite 'cloud.google.com/neg={"ingress":true}'`},
		},
		{"somebody's annotation is no JSON", func(s *situation) {
			adminRoute(s)
			s.facts.Services["admin-svc"].Annotations["cloud.google.com/backend-config"] = "app"
		}, fault("Annotation", admin, configField), []string{"not JSON", "correct it"}},
		{"the older annotation is no JSON", func(s *situation) {
			adminRoute(s)
			s.facts.Services["admin-svc"].Annotations = map[string]string{
				"cloud.google.com/neg":                 `{"ingress": true}`,
				"beta.cloud.google.com/backend-config": "app",
			}
		}, fault("Annotation", admin, "metadata.annotations[beta.cloud.google.com/backend-config]"), []string{"correct it"}},
		{"an annotation that names no backendconfig", func(s *situation) {
			s.green().Annotations["cloud.google.com/backend-config"] = `{"http": "app"}`
		}, fault("Annotation", greenService, configField), []string{"names no BackendConfig", `write {"default": "NAME"}`}},
		{"an annotation with nothing in it", func(s *situation) {
			adminRoute(s)
			s.facts.Services["admin-svc"].Annotations["cloud.google.com/backend-config"] = `{}`
		}, fault("Annotation", admin, configField), []string{"names no BackendConfig", "or remove it"}},
		{"an annotation for another port only", func(s *situation) {
			adminRoute(s)
			s.facts.Services["admin-svc"].Annotations["cloud.google.com/backend-config"] = `{"ports": {"9090": "app"}}`
		}, nil, nil},
		{
			"a wildcard in a prefix", func(s *situation) {
				p := path("/*", "app-blue-svc")
				p["pathType"] = "Prefix"
				s.rules(rule("shop.example.com", p))
			}, fault("Path", ingressApp, "spec.rules[0].http.paths[0].path"),
			[]string{"/* of type Prefix", "write /, which includes every path below it, or set its pathType to ImplementationSpecific"},
		},
		{
			"a wildcard in somebody's exact path", func(s *situation) {
				adminRoute(s)
				p := path("/a*b", "admin-svc")
				p["pathType"] = "Exact"
				s.rules(rule("shop.example.com", path("/", "app-blue-svc")), rule("admin.example.com", p))
			}, fault("Path", ingressApp, "spec.rules[1].http.paths[0].path"),
			[]string{"/a*b of type Exact", "set its pathType to ImplementationSpecific"},
		},
		{"a wildcard where it may be", func(s *situation) {
			p := path("/*", "app-blue-svc")
			p["pathType"] = "ImplementationSpecific"
			s.rules(rule("shop.example.com", p))
		}, nil, nil},
		{"a wildcard elsewhere", func(s *situation) {
			s.elsewhere()
			p := path("/*", "app-blue-svc")
			p["pathType"] = "Prefix"
			s.rules(rule("shop.example.com", p))
		}, nil, nil},
		{"a node port is reached", func(s *situation) {
			adminRoute(s)
			s.facts.Services["admin-svc"].Annotations, s.facts.Services["admin-svc"].Spec.Type = nil, corev1.ServiceTypeNodePort
		}, nil, nil},
		{
			"a backend that is no service", func(s *situation) {
				s.rules(rule("shop.example.com", path("/", "app-blue-svc"),
					map[string]any{"path": "/static", "backend": map[string]any{"resource": map[string]any{"kind": "Bucket", "name": "static"}}}))
			}, fault("Resource", ingressApp, "spec.rules[0].http.paths[1].backend"),
			[]string{"shop.example.com/static", "kubectl edit ingress app-ingress -n shop"},
		},
		{"a backend that is no service elsewhere", func(s *situation) {
			s.elsewhere()
			s.rules(rule("shop.example.com", path("/", "app-blue-svc"),
				map[string]any{"path": "/static", "backend": map[string]any{"resource": map[string]any{"kind": "Bucket", "name": "static"}}}))
		}, nil, nil},
		{"a backendconfig that does not exist", func(s *situation) { s.facts.Configs["app"] = Config{} }, []found{
			{v1alpha1.SeverityError, "BackendConfigMissing", blueService, configField},
			{v1alpha1.SeverityError, "BackendConfigMissing", greenService, configField},
		}, []string{"names the BackendConfig app, which does not exist", "create it"}},
		{
			"the other colour lacks the port", func(s *situation) { s.green().Spec.Ports[0].Port = 8080 },
			fault("Ports", greenService, "spec.ports"),
			[]string{"no port 80", "app-ingress uses for service app-blue-svc", "kubectl edit service app-green-svc -n shop"},
		},
		{
			"the other colour lacks the port elsewhere", func(s *situation) { s.elsewhere(); s.green().Spec.Ports[0].Port = 8080 },
			fault("Ports", greenService, "spec.ports"),
			[]string{"same ports"},
		},
		{"the other colour is to be made", func(s *situation) { delete(s.facts.Services, "app-green-svc") }, nil, nil},
		{"the live colour is missing", func(s *situation) { delete(s.facts.Services, "app-blue-svc") }, nil, nil}, // the condition reports it
		{"the other colour cannot be reached", func(s *situation) { delete(s.green().Annotations, "cloud.google.com/neg") }, []found{
			{v1alpha1.SeverityError, "GroupsUnlike", greenService, negField}, {v1alpha1.SeverityError, "Unreachable", greenService, negField},
		}, []string{`kubectl annotate service app-green-svc -n shop --overwrite 'cloud.google.com/neg={"ingress":true}'`}},
		{
			"the other colour is reached through the nodes", func(s *situation) {
				delete(s.green().Annotations, "cloud.google.com/neg")
				s.green().Spec.Type = corev1.ServiceTypeNodePort
			},
			[]found{{v1alpha1.SeverityError, "GroupsUnlike", greenService, negField}, {v1alpha1.SeverityWarning, "Nodes", greenService, negField}},
			[]string{"service app-blue-svc has network endpoint groups"},
		},

		// backendconfig.go
		{
			"both colours are reached through the nodes", func(s *situation) {
				for _, service := range []*corev1.Service{s.blue(), s.green()} {
					delete(service.Annotations, "cloud.google.com/neg")
					service.Spec.Type = corev1.ServiceTypeNodePort
				}
			},
			[]found{{v1alpha1.SeverityWarning, "Nodes", blueService, negField}, {v1alpha1.SeverityWarning, "Nodes", greenService, negField}},
			[]string{"sends to nodes"},
		},
		{"no backendconfig", func(s *situation) {
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				delete(service.Annotations, "cloud.google.com/backend-config")
			}
		}, []found{
			{v1alpha1.SeverityWarning, "Draining", blueService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", blueService, configField},
			{v1alpha1.SeverityWarning, "Draining", greenService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", greenService, configField},
		}, []string{
			"the readiness probe of deployment app-blue asks /ready",
			`printf '%s\n' '{"apiVersion":"cloud.google.com/v1","kind":"BackendConfig","metadata":{"name":"app","namespace":"shop"},` +
				`"spec":{"connectionDraining":{"drainingTimeoutSec":60},"healthCheck":{"requestPath":"/ready","type":"HTTP"}}}' | kubectl apply ` +
				`--server-side --field-manager turnout-advice -f - && kubectl annotate service app-blue-svc -n shop --overwrite ` +
				`'cloud.google.com/backend-config={"default":"app"}'`,
		}},
		{
			"no health check, and no probe to copy", func(s *situation) {
				delete(s.facts.Configs["app"].Spec, "healthCheck")
				s.pod(func(p *corev1.PodSpec) { p.Containers[0].ReadinessProbe = nil })
			}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"),
			[]string{"asks /.", "Choose a path that your pods answer with 200", "kubectl edit backendconfig app -n shop"},
		},
		{
			"no draining", func(s *situation) { delete(s.facts.Configs["app"].Spec, "connectionDraining") },
			warning("Draining", "backendconfig shop/app", "spec.connectionDraining.drainingTimeoutSec"),
			[]string{"cuts off", "kubectl patch backendconfig app -n shop"},
		},
		{"draining for no time", func(s *situation) {
			s.facts.Configs["app"].Spec["connectionDraining"] = map[string]any{"drainingTimeoutSec": int64(0)}
		}, warning("Draining", "backendconfig shop/app", "spec.connectionDraining.drainingTimeoutSec"), nil},
		{
			"backendconfigs unlike", func(s *situation) {
				other := config()
				other.Spec["securityPolicy"], other.Spec["timeoutSec"] = map[string]any{"name": "armor"}, int64(40)
				s.facts.Configs["other"] = other
				s.green().Annotations["cloud.google.com/backend-config"] = `{"ports": {"http": "other"}}`
			}, warning("ConfigsUnlike", greenService, configField),
			[]string{
				"names the BackendConfig other", "differ in spec.securityPolicy, spec.timeoutSec",
				`'cloud.google.com/backend-config={"default": "app"}'`,
			},
		},
		{"backendconfigs of two names, and alike", func(s *situation) {
			s.facts.Configs["other"] = config()
			s.green().Annotations["cloud.google.com/backend-config"] = `{"ports": {"80": "other"}}`
		}, nil, nil},
		{
			"a backendconfig of the other colour only", func(s *situation) { delete(s.blue().Annotations, "cloud.google.com/backend-config") },
			[]found{
				{v1alpha1.SeverityWarning, "Draining", blueService, configField},
				{v1alpha1.SeverityWarning, "HealthCheck", blueService, configField},
				{v1alpha1.SeverityWarning, "ConfigsUnlike", greenService, configField},
			},
			[]string{
				"service app-blue-svc names no BackendConfig",
				"kubectl annotate service app-green-svc -n shop cloud.google.com/backend-config-",
			},
		},
		{"backendconfigs that could not be read", func(s *situation) { s.facts.Configs = nil }, nil, nil},
		{
			"a drain of no minute", func(s *situation) { s.app.Spec.Drain = &metav1.Duration{Duration: 59 * time.Second} },
			warning("Drain", application, "spec.drain"),
			[]string{"59s is too short", "1m0s or more", `'{"spec":{"drain":"1m0s"}}'`},
		},
		{"a drain below the longest answer", func(s *situation) {
			s.app.Spec.Drain = &metav1.Duration{Duration: 2 * time.Minute}
			s.facts.Configs["app"].Spec["timeoutSec"] = int64(300)
		}, warning("Drain", application, "spec.drain"), []string{"timeoutSec of backendconfig app", "5m0s or more"}},

		{
			"a live service that is reached through the nodes", func(s *situation) {
				delete(s.blue().Annotations, "cloud.google.com/neg")
				s.blue().Spec.Type = corev1.ServiceTypeNodePort
			},
			[]found{{v1alpha1.SeverityError, "GroupsUnlike", blueService, negField}, {v1alpha1.SeverityWarning, "Nodes", blueService, negField}},
			[]string{"this Service is live, and annotating it replaces its backend at once: users get errors for some minutes"},
		},
		{
			"an idle service that can do without groups, as the live one does", func(s *situation) {
				delete(s.blue().Annotations, "cloud.google.com/neg")
				s.blue().Spec.Type, s.green().Spec.Type = corev1.ServiceTypeNodePort, corev1.ServiceTypeNodePort
			},
			[]found{{v1alpha1.SeverityError, "GroupsUnlike", blueService, negField}, {v1alpha1.SeverityWarning, "Nodes", blueService, negField}},
			[]string{"no user reaches now", "kubectl annotate service app-green-svc -n shop cloud.google.com/neg-"},
		},
		{
			"a probe with the header Host, which is copied", func(s *situation) {
				delete(s.facts.Configs["app"].Spec, "healthCheck")
				s.pod(func(p *corev1.PodSpec) {
					p.Containers[0].ReadinessProbe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "Host", Value: "shop.example.com"}}
				})
			}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"),
			[]string{"copies the path and the header Host", "Choose a path", "without it on port 8080", "kubectl edit backendconfig app -n shop"},
		},
		{
			"a probe with another header, which no check can send", func(s *situation) {
				delete(s.facts.Configs["app"].Spec, "healthCheck")
				s.pod(func(p *corev1.PodSpec) {
					p.Containers[0].ReadinessProbe.HTTPGet.HTTPHeaders = []corev1.HTTPHeader{{Name: "X-Probe", Value: "1"}}
				})
			}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"),
			[]string{"creates asks /. Choose a path", "kubectl edit backendconfig app -n shop"},
		},
		{
			"a probe of a container that lists no port, which is not copied", func(s *situation) {
				delete(s.facts.Configs["app"].Spec, "healthCheck")
				s.pod(func(p *corev1.PodSpec) {
					p.Containers[0].Ports, p.Containers[0].ReadinessProbe.HTTPGet.Port = nil, intstr.FromInt32(8080)
				})
			}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"),
			[]string{"creates asks /;", "container app answers its probe /ready on port 8080", `"requestPath":"/ready"`},
		},
		{"nodes that answer checks, and a check that overrides them", func(s *situation) {
			s.facts.Configs["app"].Spec["healthCheck"] = map[string]any{"checkIntervalSec": int64(5)}
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				service.Annotations["networking.gke.io/transparent-health-checker"] = `{"enabled": true}`
			}
		}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"), []string{"copies the path"}},
		{"the older annotation names one for another port, which stays", func(s *situation) {
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				delete(service.Annotations, "cloud.google.com/backend-config")
				service.Annotations["beta.cloud.google.com/backend-config"] = `{"ports": {"9090": "admin"}}`
			}
		}, []found{
			{v1alpha1.SeverityWarning, "Draining", blueService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", blueService, configField},
			{v1alpha1.SeverityWarning, "Draining", greenService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", greenService, configField},
		}, []string{`'cloud.google.com/backend-config={"default":"app","ports":{"9090":"admin"}}'`}},
		{
			"a check of another port, and the probe is on that", func(s *situation) {
				s.facts.Configs["app"].Spec["healthCheck"] = map[string]any{"port": int64(9000)}
				s.pod(func(p *corev1.PodSpec) { p.Containers[0].ReadinessProbe.HTTPGet.Port = intstr.FromString("admin") })
			}, warning("HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"),
			[]string{`{"spec":{"healthCheck":{"requestPath":"/ready","type":"HTTP"}}}`},
		},
		{"a probe elsewhere, and the load balancer reaches nodes only", func(s *situation) {
			delete(s.facts.Configs["app"].Spec, "healthCheck")
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				delete(service.Annotations, "cloud.google.com/neg")
				service.Spec.Type = corev1.ServiceTypeNodePort
			}
			s.pod(func(p *corev1.PodSpec) { p.Containers[0].ReadinessProbe.HTTPGet.Port = intstr.FromString("admin") })
		}, []found{
			{v1alpha1.SeverityWarning, "HealthCheck", "backendconfig shop/app", "spec.healthCheck.requestPath"},
			{v1alpha1.SeverityWarning, "Nodes", blueService, negField},
			{v1alpha1.SeverityWarning, "Nodes", greenService, negField},
		}, []string{"Choose a path"}},
		{"no backendconfig, and nothing shows what pods answer", func(s *situation) {
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				delete(service.Annotations, "cloud.google.com/backend-config")
			}
			s.pod(func(p *corev1.PodSpec) { p.Containers[0].ReadinessProbe = nil })
		}, []found{
			{v1alpha1.SeverityWarning, "Draining", blueService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", blueService, configField},
			{v1alpha1.SeverityWarning, "Draining", greenService, configField},
			{v1alpha1.SeverityWarning, "HealthCheck", greenService, configField},
		}, []string{`"spec":{"connectionDraining":{"drainingTimeoutSec":60}}}`, "and add spec.healthCheck"}},
		{"a health check that GKE's nodes answer", func(s *situation) {
			delete(s.facts.Configs["app"].Spec, "healthCheck")
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				service.Annotations["networking.gke.io/transparent-health-checker"] = `{"enabled": true}`
			}
		}, nil, nil},

		// alike.go
		{
			"a protocol of the idle colour only",
			func(s *situation) { s.green().Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTPS"}` },
			warning("ProtocolsUnlike", greenService, "metadata.annotations[cloud.google.com/app-protocols]"),
			[]string{"kubectl annotate service app-green-svc -n shop cloud.google.com/app-protocols-"},
		},
		{
			"one protocol by ports of two names", func(s *situation) {
				for _, service := range []*corev1.Service{s.blue(), s.green()} {
					service.Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTP2"}`
				}
				s.green().Spec.Ports[0].Name = "web"
			}, warning("ProtocolsUnlike", greenService, "metadata.annotations[cloud.google.com/app-protocols]"),
			[]string{`"web" here and "http" there`},
		},
		{"the older annotation counts first", func(s *situation) {
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				service.Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTP2"}`
			}
			s.blue().Annotations["service.alpha.kubernetes.io/app-protocols"] = `{"http":"HTTP2"}`
		}, nil, nil},
		{
			"the older annotation of the other colour is to be changed", func(s *situation) {
				s.blue().Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTP2"}`
				s.green().Annotations["service.alpha.kubernetes.io/app-protocols"] = `{"http":"HTTPS"}`
			}, warning("ProtocolsUnlike", greenService, "metadata.annotations[service.alpha.kubernetes.io/app-protocols]"),
			[]string{`--overwrite 'service.alpha.kubernetes.io/app-protocols={"http":"HTTP2"}'`},
		},
		{
			"a colour whose unready pods get requests", func(s *situation) { s.green().Spec.PublishNotReadyAddresses = true },
			warning("FieldsUnlike", greenService, "spec.publishNotReadyAddresses"),
			[]string{
				"true here and false at service app-blue-svc",
				`kubectl patch service app-green-svc -n shop --type merge -p '{"spec":{"publishNotReadyAddresses":false}}'`,
			},
		},
		{"a traffic policy that the nodes do not look at", func(s *situation) {
			s.green().Spec.SessionAffinity, s.green().Spec.ExternalTrafficPolicy = "ClientIP", "Local"
		}, nil, nil},
		{"traffic policies unlike, through the nodes", func(s *situation) {
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				delete(service.Annotations, "cloud.google.com/neg")
				service.Spec.Type = corev1.ServiceTypeNodePort
			}
			s.green().Spec.ExternalTrafficPolicy, s.green().Spec.SessionAffinity = "Local", "ClientIP"
			s.blue().Spec.SessionAffinity = "None"
		}, []found{
			{v1alpha1.SeverityWarning, "Nodes", blueService, negField},
			{v1alpha1.SeverityWarning, "Nodes", greenService, negField},
			{v1alpha1.SeverityWarning, "FieldsUnlike", greenService, "spec.externalTrafficPolicy"},
			{v1alpha1.SeverityWarning, "FieldsUnlike", greenService, "spec.sessionAffinity"},
		}, []string{"only the nodes that run a pod", `{"spec":{"externalTrafficPolicy":"Cluster"}}`, `{"spec":{"sessionAffinity":"None"}}`}},
		{
			"protocols that are not JSON", func(s *situation) { s.green().Annotations["cloud.google.com/app-protocols"] = `http=HTTP2` },
			fault("Protocol", greenService, "metadata.annotations[cloud.google.com/app-protocols]"),
			[]string{"not a JSON map", "correct it"},
		},
		{
			"a colour that takes no requests", func(s *situation) { s.green().Annotations["networking.gke.io/capacity-scaler"] = "0.0" },
			warning("BalancingUnlike", greenService, "metadata.annotations[networking.gke.io/capacity-scaler]"),
			[]string{"is 0.0 here and not set at service app-blue-svc", "networking.gke.io/capacity-scaler-"},
		},
		{
			"a rate of the live colour only", func(s *situation) { s.blue().Annotations["networking.gke.io/max-rate-per-endpoint"] = "100" },
			warning("BalancingUnlike", greenService, "metadata.annotations[networking.gke.io/max-rate-per-endpoint]"),
			[]string{"--overwrite networking.gke.io/max-rate-per-endpoint=100"},
		},
		{"a backendconfig that the controller refuses", func(s *situation) {
			s.facts.Configs["app"].Spec["sessionAffinity"] = map[string]any{"affinityType": "COOKIE"}
		}, []found{
			{v1alpha1.SeverityError, "BackendConfigInvalid", blueService, configField},
			{v1alpha1.SeverityError, "BackendConfigInvalid", greenService, configField},
		}, []string{`"COOKIE"`, "GENERATED_COOKIE"}},
		{"a backendconfig with iap and cdn", func(s *situation) {
			s.facts.Configs["app"].Spec["iap"], s.facts.Configs["app"].Spec["cdn"] = map[string]any{"enabled": true}, map[string]any{"enabled": true}
		}, []found{
			{v1alpha1.SeverityError, "BackendConfigInvalid", blueService, configField},
			{v1alpha1.SeverityError, "BackendConfigInvalid", greenService, configField},
		}, []string{"exclude each other"}},

		// gate.go
		{
			"a gate that asks one of two ports", func(s *situation) {
				s.app.Spec.Gate.HTTP = []v1alpha1.HTTPCheck{{Path: "/livez", Port: 8080}, {Path: "/livez"}}
				for _, service := range []*corev1.Service{s.blue(), s.green()} {
					service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: "admin", Port: 81, TargetPort: intstr.FromString("admin")})
				}
				s.rules(rule("shop.example.com", path("/", "app-blue-svc"), map[string]any{"path": "/admin", "backend": backend("app-blue-svc", 81)}))
			}, warning("GatePort", application, "spec.gate.http[1].port"),
			[]string{
				"ports 8080 and 9000", "asks only 8080",
				`kubectl patch bluegreen app -n shop --type merge -p '{"spec":{"gate":{"http":[{"path":"/livez","port":8080},{"path":"/livez",` +
					`"port":9000}]}}}'`,
			},
		},

		{
			"a gate that asks plain HTTP of TLS, by the protocol", func(s *situation) {
				s.app.Spec.Gate.HTTP = []v1alpha1.HTTPCheck{{Path: "/livez", Scheme: "HTTP"}}
				for _, service := range []*corev1.Service{s.blue(), s.green()} {
					service.Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTP2"}`
				}
			}, warning("GateScheme", application, "spec.gate.http[0].scheme"),
			[]string{"port 8080 of the pods expects TLS", `'{"spec":{"gate":{"http":[{"path":"/livez","scheme":"HTTPS"}]}}}'`},
		},
		{"a gate that asks plain HTTP of TLS, by the probe", func(s *situation) {
			s.elsewhere()
			s.app.Spec.Gate.HTTP = []v1alpha1.HTTPCheck{{Path: "/metrics", Port: 9000}, {Path: "/livez", Port: 8080}}
			s.pod(func(p *corev1.PodSpec) { p.Containers[0].ReadinessProbe.HTTPGet.Scheme = "HTTPS" })
		}, warning("GateScheme", application, "spec.gate.http[1].scheme"), []string{"the readiness probe speaks HTTPS to it"}},
		{"a gate that asks TLS", func(s *situation) {
			s.app.Spec.Gate.HTTP = []v1alpha1.HTTPCheck{{Path: "/livez", Scheme: "HTTPS"}, {Path: "/metrics", Port: 9000}}
			for _, service := range []*corev1.Service{s.blue(), s.green()} {
				service.Annotations["cloud.google.com/app-protocols"] = `{"http":"HTTPS"}`
			}
		}, nil, nil},

		// routes.go
		{
			"two rules for one host", func(s *situation) {
				s.rules(rule("shop.example.com", path("/old", "app-blue-svc")), rule("shop.example.com", path("/", "app-blue-svc")))
			}, warning("Hosts", ingressApp, "spec.rules[0]"),
			[]string{"spec.rules[1] is for the same host as this one, shop.example.com", "only the later one"},
		},
		{"two rules for any host", func(s *situation) {
			s.rules(rule("", path("/old", "app-blue-svc")), rule("", path("/", "app-blue-svc")))
		}, warning("Hosts", ingressApp, "spec.rules[0]"), []string{"this one, any"}},
		{"two rules for one host, ours without effect", func(s *situation) {
			s.rules(rule("shop.example.com", path("/", "app-blue-svc")), rule("shop.example.com", path("/", "admin-svc")))
			s.facts.Services["admin-svc"] = service("admin-svc")
		}, fault("Hosts", ingressApp, "spec.rules[0]"), []string{"kubectl edit ingress app-ingress -n shop"}},
		{"two paths of one rule", func(s *situation) {
			s.rules(rule("shop.example.com", path("/", "app-blue-svc"), path("/a", "app-blue-svc")))
		}, nil, nil},
		{"two rules for one host elsewhere", func(s *situation) {
			s.elsewhere()
			s.rules(rule("shop.example.com", path("/old", "app-blue-svc")), rule("shop.example.com", path("/", "app-blue-svc")))
		}, nil, nil},
		{
			"no class, but a URL map", func(s *situation) { s.ingress.SetAnnotations(map[string]string{"ingress.kubernetes.io/url-map": "um"}) },
			warning("Class", ingressApp, "metadata.annotations[kubernetes.io/ingress.class]"),
			[]string{"kubectl annotate ingress app-ingress -n shop --overwrite kubernetes.io/ingress.class=gce"},
		},
		{"a class that GKE ignores", func(s *situation) {
			s.ingress.SetAnnotations(nil)
			s.facts.Ingress.ClassName = "gce-internal"
		}, warning("Class", ingressApp, "spec.ingressClassName"), []string{"GKE ignores it", "kubernetes.io/ingress.class=gce-internal"}},
		{"another class by its name", func(s *situation) {
			s.ingress.SetAnnotations(nil)
			s.facts.Ingress.ClassName = "nginx"
		}, nil, nil},
		{
			"another ingress uses the other colour", func(s *situation) {
				s.facts.Users = []User{{"preview", "preview.example.com/", v1alpha1.Green}}
			}, fault("TargetInUse", "ingress shop/preview", "spec"),
			[]string{"preview.example.com/", "service app-green-svc, the green side", "kubectl edit ingress preview -n shop"},
		},
		{
			"another ingress uses the live colour", func(s *situation) {
				s.facts.Users = []User{{"legacy", "www.example.com/", v1alpha1.Blue}}
			}, warning("Shared", "ingress shop/legacy", "spec"),
			[]string{"www.example.com/", "service app-blue-svc, which is live", "kubectl edit ingress legacy -n shop"},
		},
		{
			"a standby host that resolves", func(s *situation) {
				s.app.Spec.Ingress.StandbyHost, s.facts.Resolved = "preview.example.com", []string{"192.0.2.1"}
			}, warning("StandbyHost", application, "spec.ingress.standbyHost"),
			[]string{"preview.example.com resolves to 192.0.2.1", "kubectl patch bluegreen app -n shop"},
		},
		{"a standby host that does not resolve", func(s *situation) { s.app.Spec.Ingress.StandbyHost = "preview.internal" }, nil, nil},

		// owners.go
		{
			"Argo CD owns the routes", func(s *situation) { s.wrote("argocd-controller", ownsRules, 1) }, warning("Owner", ingressApp, "spec.rules"),
			[]string{"Argo CD (argocd-controller)", "ignoreDifferences"},
		},
		{"Argo CD owns other fields", func(s *situation) {
			s.wrote("argocd-controller", `{"f:metadata":{"f:labels":{"f:a":{}}},"f:spec":{"f:tls":{}}}`, 1)
		}, nil, nil},
		{
			"Helm owns the routes", func(s *situation) { s.wrote("helm", ownsRules, 1) }, warning("Owner", ingressApp, "spec.rules"),
			[]string{"Helm"},
		},
		{
			"Flux owns the routes", func(s *situation) { s.wrote("kustomize-controller", ownsRules, 1) }, warning("Owner", ingressApp, "spec.rules"),
			[]string{"kustomize.toolkit.fluxcd.io/ssa"},
		},
		{"Argo CD owns the default backend that is ours", func(s *situation) {
			s.ingress.Object["spec"] = map[string]any{"defaultBackend": backend("app-blue-svc", 80)}
			s.wrote("argocd-controller", `{"f:spec":{"f:defaultBackend":{"f:service":{"f:name":{},"f:port":{}}}}}`, 1)
		}, warning("Owner", ingressApp, "spec.defaultBackend"), []string{"Argo CD"}},
		{"Argo CD owns rules that are not ours", func(s *situation) {
			s.ingress.Object["spec"] = map[string]any{"defaultBackend": backend("app-blue-svc", 80)}
			s.wrote("argocd-controller", ownsRules, 1)
		}, nil, nil},
		{"kubectl applied before Turnout came", func(s *situation) { s.wrote("kubectl-client-side-apply", ownsRules, 1) }, nil, nil},
		{"kubectl applied after a switch", func(s *situation) {
			s.wrote("turnout-deployer", `{"f:metadata":{}}`, 1)
			s.wrote("kubectl-client-side-apply", ownsRules, 2)
		}, warning("Owner", ingressApp, "spec.rules"), []string{"kubectl apply wrote the routes after Turnout"}},
		{"kubectl applied before a switch", func(s *situation) {
			s.wrote("kubectl-client-side-apply", ownsRules, 1)
			s.wrote("turnout-deployer", ownsRules, 2)
		}, nil, nil},
		{"an account that cannot be read", func(s *situation) { s.wrote("helm", `{`, 1) }, nil, nil},

		// migrates.go
		{
			"an init container that migrates", func(s *situation) {
				s.pod(func(p *corev1.PodSpec) {
					p.InitContainers = []corev1.Container{{Name: "setup", Command: []string{"python", "manage.py", "migrate", "--noinput"}}}
				})
			}, warning("MigratesAtStart", "deployment shop/app-blue", "spec.template.spec.initContainers[setup].command"),
			[]string{`"manage.py migrate"`, "before the health gate", "spec.migrations.expand"},
		},
		{
			"a server that migrates first", func(s *situation) {
				s.pod(func(p *corev1.PodSpec) {
					p.Containers[0].Command = []string{"sh", "-c"}
					p.Containers[0].Args = []string{"alembic -c prod.ini upgrade head && exec gunicorn app:app"}
				})
			}, warning("MigratesAtStart", "deployment shop/app-blue", "spec.template.spec.containers[app].args"),
			[]string{`"alembic -c prod.ini upgrade"`},
		},
		{"a server that only looks whether it is migrated", func(s *situation) {
			s.pod(func(p *corev1.PodSpec) {
				p.Containers[0].Command = []string{"sh", "-c", "python manage.py showmigrations; python migrate.py; immigrate up"}
			})
		}, nil, nil},
		{"the idle colour migrates, and gets the live template", func(s *situation) {
			t := template("app-green")
			t.Spec.Containers[0].Command = []string{"manage.py", "migrate"}
			s.facts.Templates[v1alpha1.Green] = t
		}, nil, nil},

		// beside.go
		{
			"a ConfigMap that changed", func(s *situation) {
				s.facts.Beside = Beside{Staged: "app-a1", Changed: []string{"settings"}}
			}, warning("ConfigMapChanged", "configmap shop/settings", "data"),
			[]string{"since app-a1 staged deployment app-blue, which is live", "a rollback does not bring back", "configMapGenerator"},
		},
		{
			"a CronJob that runs the image", func(s *situation) {
				s.facts.Beside.Unlisted = []Unlisted{{"cronjob report", "spec.jobTemplate", "shop/app:1"}}
			}, warning("Unlisted", "cronjob shop/report", "spec.jobTemplate"), []string{"shop/app:1", "bluegreen app", "spec.cronJobs"},
		},
		{
			"a Deployment that runs the image", func(s *situation) {
				s.facts.Beside.Unlisted = []Unlisted{{"deployment mail", "spec.template", "shop/app:1"}}
			}, warning("Unlisted", "deployment shop/mail", "spec.template"), []string{"spec.workers"},
		},
		{
			"a Job that runs the image", func(s *situation) {
				s.facts.Beside.Unlisted = []Unlisted{{"job import", "spec.template", "shop/app:1"}}
			}, warning("Unlisted", "job shop/import", "spec.template"), []string{"it ends with the version that it began with"},
		},

		// volumes.go
		{
			"a claim for one pod", func(s *situation) { s.claims(corev1.ReadWriteOncePod) },
			fault("Claim", "deployment shop/app-blue", podField+".volumes[data]"),
			[]string{"persistentvolumeclaim files", "ReadWriteOncePod", "no pod of the other colour starts", "use a claim that is ReadWriteMany"},
		},
		{
			"a claim for one node", func(s *situation) { s.claims(corev1.ReadWriteOnce) },
			warning("Claim", "deployment shop/app-blue", podField+".volumes[data]"),
			[]string{"persistentvolumeclaim files", "one node at a time", "Multi-Attach"},
		},
		{"a claim for all nodes", func(s *situation) { s.claims(corev1.ReadWriteOnce, corev1.ReadWriteMany) }, nil, nil},
		{"a claim that all may read", func(s *situation) { s.claims(corev1.ReadOnlyMany) }, nil, nil},
		{"a claim that was not read", func(s *situation) { s.claims(); s.facts.Claims = nil }, nil, nil},
		{"a claim of one colour", func(s *situation) {
			s.app.Spec.Template = v1alpha1.TemplateOwn
			s.claims(corev1.ReadWriteOncePod)
		}, nil, nil},
		{
			"a claim of both colours' own templates", func(s *situation) {
				s.app.Spec.Template = v1alpha1.TemplateOwn
				s.claims(corev1.ReadWriteOncePod)
				s.facts.Templates[v1alpha1.Green] = Template{Deployment: "app-green", Spec: s.facts.Templates[v1alpha1.Blue].Spec}
			},
			[]found{
				{v1alpha1.SeverityError, "Claim", "deployment shop/app-blue", podField + ".volumes[data]"},
				{v1alpha1.SeverityError, "Claim", "deployment shop/app-green", podField + ".volumes[data]"},
			},
			nil,
		},
		{
			"an empty directory", func(s *situation) {
				s.mounts("/srv/uploads", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
			},
			warning("PodStorage", "deployment shop/app-blue", podField+".volumes[data]"),
			[]string{"goes with the pod", "logs them out", "a bucket"},
		},
		{
			"a claim per pod", func(s *situation) { s.mounts("/srv", corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}) },
			warning("PodStorage", "deployment shop/app-blue", podField+".volumes[data]"),
			[]string{"goes with the pod"},
		},
		{
			"a directory of the node", func(s *situation) { s.mounts("/srv", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}}) },
			warning("PodStorage", "deployment shop/app-blue", podField+".volumes[data]"),
			[]string{"each node has its own"},
		},
		{"an empty directory for temporary files", func(s *situation) {
			s.mounts("/var/cache/app", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
		}, nil, nil},
		{"an empty directory in memory", func(s *situation) {
			s.mounts("/srv", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{Medium: corev1.StorageMediumMemory}})
		}, nil, nil},
		{"an empty directory that no container mounts", func(s *situation) {
			s.mounts("/srv", corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}})
			s.pod(func(p *corev1.PodSpec) { p.Containers[0].VolumeMounts = nil })
		}, nil, nil},
		{"a directory of the node that is only read", func(s *situation) {
			s.mounts("/etc/ssl", corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{}})
			s.pod(func(p *corev1.PodSpec) { p.Containers[0].VolumeMounts[0].ReadOnly = true })
		}, nil, nil},

		// pods.go
		{
			"no preStop", func(s *situation) { s.pod(func(p *corev1.PodSpec) { p.Containers[0].Lifecycle = nil }) },
			warning("PreStop", "deployment shop/app-blue",
				podField+".containers[app].lifecycle.preStop"),
			[]string{"preStop: {sleep: {seconds: 40}}"},
		},
		{
			"no preStop of a colour that is staged anew",
			func(s *situation) { s.facts.Templates[v1alpha1.Green].Spec.Containers[0].Lifecycle = nil }, nil, nil,
		},
		{"no preStop of a colour that keeps its template", func(s *situation) {
			s.app.Spec.Template = v1alpha1.TemplateOwn
			s.facts.Templates[v1alpha1.Green].Spec.Containers[0].Lifecycle = nil
		}, warning("PreStop", "deployment shop/app-green", podField+".containers[app].lifecycle.preStop"), nil},
		{
			"the grace of a default", func(s *situation) { s.pod(func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds = nil }) },
			warning("Grace", "deployment shop/app-blue", podField+".terminationGracePeriodSeconds"),
			[]string{"kills a pod 30s after", "45s of preStop, 1m0s of connection draining", "terminationGracePeriodSeconds: 120"},
		},
		{"a grace just long enough", func(s *situation) {
			s.pod(func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds = new(int64(120)) })
		}, nil, nil},
		{"a grace just too short", func(s *situation) {
			s.pod(func(p *corev1.PodSpec) { p.TerminationGracePeriodSeconds = new(int64(119)) })
		}, warning("Grace", "deployment shop/app-blue", podField+".terminationGracePeriodSeconds"), nil},
		{
			"a preStop by a shell", func(s *situation) {
				s.pod(func(p *corev1.PodSpec) {
					p.Containers[0].Lifecycle.PreStop = &corev1.LifecycleHandler{Exec: &corev1.ExecAction{Command: []string{
						"sh", "-c",
						"touch /tmp/x; sleep 90",
					}}}
				})
			}, warning("Grace", "deployment shop/app-blue", podField+".terminationGracePeriodSeconds"),
			[]string{"1m30s of preStop", "terminationGracePeriodSeconds: 165"},
		},
		{"a container that is not clear", func(s *situation) {
			s.pod(func(p *corev1.PodSpec) { p.Containers = []corev1.Container{{Name: "a"}, {Name: "b"}} })
		}, nil, nil},

		// proof.go
		{
			"no public address", func(s *situation) { s.app.Spec.URL = "" }, warning("Address", application, "spec.url"),
			[]string{"cannot measure switches", "kubectl edit bluegreen app -n shop"},
		},
		{
			"no public address elsewhere", func(s *situation) { s.app.Spec.URL = ""; s.elsewhere() }, warning("Address", application, "spec.url"),
			nil,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := good()
			tt.change(s)
			var got []found
			var text strings.Builder
			for _, f := range s.check() {
				got = append(got, found{f.Severity, f.Reason, f.Object, f.Field})
				text.WriteString(f.Advice().Lines() + "\n")
				expectCommands(t, f)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("findings (-want +got):\n%s%s", diff, text.String())
			}
			for _, part := range tt.says {
				if !strings.Contains(text.String(), part) {
					t.Errorf("the messages are\n%swant in them %q", text.String(), part)
				}
			}
		})
	}
}

func TestErrorsComeFirstAndTheOrderIsStable(t *testing.T) {
	t.Parallel()
	s := good()
	s.app.Spec.URL = ""
	s.facts.Users = []User{{"b", "x/", v1alpha1.Green}, {"a", "x/", v1alpha1.Green}}
	first := s.check()
	slices.Reverse(s.facts.Users)
	if diff := cmp.Diff(first, s.check()); diff != "" {
		t.Errorf("the order depends on the order of the facts:\n%s", diff)
	}
	if len(Errors(first)) != 2 || first[0].Object != "ingress shop/a" || first[2].Severity != v1alpha1.SeverityWarning ||
		len(Warnings(first)) != 1 {
		t.Errorf("the findings are %+v", first)
	}
}
