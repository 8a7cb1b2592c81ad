package gclb

import (
	"encoding/json"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/util/cert"
)

// made counts the resources that the controllers have created for this test, by scope/collection.
func (r *rig) made() map[string]int {
	r.balancer.compute.mu.Lock()
	defer r.balancer.compute.mu.Unlock()
	all := map[string]int{}
	for _, o := range r.balancer.compute.resources {
		if strings.Contains(o.name, r.namespace) {
			all[o.scope+"/"+o.collection]++
		}
	}
	return all
}

// secure creates a certificate for the Ingress, and a FrontendConfig that redirects.
func (r *rig) secure() {
	r.t.Helper()
	chain, key, err := cert.GenerateSelfSignedCertKey(r.host, nil, nil)
	r.check(err)
	_, err = real.Clients.CoreV1().Secrets(r.namespace).Create(r.t.Context(), &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{Name: "shop"}, Type: corev1.SecretTypeTLS,
		Data: map[string][]byte{corev1.TLSCertKey: chain, corev1.TLSPrivateKeyKey: key},
	}, metav1.CreateOptions{})
	r.check(err)
	config := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"redirectToHttps": map[string]any{"enabled": true}}}}
	config.SetAPIVersion("networking.gke.io/v1beta1")
	config.SetKind("FrontendConfig")
	config.SetName("shop")
	kind := schema.GroupVersionResource{Group: "networking.gke.io", Version: "v1beta1", Resource: "frontendconfigs"}
	_, err = custom().Resource(kind).Namespace(r.namespace).Create(r.t.Context(), config, metav1.CreateOptions{})
	r.check(err)
}

func TestIngressWithACertificateHasBothProxiesAndRedirectsIfAsked(t *testing.T) {
	r := shop(t, true)
	r.secure()
	r.patchIngress(`[{"op":"add","path":"/spec/tls","value":[{"secretName":"shop"}]}]`)
	r.await("both proxies", func() bool {
		m := r.made()
		return m["global/targetHttpProxies"] == 1 && m["global/targetHttpsProxies"] == 1 && m["global/forwardingRules"] == 2
	})
	if status, body := r.get(); status != http.StatusOK || body != "blue" {
		t.Errorf("over HTTP the answer is %d %s", status, body)
	}
	r.patchIngress(`[{"op":"add","path":"/metadata/annotations/networking.gke.io~1v1beta1.FrontendConfig","value":"shop"}]`)
	client := http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	r.await("a redirect", func() bool { status, _ := r.ask(&client, r.host, "/"); return status == http.StatusMovedPermanently })

	// HTTPS leads to the same URL map as before, and a switch changes nothing else.
	switched := time.Now()
	r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
	urlMap := r.annotation(urlMapAnnotation)
	r.await("the switch", func() bool { _, err := r.diary.find(switched, "url map set", urlMap); return err == nil })
	r.await("its target", func() bool {
		r.balancer.compute.mu.Lock()
		defer r.balancer.compute.mu.Unlock()
		m := readURLMap(r.balancer.compute.find(place{"global", "urlMaps", urlMap}))
		return m.route(r.host, "/") == "global/backendServices/"+r.names["green"]
	})
	if found, err := r.diary.find(switched, "target proxy ", r.namespace); err == nil {
		t.Errorf("the switch touched a proxy: %s", found.text)
	}
}

func TestInternalIngressIsRegional(t *testing.T) {
	r := share(t)
	for _, color := range []string{"blue", "green"} {
		r.service(color)
		r.deploy(color, 1, "")
	}
	r.class = "gce-internal"
	r.ingress(r.users("blue"), r.standby())
	const region = "regions/us-central1"
	name := func(color string) string { return region + "/backendServices/" + r.backend(color) }
	leadsTo := func(color string) bool {
		m := r.balancer.fleet.frontEnds[2].adopted.Load().mapFor(r.host)
		return m != nil && m.route(r.host, "/") == name(color)
	}
	r.await("users on blue", func() bool { return leadsTo("blue") })
	r.await("an answer", func() bool { status, body := r.get(); return status == http.StatusOK && body == "blue" })
	r.await("both colours healthy", func() bool { return r.countOf(name("blue")) == "1/1" && r.countOf(name("green")) == "1/1" })
	made := r.made()
	for _, collection := range []string{"backendServices", "healthChecks", "urlMaps", "targetHttpProxies", "forwardingRules"} {
		if made[region+"/"+collection] == 0 || made["global/"+collection] > 0 {
			t.Errorf("%s: %d in the region, %d global; want none global", collection, made[region+"/"+collection],
				made["global/"+collection])
		}
	}
	switched := time.Now()
	r.patchIngress("[" + route(0, "green") + "," + route(1, "blue") + "]")
	r.await("the switch", func() bool { return leadsTo("green") })
	r.inOrder(switched, []string{"url map set", r.namespace, "=1/1"})
	r.await("its event", func() bool {
		return slices.ContainsFunc(r.events("shop", corev1.EventTypeNormal, eventSync),
			func(m string) bool { return strings.HasSuffix(m, "updated") })
	})
}

func TestBackendsOfARegionalExternalIngressHaveOtherNamesThanTheirNEGs(t *testing.T) {
	r := start(t, Config{Flags: []string{"--enable-ingress-regional-external"}})
	r.service("blue")
	r.deploy("blue", 1, "")
	r.class = "gce-regional-external"
	r.ingress(r.users("blue"))
	r.await("its backends", func() bool { return r.annotation(backendsAnnotation) != "" })
	neg := r.backend("blue")
	cluster, hash := neg[:len("k8s1-01234567")], neg[strings.LastIndex(neg, "-"):]
	var states map[string]string
	r.check(json.Unmarshal([]byte(r.annotation(backendsAnnotation)), &states))
	named := func(name string) bool { return strings.HasPrefix(name, cluster+"-e-") && strings.HasSuffix(name, hash) }
	if names := slices.Collect(maps.Keys(states)); !slices.ContainsFunc(names, named) || slices.Contains(names, neg) {
		t.Errorf("the NEG is %s, the backends are %v", neg, names)
	}
}
