package main

import (
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// of is an object of a kind that these tests have no type for.
func of(group, kind string) *unstructured.Unstructured {
	u := &unstructured.Unstructured{}
	u.SetGroupVersionKind(schema.GroupVersionKind{Group: group, Version: "v1", Kind: kind})
	return u
}

var (
	aCertificate = of("networking.gke.io", "ManagedCertificate")
	aGateway     = of("gateway.networking.k8s.io", "Gateway")
	aRoute       = of("gateway.networking.k8s.io", "HTTPRoute")
	aPolicy      = of("networking.gke.io", "HealthCheckPolicy")
)

func TestInstallExposesTheWebhookByAnIngress(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, "testdata/gke")
	install := "install --image " + first
	c.run(exitTrouble, install+" --webhook-gateway", "for --webhook-host")
	c.run(exitTrouble, install+" --webhook-address turnout", "for --webhook-host")
	c.run(exitTrouble, install+" --webhook-host https://turnout.acme.com/webhook", "the name alone is turnout.acme.com")
	c.run(exitTrouble, install+" --namespaces shop --only cluster-wide --webhook-host turnout.acme.com", "--only namespaced")
	c.run(exitTrouble, install+" --webhook-host turnout.acme.com --webhook-gateway", "no kind Gateway.gateway.networking.k8s.io",
		"--gateway-api=standard", "Nothing was applied")
	if c.has(&corev1.Namespace{}, "", "turnout") {
		t.Fatal("a refused install wrote")
	}
	c.run(exitSuccess, install+" --webhook-host turnout.acme.com --webhook-address reserved", "managedcertificate turnout/turnout created\n",
		"ingress turnout/turnout created\n", "1. Let turnout.acme.com lead to the address", "kubectl -n turnout get ingress turnout",
		"kubectl -n turnout get managedcertificate turnout", "2. Register the App")
	ingress := &networkingv1.Ingress{}
	if !c.has(ingress, "turnout", "turnout") || ingress.Spec.Rules[0].Host != "turnout.acme.com" ||
		ingress.Annotations["kubernetes.io/ingress.global-static-ip-name"] != "reserved" ||
		ingress.Annotations["networking.gke.io/managed-certificates"] != "turnout" {
		t.Errorf("the Ingress is %+v", ingress)
	}
	service := &corev1.Service{}
	if !c.has(service, "turnout", "turnout-webhook") || ingress.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name != service.Name ||
		service.Annotations["cloud.google.com/backend-config"] != `{"default": "turnout"}` {
		t.Errorf("the Service is %+v", service)
	}
	certificate := aCertificate.DeepCopy()
	c.has(certificate, "turnout", "turnout")
	domains, _, _ := unstructured.NestedStringSlice(certificate.Object, "spec", "domains")
	if !slices.Equal(domains, []string{"turnout.acme.com"}) {
		t.Errorf("the certificate is for %v", domains)
	}
	// An upgrade that does not name a host leaves it; another host is shown.
	if said := c.run(exitSuccess, "install --upgrade --image "+first); strings.Contains(said, "ingress ") {
		t.Errorf("an upgrade without a host prints\n%s", said)
	}
	c.run(exitSuccess, "install --upgrade --webhook-host hooks.acme.com --image "+first, "ingress turnout/turnout changed\n",
		"spec.rules[0].host: turnout.acme.com → hooks.acme.com")
	c.run(exitSuccess, "uninstall", "ingress turnout/turnout deleted\n", "managedcertificate turnout/turnout deleted\n")
	if c.has(&networkingv1.Ingress{}, "turnout", "turnout") || c.has(&corev1.Service{}, "turnout", "turnout-webhook") ||
		c.has(aCertificate.DeepCopy(), "turnout", "turnout") {
		t.Error("the uninstall left the webhook's Ingress or certificate")
	}
	// What a person made stays.
	own := &networkingv1.Ingress{ObjectMeta: metav1.ObjectMeta{Namespace: "turnout", Name: "turnout"}, Spec: ingress.Spec}
	check(t, c.admin.Create(t.Context(), own))
	c.run(exitSuccess, "uninstall", "Turnout is removed")
	if !c.has(&networkingv1.Ingress{}, "turnout", "turnout") {
		t.Error("the uninstall deleted an Ingress that a person made")
	}
}

func TestInstallExposesTheWebhookByAGateway(t *testing.T) {
	t.Parallel()
	c := newClusterOf(t, "testdata/gke", "../../deployer/testdata/gateway")
	c.run(exitSuccess, "install --webhook-host turnout.acme.com --webhook-gateway --webhook-address reserved --image "+first,
		"gateway turnout/turnout created\n", "httproute turnout/turnout created\n", "healthcheckpolicy turnout/turnout created\n",
		"gcloud compute ssl-certificates create turnout --global --domains=turnout.acme.com", "kubectl -n turnout get gateway turnout")
	gateway, route := aGateway.DeepCopy(), aRoute.DeepCopy()
	c.has(gateway, "turnout", "turnout")
	c.has(route, "turnout", "turnout")
	address, _, _ := unstructured.NestedSlice(gateway.Object, "spec", "addresses")
	hosts, _, _ := unstructured.NestedStringSlice(route.Object, "spec", "hostnames")
	if len(address) != 1 || address[0].(map[string]any)["value"] != "reserved" || len(hosts) != 1 || hosts[0] != "turnout.acme.com" {
		t.Errorf("the Gateway has the addresses %v, the route the hosts %v", address, hosts)
	}
	c.run(exitSuccess, "uninstall", "gateway turnout/turnout deleted\n", "httproute turnout/turnout deleted\n",
		"healthcheckpolicy turnout/turnout deleted\n")
	if c.has(aPolicy.DeepCopy(), "turnout", "turnout") {
		t.Error("the uninstall left the policy")
	}
}

func TestInstallOutsideOfGKEExposesNothing(t *testing.T) {
	t.Parallel()
	c := newEmptyCluster(t)
	c.run(exitTrouble, "install --webhook-host turnout.acme.com --image "+first, "no kind BackendConfig.cloud.google.com",
		"leave the flag out", "Nothing was applied")
	c.run(exitSuccess, "install --image "+first, "1. Expose port 80 of the Service turnout/turnout", "--webhook-host HOST")
	if !c.has(&appsv1.Deployment{}, "turnout", "turnout") {
		t.Error("there is no Deployment")
	}
}
