package record_test

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// durationField is a field of a spec that has a duration.
type durationField struct {
	path []string
	zero bool // 0 differs from unset: an unset field is nil
}

// firstOfList ends the name of a list in the path to a field of its first entry.
const firstOfList = "[0]"

// durationsOf finds the fields of a type that have a duration, whatever the schema says
// about them.
func durationsOf(t reflect.Type, path ...string) []durationField {
	duration := reflect.TypeFor[metav1.Duration]()
	switch {
	case t == duration || t == reflect.PointerTo(duration):
		return []durationField{{path, t != duration}}
	case t.Kind() == reflect.Pointer:
		return durationsOf(t.Elem(), path...)
	case t.Kind() == reflect.Slice && len(path) > 0:
		last := len(path) - 1
		return durationsOf(t.Elem(), append(slices.Clone(path[:last]), path[last]+firstOfList)...)
	case t.Kind() != reflect.Struct:
		return nil
	}
	var found []durationField
	for field := range t.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		found = append(found, durationsOf(field.Type, append(slices.Clone(path), name)...)...)
	}
	return found
}

// withDuration is an application with one duration as somebody typed it, and with the other
// fields that it needs.
func withDuration(t *testing.T, bg *v1alpha1.BlueGreen, value any, path ...string) *unstructured.Unstructured {
	t.Helper()
	u := &unstructured.Unstructured{Object: map[string]any{"spec": map[string]any{
		"repository": bg.Spec.Repository, "build": map[string]any{"project": bg.Spec.Build.Project},
		"gate": map[string]any{"exec": map[string]any{"command": []any{"check"}}},
	}}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BlueGreen"))
	u.SetNamespace(bg.Namespace)
	u.SetGenerateName("duration-")
	if path[0] == "canary" { // of what
		check(t, unstructured.SetNestedField(u.Object, "shop", "spec", "gateway", "route"))
	}
	if path[0] == "migrations" {
		check(t, unstructured.SetNestedStringSlice(u.Object, []string{"migrate"}, "spec", path[0], path[1], "command"))
	}
	for i, part := range slices.Backward(path) {
		if list, ok := strings.CutSuffix(part, firstOfList); ok {
			entry := map[string]any{"weight": int64(5)}
			if list == "workers" {
				entry = map[string]any{"name": "mail", "queue": map[string]any{"exec": map[string]any{"command": []any{"check"}}}}
			}
			check(t, unstructured.SetNestedField(entry, value, path[i+1:]...))
			value = []any{entry}
			path = append(slices.Clone(path[:i]), list)
		}
	}
	check(t, unstructured.SetNestedField(u.Object, value, append([]string{"spec"}, path...)...))
	return u
}

// said returns what a refusal says about a field, and the whole answer.
func said(err error, field string) (ofField []string, all string) {
	var status apierrors.APIStatus
	if !errors.As(err, &status) || !apierrors.IsInvalid(err) {
		return nil, fmt.Sprint(err)
	}
	for _, cause := range status.Status().Details.Causes {
		if cause.Field == field {
			ofField = append(ofField, cause.Message)
		}
	}
	return ofField, err.Error()
}

// internals are words of the validators that do not help people.
var internals = []string{
	"type error", "CEL", "evaluating", "rule:", "matches(", "should match", "duration(", "type conversion",
	"invalid duration",
}

func TestBadDurationIsAnsweredByWhatIsExpected(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	fields := durationsOf(reflect.TypeFor[v1alpha1.BlueGreenSpec]())
	if len(fields) < 15 {
		t.Fatalf("found %d durations in a BlueGreen's spec", len(fields))
	}
	bad := []string{
		"5", "5 minutes", "-5s", "", "1h30", "10000h", "5d", "m", " 5m", "5m ", "5,5s", "1e3s", "1..5s", "PT5M", "0x1s", "--1s", "8760h1ns",
		"999999h", "99999h99999h99999h", "9999999m9999999m9999999m", "9223372036854775807s",
	}
	for _, field := range fields {
		for _, value := range bad {
			expectRefusedDuration(t, bg, field, value)
		}
		if !field.zero {
			expectRefusedDuration(t, bg, field, "0s")
			expectRefusedDuration(t, bg, field, "0")
		}
		// A too long value is not parsed at all.
		if ofField, all := said(kube.Create(t.Context(), withDuration(t, bg, strings.Repeat("9", 33)+"h", field.path...)),
			field.String()); len(ofField) == 0 {
			t.Errorf("%s of 34 characters: the answer is %s", field, all)
		}
	}
}

func (f durationField) String() string { return "spec." + strings.Join(f.path, ".") }

func expectRefusedDuration(t *testing.T, bg *v1alpha1.BlueGreen, field durationField, value string) {
	t.Helper()
	ofField, all := said(kube.Create(t.Context(), withDuration(t, bg, value, field.path...)), field.String())
	if len(ofField) != 1 || !strings.Contains(ofField[0], "must be a duration such as ") {
		t.Errorf("%s: %q: the answer names the field as %q; the whole answer: %s", field, value, ofField, all)
	}
	for _, word := range internals {
		if strings.Contains(all, word) {
			t.Errorf("%s: %q: the answer says %q: %s", field, value, word, all)
		}
	}
}

func TestEveryDurationThatIsWrittenIsTaken(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	for _, field := range durationsOf(reflect.TypeFor[v1alpha1.BlueGreenSpec]()) {
		good := []string{"30s", "1m", "0h0m7s", "1.5s", "0.25m", "00005s"}
		for _, written := range []time.Duration{time.Nanosecond, 1500 * time.Nanosecond, 2500 * time.Microsecond, 59*time.Second + 999999999} {
			good = append(good, written.String())
		}
		if field.zero {
			good = append(good, "0s", "0", "10m")
		}
		for _, value := range good {
			u := withDuration(t, bg, value, field.path...)
			if field.String() == "spec.gate.timeout" { // the times in the gate are shorter
				check(t, unstructured.SetNestedField(u.Object, "1ns", "spec", "gate", "tryTimeout"))
				check(t, unstructured.SetNestedField(u.Object, "1ns", "spec", "gate", "exec", "timeout"))
			}
			if field.path[0] == "analysis" { // of what
				check(t, unstructured.SetNestedField(u.Object, "acme-prod", "spec", "analysis", "google", "project"))
				check(t, unstructured.SetNestedMap(u.Object, map[string]any{}, "spec", "analysis", "errors"))
			}
			if err := kube.Create(t.Context(), u); err != nil {
				t.Errorf("%s: %q is refused: %v", field, value, err)
			}
		}
	}
}

// A year, in any unit.
func TestTheLongestDurationIsAYear(t *testing.T) {
	t.Parallel()
	_, bg := newApplication(t)
	for _, value := range []string{"8760h", "8759h59m59.999999999s", "525600m"} {
		check(t, kube.Create(t.Context(), withDuration(t, bg, value, "hold")))
	}
}

// The test above covers applications; nothing else has durations.
func TestOnlyApplicationsTakeDurations(t *testing.T) {
	t.Parallel()
	for _, spec := range []reflect.Type{reflect.TypeFor[v1alpha1.ReleaseSpec](), reflect.TypeFor[v1alpha1.DeliverySpec]()} {
		if found := durationsOf(spec); len(found) > 0 {
			t.Errorf("%s has the durations %v: test what the API server answers to a bad one", spec, found)
		}
	}
}
