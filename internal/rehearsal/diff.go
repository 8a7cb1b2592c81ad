package rehearsal

import (
	"fmt"
	"strings"

	"github.com/aymanbagabas/go-udiff"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// added by the API server to each object.
var added = []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp", "selfLink"}

// diffOf is the difference of an object as YAML; before is nil for a new one. Values that a
// program reads, and the value that opens the standby route, may be secrets: they are hidden.
func diffOf(before, after *unstructured.Unstructured) (string, error) {
	was, is := written(before), written(after)
	workload.HideValues(was.Object, is.Object)
	for _, u := range []*unstructured.Unstructured{was, is} {
		if u.GetKind() == route.HTTPRouteKind.Kind && route.IsStandby(u) {
			hideHeaders(u.Object)
		}
	}
	x, err := text(was)
	if err != nil {
		return "", err
	}
	y, err := text(is)
	if err != nil {
		return "", err
	}
	name := strings.ToLower(after.GetKind()) + "/" + after.GetName()
	from := name
	if before == nil {
		from = "/dev/null"
	}
	diff, err := udiff.ToUnified(from, name, x, udiff.Lines(x, y), udiff.DefaultContextLines)
	if err != nil {
		return "", fmt.Errorf("comparing %s: %w", name, err)
	}
	return strings.ReplaceAll(diff, Unbuilt, "(the build's digest)"), nil
}

// written is an object as people write it.
func written(u *unstructured.Unstructured) *unstructured.Unstructured {
	if u == nil {
		return &unstructured.Unstructured{Object: map[string]any{}}
	}
	u = u.DeepCopy()
	for _, field := range added {
		unstructured.RemoveNestedField(u.Object, "metadata", field)
	}
	// A copy of what somebody applied, with all its values.
	unstructured.RemoveNestedField(u.Object, "metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration")
	delete(u.Object, "status")
	if u.GetKind() == "Service" {
		allocated(u.Object)
	}
	return u
}

// allocated removes the addresses and ports of a Service that the API server chooses: in a
// dry run they are nobody's.
func allocated(service map[string]any) {
	spec, _ := service["spec"].(map[string]any)
	if spec["clusterIP"] != "None" {
		delete(spec, "clusterIP")
		delete(spec, "clusterIPs")
	}
	ports, _ := spec["ports"].([]any)
	for _, p := range ports {
		if port, ok := p.(map[string]any); ok {
			delete(port, "nodePort")
		}
	}
}

func text(u *unstructured.Unstructured) (string, error) {
	if len(u.Object) == 0 {
		return "", nil
	}
	out, err := yaml.Marshal(u.Object)
	if err != nil {
		return "", fmt.Errorf("writing %s as YAML: %w", u.GetName(), err)
	}
	return string(out), nil
}

// hideHeaders hides the value of every header that a route matches by.
func hideHeaders(value any) {
	switch v := value.(type) {
	case map[string]any:
		if headers, ok := v["headers"].([]any); ok {
			for _, h := range headers {
				if header, ok := h.(map[string]any); ok {
					header["value"] = "(hidden)"
				}
			}
		}
		for _, e := range v {
			hideHeaders(e)
		}
	case []any:
		for _, e := range v {
			hideHeaders(e)
		}
	}
}
