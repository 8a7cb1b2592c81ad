package route

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func greenService(annotations map[string]string) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Name: "app-green-svc", Annotations: annotations},
		Spec:       corev1.ServiceSpec{Ports: []corev1.ServicePort{{Name: "http", Port: 80, NodePort: 30080}, {Name: "admin", Port: 81}}},
	}
}

func TestGroupsOfAService(t *testing.T) {
	const published = `{"network_endpoint_groups":{"80":"k8s1-80","9090":"k8s1-9090"},"zones":["us-central1-b"]}`
	const enabled = `{"ingress": true, "exposed_ports": {"9090": {}}}`
	tests := []struct {
		name        string
		annotations map[string]string
		backends    string
		want        []track.Group
	}{
		{
			"named, in the routes and healthy",
			map[string]string{negAnnotation: enabled, negStatusAnnotation: published},
			`{"k8s1-80":"HEALTHY","k8s1-9090":"HEALTHY"}`,
			[]track.Group{{Port: 80, Region: "us-central1", Name: "k8s1-80", Backend: "k8s1-80", Routed: true, State: "HEALTHY"}},
		},
		{
			"named before the NEG is made",
			map[string]string{negAnnotation: enabled, negStatusAnnotation: published},
			`{"k8s1-other":"HEALTHY"}`,
			[]track.Group{{Port: 80, Region: "us-central1", Name: "k8s1-80", Backend: "k8s1-80"}},
		},
		{"not named yet", map[string]string{negAnnotation: enabled}, `{"":"HEALTHY"}`, []track.Group{{Port: 80}}},
		{"a status that cannot be read", map[string]string{negAnnotation: enabled, negStatusAnnotation: "{"}, `{}`, []track.Group{{Port: 80}}},
		{
			"by the nodes", nil, `{"k8s-be-30080--cluster":"HEALTHY","k8s-be-3008--cluster":"Unknown"}`,
			[]track.Group{{Port: 80, Name: "k8s-be-30080--cluster", Backend: "k8s-be-30080--cluster", Routed: true, State: "HEALTHY"}},
		},
		{
			"a broken annotation of the ingress",
			map[string]string{negAnnotation: enabled, negStatusAnnotation: published},
			`[`,
			[]track.Group{{Port: 80, Region: "us-central1", Name: "k8s1-80", Backend: "k8s1-80"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ingress := parse(t, shared)
			annotations := ingress.GetAnnotations()
			annotations[classAnnotation], annotations[backendsAnnotation] = "gce", tt.backends
			ingress.SetAnnotations(annotations)
			got := groupsOf(greenService(tt.annotations), Read(application("app"), ingress))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("groups (-want +got):\n%s", diff)
			}
		})
	}
	// Port 81 of another Service does not count, and neither does a port that this one lacks.
	other := parse(t, strings.NewReplacer("web-green-svc, port: {number: 80}", "web-green-svc, port: {number: 81}",
		"app-green-svc, port: {name: http}", "app-green-svc, port: {number: 82}").Replace(shared))
	if got := groupsOf(greenService(nil), Read(application("app"), other)); len(got) != 1 || got[0].Port != 80 {
		t.Errorf("NEGs of ports that the Service lacks: %v", got)
	}
	both := parse(t, strings.Replace(shared, "app-green-svc, port: {name: http}", "app-green-svc, port: {number: 81}", 1))
	if got := groupsOf(greenService(nil), Read(application("app"), both)); len(got) != 2 || got[0].Port != 80 || got[1].Port != 81 {
		t.Errorf("NEGs of two ports: %v", got)
	}
	if got := groupsOf(greenService(nil), Read(application("none"), parse(t, header+"metadata: {name: x, uid: '1'}\nspec: {}"))); got != nil {
		t.Errorf("a Service that nothing refers to has the NEGs %v", got)
	}
}

func TestBackendOfAnEndpointGroupIsNamedLikeItOrByItsHash(t *testing.T) {
	const neg, external = "k8s1-2a39cd2c-shop-my-python-app-blue-svc-80-4bac609d", "k8s1-2a39cd2c-e-shop-my-python-app-blue-sv-80-4bac609d"
	for _, tt := range []struct {
		name   string
		states map[string]string
		want   string
	}{
		{"nothing is known", nil, neg},
		{"gce and gce-internal", map[string]string{neg: "HEALTHY", external: "Unknown"}, neg},
		{"gce-regional-external", map[string]string{external: "HEALTHY"}, external},
		{"another Service's", map[string]string{"k8s1-2a39cd2c-e-shop-my-python-app-blue-sv-80-00000000": "HEALTHY"}, neg},
		{"another cluster's", map[string]string{"k8s1-00000000-e-shop-my-python-app-blue-sv-80-4bac609d": "HEALTHY"}, neg},
		{"a namespace e", map[string]string{"k8s1-2a39cd2c-f-blue-80-4bac609d": "HEALTHY"}, neg},
	} {
		if got := backendOf(neg, tt.states); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestServiceUsesNEGsIfItSaysSo(t *testing.T) {
	for annotation, want := range map[string]bool{
		`{"ingress": true}`: true, `{"ingress": false}`: false, `{"exposed_ports": {"80": {}}}`: false, "": false, `{"ingress": true`: false,
		`{"ingress": true, "ingress": 1}`: false,
	} {
		if got := UsesNEGs(greenService(map[string]string{negAnnotation: annotation})); got != want {
			t.Errorf("%s: uses NEGs is %v", annotation, got)
		}
	}
}

func TestTroubleOfAnEndpointGroup(t *testing.T) {
	const object = "apiVersion: networking.gke.io/v1beta1\nkind: ServiceNetworkEndpointGroup\nmetadata: {name: k8s1-80}\n"
	const good = `{type: Initialized, status: "True", reason: NegInitializationSuccessful, message: ""}`
	tests := []struct{ name, status, want string }{
		{"just made", "", "Initialized does not exist yet"},
		{"initialized only", "status: {networkEndpointGroups: [{id: a}], conditions: [" + good + "]}", "Synced does not exist yet"},
		{"failing", `status: {networkEndpointGroups: [{id: a}], conditions: [` + good +
			`, {type: Synced, status: "False", reason: NegSyncFailed, message: googleapi 403}]}`, "Synced is False: NegSyncFailed googleapi 403"},
		{"in no zone", `status: {conditions: [` + good + `, {type: Synced, status: "True"}]}`, "in no zone"},
		{"not to be read", `status: {conditions: "none"}`, "cannot be read"},
		{"in step", `status: {networkEndpointGroups: [{id: a}], conditions: [` + good + `, {type: Synced, status: "True"}]}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := troubleOf(parse(t, object+tt.status))
			if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("trouble %q, want %q", got, tt.want)
			}
		})
	}
}

// unreadable is a reader that returns an error for every object.
type unreadable struct {
	client.Reader
	err error
}

func (u unreadable) Get(_ context.Context, key client.ObjectKey, object client.Object, _ ...client.GetOption) error {
	if kind := object.GetObjectKind().GroupVersionKind(); kind != svcNegKind || key.String() != "shop/k8s1-80" {
		return fmt.Errorf("asked for %s %s", kind, key)
	}
	return u.err
}

func TestEndpointGroupWhoseObjectCannotBeRead(t *testing.T) {
	resource := schema.GroupResource{Group: svcNegKind.Group, Resource: "servicenetworkendpointgroups"}
	tests := []struct {
		name string
		err  error
		want string
	}{
		{"no such kind", &meta.NoKindMatchError{GroupKind: svcNegKind.GroupKind()}, ""},
		{"not allowed", apierrors.NewForbidden(resource, "k8s1-80", errors.New("no RBAC policy matched")), ""},
		{"not there", apierrors.NewNotFound(resource, "k8s1-80"), "does not exist yet"},
		{
			"a broken server", apierrors.NewInternalError(errors.New("conversion webhook failed")),
			"could not be read: Internal error occurred: conversion webhook failed",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &Router{Reader: unreadable{err: tt.err}}
			got := r.negTrouble(t.Context(), "shop", "k8s1-80")
			if !strings.Contains(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("trouble %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDetachPatch(t *testing.T) {
	app := application("app")
	forget := "\n" + `{"op":"remove","path":"/metadata/annotations/standby.turnout.dev~1app"}`
	s := Read(app, parse(t, shared))
	if diff := cmp.Diff(`{"op":"remove","path":"/spec/rules/1"}`+forget, changes(t, s, DetachPatch(app, s, v1alpha1.Green))); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
	if ops := DetachPatch(app, s, v1alpha1.Blue); ops != nil {
		t.Errorf("the patch that detaches the live colour is %v", ops)
	}
	// Somebody has put their own paths under our host: they stay, and so does the host.
	text := strings.Replace(shared, "{path: /turnout-port-http,",
		"{path: /x, backend: {service: {name: x-svc, port: {number: 80}}}}, {path: /turnout-port-http,", 1)
	s = Read(app, parse(t, text))
	want := `{"op":"remove","path":"/spec/rules/1/http/paths/2"}` + "\n" + `{"op":"remove","path":"/spec/rules/1/http/paths/0"}`
	if diff := cmp.Diff(want, changes(t, s, DetachPatch(app, s, v1alpha1.Green))); diff != "" {
		t.Errorf("the patch of a shared rule (-want +got):\n%s", diff)
	}
}

func TestMigratePatch(t *testing.T) {
	app := application("app")
	app.Spec.Ingress.StandbyHost = "standby.example.com"
	s := Read(app, parse(t, shared))
	ops, err := MigratePatch(app, s)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"op":"replace","path":"/spec/rules/1/host","value":"standby.example.com"}
{"op":"add","path":"/metadata/annotations/standby.turnout.dev~1app","value":"standby.example.com"}`
	if diff := cmp.Diff(want, changes(t, s, ops)); diff != "" {
		t.Errorf("the patch (-want +got):\n%s", diff)
	}
	app.Spec.Ingress.StandbyHost = "a.example.com"
	if ops, err := MigratePatch(app, Read(app, parse(t, shared))); err == nil {
		t.Errorf("a host of another application: %v, %v", ops, err)
	}
	for name, bg := range map[string]*v1alpha1.BlueGreen{"nothing is attached": application("none"), "it has the host": application("app")} {
		if ops, err := MigratePatch(bg, Read(bg, parse(t, shared))); ops != nil || err != nil {
			t.Errorf("%s, and it is patched by %v, %v", name, ops, err)
		}
	}
}
