package workload

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// object is a Kubernetes object, or a part of one, as the API server sent it.
type object = map[string]any

// ChooseContainer returns the container of a pod template that gets the image: spec.container, or
// the only one. The error names the field to set.
func ChooseContainer(bg *v1alpha1.BlueGreen, names []string) (string, error) {
	want := bg.Spec.Container
	switch {
	case want != "" && slices.Contains(names, want):
		return want, nil
	case want != "":
		return "", fmt.Errorf("BlueGreen %s/%s: spec.container is %s, but the pod template has %s", bg.Namespace, bg.Name, want,
			strings.Join(names, ", "))
	case len(names) == 1:
		return names[0], nil
	}
	return "", fmt.Errorf("BlueGreen %s/%s: spec.container must name the container that gets the image: the pod template has %s", bg.Namespace,
		bg.Name, strings.Join(names, ", "))
}

// recolor rewrites one colour's manifest into the other's.
type recolor struct {
	label    string // spec.colorLabel
	from, to v1alpha1.Color
}

// value swaps the two colours, so references to the own colour and to the other one stay right.
func (r recolor) value(v any) any {
	switch v {
	case string(r.from):
		return string(r.to)
	case string(r.to):
		return string(r.from)
	}
	return v
}

// labels rewrites a map of labels, or of label values to match, in place.
func (r recolor) labels(m object) {
	if v, ok := m[r.label]; ok {
		m[r.label] = r.value(v)
	}
}

// selector rewrites a label selector in place. A list with both colours means both and
// stays.
func (r recolor) selector(s object) {
	r.labels(part(s, "matchLabels"))
	for _, e := range parts(s, "matchExpressions") {
		values, _ := e["values"].([]any)
		if e["key"] != r.label || len(values) != 1 {
			continue
		}
		e["values"] = []any{r.value(values[0])}
	}
}

// scheduling rewrites a pod spec's references to other pods: affinity, anti-affinity and spread.
// Node affinity is about nodes and stays.
func (r recolor) scheduling(podSpec object) {
	for _, kind := range []string{"podAffinity", "podAntiAffinity"} {
		a := part(podSpec, "affinity", kind)
		for _, term := range parts(a, "requiredDuringSchedulingIgnoredDuringExecution") {
			r.selector(part(term, "labelSelector"))
		}
		for _, weighted := range parts(a, "preferredDuringSchedulingIgnoredDuringExecution") {
			r.selector(part(weighted, "podAffinityTerm", "labelSelector"))
		}
	}
	for _, spread := range parts(podSpec, "topologySpreadConstraints") {
		r.selector(part(spread, "labelSelector"))
	}
}

// liveTemplate returns the live Deployment's template for the target. Labels that select the live
// side are replaced with those that select the target, and the colour is rewritten.
func liveTemplate(live, target, targetService object, r recolor) object {
	t := runtime.DeepCopyJSON(part(live, "spec", "template"))
	labels := Ensure(t, "metadata", "labels")
	r.labels(labels)
	for key := range part(live, "spec", "selector", "matchLabels") {
		if key != r.label {
			delete(labels, key)
		}
	}
	maps.Copy(labels, part(targetService, "spec", "selector"))
	maps.Copy(labels, part(target, "spec", "selector", "matchLabels"))
	r.scheduling(part(t, "spec"))
	return t
}

// setVersion sets a release's image and annotations in a template.
func setVersion(t object, container string, q StageRequest) {
	for _, c := range parts(t, "spec", "containers") {
		if c["name"] == container {
			c["image"] = q.Image
		}
	}
	annotations := Ensure(t, "metadata", "annotations")
	annotations[v1alpha1.ReleaseAnnotation] = q.Release
	delete(annotations, v1alpha1.CommitAnnotation)
	if q.Commit != "" {
		annotations[v1alpha1.CommitAnnotation] = q.Commit
	}
}

func containerNames(template object) []string {
	var names []string
	for _, c := range parts(template, "spec", "containers") {
		name, _ := c["name"].(string)
		names = append(names, name)
	}
	return names
}

// part returns the object at a path. If there is none, it returns nil, which reads as
// empty.
func part(o object, path ...string) object {
	for _, key := range path {
		o, _ = o[key].(object)
	}
	return o
}

// parts returns the objects of the list at a path.
func parts(o object, path ...string) []object {
	last := len(path) - 1
	list, _ := part(o, path[:last]...)[path[last]].([]any)
	var all []object
	for _, e := range list {
		if m, ok := e.(object); ok {
			all = append(all, m)
		}
	}
	return all
}

// Ensure returns the object at a path, and creates what is missing on the way.
func Ensure(o object, path ...string) object {
	for _, key := range path {
		next, ok := o[key].(object)
		if !ok {
			next = object{}
			o[key] = next
		}
		o = next
	}
	return o
}

// pick copies the named fields, if present.
func pick(from object, fields ...string) object {
	to := object{}
	for _, f := range fields {
		if v, ok := from[f]; ok {
			to[f] = runtime.DeepCopyJSONValue(v)
		}
	}
	return to
}

// selects reports whether a Service's selector matches a template's labels. Without a
// selector nothing matches: somebody else manages the endpoints.
func selects(service, template object) bool {
	selector, labels := part(service, "spec", "selector"), part(template, "metadata", "labels")
	for key, v := range selector {
		if labels[key] != v {
			return false
		}
	}
	return len(selector) > 0
}
