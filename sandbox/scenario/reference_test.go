package scenario

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/cert"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	blueService  = "my-python-app-blue-svc"
	greenService = "my-python-app-green-svc"
	image        = "gcr.io/your-gcp-project-id/my-python-app"
)

// others are other teams' hosts, paths and certificate in the same Ingress. Turnout must
// leave them alone. Their Services and their Secret must exist: with one of them missing,
// Google's load balancer ignores the whole Ingress.
const others = `{
	"metadata": {"annotations": {"team.example.com/owner": "platform"}, "labels": {"tier": "edge"}},
	"spec": {
		"tls": [{"hosts": ["admin.example.com"], "secretName": "admin-tls"}],
		"rules": [
			{"http": {"paths": [
				{"path": "/static", "pathType": "Exact", "backend": {"service": {"name": "static-svc", "port": {"name": "web"}}}},
				{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "my-python-app-blue-svc", "port": {"number": 80}}}},
				{"path": "/api/v2/*", "pathType": "ImplementationSpecific", "backend": {"service": {"name": "api-svc", "port": {"number": 8081}}}}
			]}},
			{"host": "admin.example.com", "http": {"paths": [
				{"path": "/", "pathType": "Prefix", "backend": {"service": {"name": "admin-svc", "port": {"number": 9000}}}}
			]}}
		]
	}}`

// adoptReference runs the reference application unchanged, with others in its Ingress and
// a BlueGreen of two fields.
func adoptReference(t *testing.T) *application {
	t.Helper()
	a := newApplication(t, "reference", sources(t, reference))
	a.apply(reference, nil)
	for name, port := range map[string]corev1.ServicePort{
		"static-svc": {Name: "web", Port: 80}, "api-svc": {Port: 8081}, "admin-svc": {Port: 9000},
	} {
		a.create(&corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name},
			Spec:       corev1.ServiceSpec{Selector: map[string]string{"app": name}, Ports: []corev1.ServicePort{port}},
		})
	}
	a.create(certificate(t, a.namespace, "admin-tls", "admin.example.com"))
	if err := running.kube.Patch(t.Context(), a.ingress(), client.RawPatch(types.MergePatchType, []byte(others))); err != nil {
		t.Fatal(err)
	}
	a.handOver(name, "your-gcp-project-id", nil)
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitAnswer("", "Hello World from v1.0.0 in production")
	return a
}

// certificate is a Secret with a TLS certificate for a host.
func certificate(t *testing.T, namespace, name, host string) *corev1.Secret {
	t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey(host, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key},
	}
}

// switched is the spec of an Ingress after a switch: the users' path leads to another
// Service, and Turnout's standby rule leads to the one that they left.
func switched(t *testing.T, in *networkingv1.Ingress, from, to, standby string) *networkingv1.IngressSpec {
	t.Helper()
	want := in.Spec.DeepCopy()
	want.Rules[0].HTTP.Paths[1].Backend.Service.Name = to
	prefix := networkingv1.PathTypePrefix
	want.Rules = append(want.Rules, networkingv1.IngressRule{Host: standby, IngressRuleValue: networkingv1.IngressRuleValue{
		HTTP: &networkingv1.HTTPIngressRuleValue{Paths: []networkingv1.HTTPIngressPath{{
			Path: "/", PathType: &prefix, Backend: networkingv1.IngressBackend{
				Service: &networkingv1.IngressServiceBackend{Name: from, Port: networkingv1.ServiceBackendPort{Number: 80}},
			},
		}}},
	}})
	return want
}

// sameBytes compares two specs as JSON.
func sameBytes(t *testing.T, when string, want, got *networkingv1.IngressSpec) {
	t.Helper()
	var texts [2]string
	for i, spec := range []*networkingv1.IngressSpec{want, got} {
		text, err := json.MarshalIndent(spec, "", " ")
		if err != nil {
			t.Fatal(err)
		}
		texts[i] = string(text)
	}
	if diff := cmp.Diff(strings.Split(texts[0], "\n"), strings.Split(texts[1], "\n")); diff != "" {
		t.Errorf("the Ingress's spec %s (-want +got):\n%s", when, diff)
	}
}

func TestReferenceApplicationUnchangedGoesThroughMergeSwitchAndRollback(t *testing.T) {
	t.Parallel()
	a := adoptReference(t)
	before := a.ingress()
	pr := a.merge("Greet more kindly", map[string]string{"VERSION": "v1.2.0\n"})
	rel := a.follow(pr, "the confirmed switch and the soak", func(rel *v1alpha1.Release) bool {
		return rel.Status.Milestones.ConfirmedAt != nil && rel.Status.Step == v1alpha1.StepSoak
	})
	a.awaitAnswer("", "Hello World from v1.2.0 in production")
	checkStaged(t, a, rel)
	standby := a.blueGreen().StandbyHost()
	after := a.ingress()
	sameBytes(t, "after the switch", switched(t, before, blueService, greenService, standby), &after.Spec)
	for key, value := range before.Annotations {
		// The load balancer's controller writes its own annotations.
		if !strings.HasPrefix(key, "ingress.kubernetes.io/") && after.Annotations[key] != value {
			t.Errorf("the Ingress's annotation %s is %q, was %q", key, after.Annotations[key], value)
		}
	}
	if diff := cmp.Diff(before.Labels, after.Labels); diff != "" {
		t.Errorf("the Ingress's labels (-before +after):\n%s", diff)
	}
	states := a.awaitDeployment(pr.MergeCommit(), "in_progress")
	if slices.Contains(states, "success") {
		t.Errorf("the deployment was reported as a success before the soak of 5 minutes ended: %v", states)
	}
	a.awaitComment(pr.Number, "watched under live traffic")
	if metric(t, `turnout_switches_total{application="my-python-app",kind="Deploy",namespace="reference"}`) != 1 {
		t.Error("turnout_switches_total does not count the switch")
	}

	a.comment(pr.Number, running.writer, "/rollback")
	a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer("", "Hello World from v1.0.0 in production")
	a.follow(pr, "the deploy to be superseded by the rollback", in(v1alpha1.ReleaseSuperseded))
	back := a.ingress()
	sameBytes(t, "after the rollback", switched(t, before, greenService, blueService, standby), &back.Spec)
	a.awaitDeployment(pr.MergeCommit(), "inactive")
	a.awaitComment(pr.Number, "rolled back")
	for _, series := range []string{
		`turnout_switches_total{application="my-python-app",kind="Rollback",namespace="reference"}`,
		`turnout_releases_total{application="my-python-app",kind="Deploy",namespace="reference",phase="Superseded"}`,
		`turnout_releases_total{application="my-python-app",kind="Rollback",namespace="reference",phase="Succeeded"}`,
	} {
		a.await(series+" to be 1", func(context.Context) (bool, string) {
			value := metric(t, series)
			return value == 1, fmt.Sprint(value)
		})
	}
}

// checkStaged checks that green runs the built image, by digest, with blue's environment
// and size.
func checkStaged(t *testing.T, a *application, rel *v1alpha1.Release) {
	t.Helper()
	green := &appsv1.Deployment{}
	if err := running.kube.Get(t.Context(), a.key("my-python-app-green"), green); err != nil {
		t.Fatal(err)
	}
	app := green.Spec.Template.Spec.Containers[0]
	if !strings.HasPrefix(app.Image, image+"@sha256:") || app.Image != rel.Status.Milestones.Built.Image {
		t.Errorf("green's image is %s, want the built %s", app.Image, rel.Status.Milestones.Built.Image)
	}
	if _, _, err := running.Registry.Pull(app.Image); err != nil {
		t.Errorf("the registry does not have green's image: %v", err)
	}
	want := []corev1.EnvVar{{Name: "APP_ENV", Value: "production"}}
	if diff := cmp.Diff(want, app.Env); diff != "" {
		t.Errorf("green's environment (-want +got):\n%s", diff)
	}
	if *green.Spec.Replicas != 3 || green.Status.AvailableReplicas != 3 {
		t.Errorf("green has %d replicas, %d available; blue has 3", *green.Spec.Replicas, green.Status.AvailableReplicas)
	}
}
