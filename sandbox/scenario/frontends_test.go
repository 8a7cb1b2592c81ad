package scenario

import (
	"context"
	"net/http"
	"strings"
	"testing"

	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// adoptIngress runs the example with its Ingress changed.
func adoptIngress(t *testing.T, namespace string, change func(*application, *unstructured.Unstructured)) *application {
	t.Helper()
	a := newApplication(t, namespace, sources(t, example))
	a.adopt(map[string]any{"soak": "1s"}, func(u *unstructured.Unstructured) {
		if u.GetKind() == "Ingress" {
			change(a, u)
		}
	})
	return a
}

// annotate adds an annotation.
func annotate(u *unstructured.Unstructured, key, value string) {
	annotations := u.GetAnnotations()
	annotations[key] = value
	u.SetAnnotations(annotations)
}

func TestReleaseBehindAnInternalLoadBalancer(t *testing.T) {
	t.Parallel()
	a := adoptIngress(t, "internal", func(_ *application, u *unstructured.Unstructured) {
		annotate(u, "kubernetes.io/ingress.class", "gce-internal")
	})
	a.awaitAnswer(a.host(), "v1.0.0")
	pr := a.merge("Go inside", map[string]string{"VERSION": "v3.0.0\n"})
	rel := a.follow(pr, "the deploy", in(v1alpha1.ReleaseSucceeded))
	if r := rel.Status.Route; r == nil || r.LoadBalancer != v1alpha1.LoadBalancerGCE {
		t.Errorf("the release's route is %+v", r)
	}
	a.awaitAnswer(a.host(), "v3.0.0")
}

// Over HTTP this Ingress only redirects, so only its URL map for HTTPS shows where users
// are.
func TestReleaseBehindAnIngressThatRedirectsToHTTPS(t *testing.T) {
	t.Parallel()
	a := adoptIngress(t, "secure", func(a *application, u *unstructured.Unstructured) {
		a.create(certificate(t, a.namespace, "shop", a.host()))
		config := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{"redirectToHttps": map[string]any{"enabled": true}}}}
		config.SetAPIVersion("networking.gke.io/v1beta1")
		config.SetKind("FrontendConfig")
		config.SetNamespace(a.namespace)
		config.SetName("shop")
		a.create(config)
		annotate(u, "networking.gke.io/v1beta1.FrontendConfig", "shop")
		set(t, u, []any{map[string]any{"secretName": "shop"}}, "spec", "tls")
	})
	redirected := func(context.Context) (bool, string) {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, running.WebURL+"/", http.NoBody)
		if err != nil {
			return false, err.Error()
		}
		request.Host = a.host()
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			return false, err.Error()
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusMovedPermanently && response.Header.Get("Location") == "https://"+a.host()+"/", response.Status
	}
	a.await("a redirect", redirected)
	pr := a.merge("Go safely", map[string]string{"VERSION": "v3.1.0\n"})
	a.follow(pr, "the deploy", in(v1alpha1.ReleaseSucceeded))
	a.await("a redirect after the deploy", redirected)
	live := func(i *networkingv1.Ingress) string { return i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name }
	if got := live(a.ingress()); !strings.HasSuffix(got, "green-svc") {
		t.Errorf("users are routed to %s", got)
	}
}
