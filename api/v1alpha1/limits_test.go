package v1alpha1

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// schemaOf is the generated schema of a kind, or of the field at path.
func schemaOf(t *testing.T, kinds, path string) apiextensionsv1.JSONSchemaProps {
	t.Helper()
	data, err := os.ReadFile("../../config/crd/turnout.dev_" + kinds + ".yaml")
	if err != nil {
		t.Fatal(err)
	}
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.Unmarshal(data, &crd); err != nil {
		t.Fatal(err)
	}
	if n := len(crd.Spec.Versions); n != 1 {
		t.Fatalf("the schema of %s has %d versions", kinds, n)
	}
	s := *crd.Spec.Versions[0].Schema.OpenAPIV3Schema
	for name := range strings.SplitSeq(path, ".") {
		next, found := s.Properties[name]
		if !found {
			t.Fatalf("%s has no field %s", kinds, path)
		}
		s = next
	}
	return s
}

func TestTheSchemaHasTheSameLimits(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		kinds, path string
		want        int64
	}{
		{"bluegreens", "status.lock.reason", MaxLockReason},
		{"deliveries", "spec.delivery", MaxDeliveryID},
		{"deliveries", "spec.event", MaxDeliveryEvent},
		{"deliveries", "spec.push.actor", MaxDeliveryLogin},
		{"deliveries", "spec.comment.author", MaxDeliveryLogin},
		{"deliveries", "spec.push.url", MaxDeliveryURL},
		{"deliveries", "spec.comment.url", MaxDeliveryURL},
		{"deliveries", "spec.comment.body", MaxCommentBody},
		{"deliveries", "status.error", MaxDeliveryError},
		{"deliveries", "status.executed", MaxExecuted},
	} {
		switch got := schemaOf(t, tt.kinds, tt.path).MaxLength; {
		case got == nil:
			t.Errorf("the schema of %s has no maxLength at %s, want %d", tt.kinds, tt.path, tt.want)
		case *got != tt.want:
			t.Errorf("the schema of %s has maxLength %d at %s, want %d", tt.kinds, *got, tt.path, tt.want)
		}
	}
}

// A new phase must be either final, or one that a delivery or release leaves again.
func TestEveryPhaseOfTheSchemaIsFinalOrNot(t *testing.T) {
	t.Parallel()
	phases := func(kinds string) []string {
		var all []string
		for _, v := range schemaOf(t, kinds, "status.phase").Enum {
			all = append(all, strings.Trim(string(v.Raw), `"`))
		}
		return slices.Sorted(slices.Values(all))
	}
	releases := []string{string(ReleaseQueued), string(ReleaseRunning), string(ReleaseWaiting), string(ReleaseUndoing)}
	for _, p := range FinalPhases() {
		releases = append(releases, string(p))
	}
	deliveries := []string{string(DeliveryPending)}
	for _, p := range FinalDeliveryPhases() {
		deliveries = append(deliveries, string(p))
	}
	slices.Sort(releases)
	slices.Sort(deliveries)
	if diff := cmp.Diff(releases, phases("releases")) + cmp.Diff(deliveries, phases("deliveries")); diff != "" {
		t.Errorf("the phases (-known +schema):\n%s", diff)
	}
}
