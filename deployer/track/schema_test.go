package track

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestVersionIsUnprovenIfTheSchemaChangedSinceUsersLeftIt(t *testing.T) {
	t.Parallel()
	change := func(at time.Duration) v1alpha1.SchemaChange {
		return v1alpha1.SchemaChange{Release: "app-" + at.String(), At: metav1.NewTime(epoch.Add(at))}
	}
	for name, c := range map[string]struct {
		of       string
		expanded []v1alpha1.SchemaChange
		want     string
	}{
		"no change":          {"switch", nil, ""},
		"its own, before":    {"switch", []v1alpha1.SchemaChange{change(-time.Minute)}, ""},
		"one since":          {"switch", []v1alpha1.SchemaChange{change(-time.Minute), change(time.Minute)}, "app-1m0s"},
		"of another switch":  {"other", []v1alpha1.SchemaChange{change(time.Minute)}, ""},
		"not a rollback":     {"", []v1alpha1.SchemaChange{change(time.Minute)}, ""},
		"at the same second": {"switch", []v1alpha1.SchemaChange{change(0)}, ""},
	} {
		bg, rel := &v1alpha1.BlueGreen{}, &v1alpha1.Release{}
		bg.Status.LastSwitch = &v1alpha1.SwitchRecord{UID: "switch", At: metav1.NewTime(epoch)}
		bg.Status.Schema = &v1alpha1.SchemaStatus{Expanded: c.expanded}
		if c.of != "" {
			rel.Spec.Rollback = &v1alpha1.RollbackSpec{Switch: c.of}
		}
		got := ""
		if change := Unproven(bg, rel); change != nil {
			got = change.Release
		}
		if got != c.want {
			t.Errorf("%s: unproven because of %q, want %q", name, got, c.want)
		}
	}
}
