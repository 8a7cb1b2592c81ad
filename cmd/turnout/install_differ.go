package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// differ lists the fields in which an object differs, each with its old and new value, as
// far as somebody wrote them.
func differ(before, after *unstructured.Unstructured) []string {
	var all []string
	compare(&all, "", declared(before), declared(after))
	return all
}

// declared is an object without the fields that the API server adds.
func declared(object *unstructured.Unstructured) map[string]any {
	object = object.DeepCopy()
	for _, field := range []string{"managedFields", "resourceVersion", "generation", "uid", "creationTimestamp"} {
		unstructured.RemoveNestedField(object.Object, "metadata", field)
	}
	delete(object.Object, "status")
	return object.Object
}

// longestValue is how much of a value is shown.
const longestValue = 60

func compare(all *[]string, path string, before, after any) {
	was, wasMap := before.(map[string]any)
	is, isMap := after.(map[string]any)
	if wasMap && isMap {
		keys := maps.Clone(was)
		maps.Copy(keys, is)
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			compare(all, strings.TrimPrefix(path+"."+key, "."), was[key], is[key])
		}
		return
	}
	wasList, wasIs := before.([]any)
	isList, isIs := after.([]any)
	if wasIs && isIs && len(wasList) == len(isList) {
		for i := range wasList {
			compare(all, fmt.Sprintf("%s[%d]", path, i), wasList[i], isList[i])
		}
		return
	}
	if b, a := written(before), written(after); b != a {
		*all = append(*all, fmt.Sprintf("%s: %s → %s", path, cut(b, longestValue), cut(a, longestValue)))
	}
}

// written is a value on one line.
func written(value any) string {
	if value == nil {
		return "(none)"
	}
	text, err := yaml.Marshal(value)
	if err != nil { // decoded YAML can be encoded again
		return fmt.Sprint(value)
	}
	return oneLine(strings.TrimSpace(string(text)))
}
