package config

import (
	"fmt"
	"net/url"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/validation"
	"sigs.k8s.io/kustomize/api/types"
)

// webhookHost stands for the host in config/webhook.
const webhookHost = "turnout.example.com"

// Webhook is how GitHub's webhooks reach Turnout on GKE: an Ingress, or a Gateway, with a
// certificate that Google issues and renews.
type Webhook struct {
	// Host is the name under which GitHub reaches Turnout, such as turnout.example.com.
	Host string
	// Gateway makes a Gateway and an HTTPRoute instead of an Ingress. Its certificate is the
	// project's one called turnout, which somebody creates.
	Gateway bool
	// Address is the name of a reserved global address; empty lets Google choose an address.
	Address string
}

// Objects are the objects of config/webhook for that host, in an order to apply them. It fails if
// the host is not a domain name.
func (w Webhook) Objects() ([]*unstructured.Unstructured, error) {
	if problems := validation.IsDNS1123Subdomain(w.Host); len(problems) > 0 || !strings.Contains(w.Host, ".") {
		hint := ""
		if u, err := url.Parse(w.Host); err == nil && u.Hostname() != "" {
			hint = "; the name alone is " + u.Hostname()
		}
		return nil, fmt.Errorf("host %q: give a domain name, such as %s%s", w.Host, webhookHost, hint)
	}
	file := "ingress.yaml"
	if w.Gateway {
		file = "gateway.yaml"
	}
	objects, err := build(types.Kustomization{
		Namespace: Namespace, Resources: []string{"../config/webhook/" + file}, Labels: labels,
	})
	if err != nil {
		return nil, err
	}
	for _, object := range objects {
		object.Object = named(object.Object, w.Host).(map[string]any)
		if err := w.address(object); err != nil {
			return nil, err
		}
	}
	return objects, nil
}

// address gives an object its reserved address.
func (w Webhook) address(object *unstructured.Unstructured) error {
	switch kind := object.GetKind(); {
	case w.Address == "":
	case kind == "Ingress":
		annotations := object.GetAnnotations()
		annotations["kubernetes.io/ingress.global-static-ip-name"] = w.Address
		object.SetAnnotations(annotations)
	case kind == "Gateway":
		addresses := []any{map[string]any{"type": "NamedAddress", "value": w.Address}}
		if err := unstructured.SetNestedSlice(object.Object, addresses, "spec", "addresses"); err != nil {
			return fmt.Errorf("config/webhook: the Gateway's address: %w", err)
		}
	}
	return nil
}

// named puts the host in the place of the one in config/webhook.
func named(value any, host string) any {
	switch v := value.(type) {
	case map[string]any:
		for key := range v {
			v[key] = named(v[key], host)
		}
	case []any:
		for i := range v {
			v[i] = named(v[i], host)
		}
	case string:
		if v == webhookHost {
			return host
		}
	}
	return value
}
