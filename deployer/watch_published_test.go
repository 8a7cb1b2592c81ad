package deployer

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// What the bot notes about GitHub wakes no look; everything else does, also if it comes in the same
// event, since a watch may skip versions.
func TestOnlyWhatWasPublishedWakesNoLook(t *testing.T) {
	t.Parallel()
	older := v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "a", ResourceVersion: "1"},
		Status:     v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseQueued},
	}
	publish := func(r *v1alpha1.Release) {
		r.Status.GitHub = &v1alpha1.GitHubStatus{DeploymentID: 7}
		r.ManagedFields = []metav1.ManagedFieldsEntry{{Manager: v1alpha1.BotManager}}
	}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.Release)
		wakes  bool
	}{
		"published":            {publish, false},
		"another phase":        {func(r *v1alpha1.Release) { r.Status.Phase = v1alpha1.ReleaseRunning }, true},
		"approved":             {func(r *v1alpha1.Release) { r.Spec.Approval = &v1alpha1.Approval{By: "alice"} }, true},
		"cancelled, published": {func(r *v1alpha1.Release) { publish(r); r.Spec.Cancel = &v1alpha1.Cancel{By: "alice"} }, true},
		"an annotation":        {func(r *v1alpha1.Release) { r.Annotations = map[string]string{"a": "b"} }, true},
		"deleted":              {func(r *v1alpha1.Release) { now := metav1.Now(); r.DeletionTimestamp = &now }, true},
		"listed again":         {func(r *v1alpha1.Release) { r.ResourceVersion = older.ResourceVersion }, true},
	} {
		newer := older.DeepCopy()
		newer.ResourceVersion = "2"
		tt.change(newer)
		before := older.DeepCopy()
		wasBefore, wasNewer := before.DeepCopy(), newer.DeepCopy()
		if got := moreThanPublished(event.UpdateEvent{ObjectOld: before, ObjectNew: newer}); got != tt.wakes {
			t.Errorf("%s: wakes a look %v, want %v", name, got, tt.wakes)
		}
		if diff := cmp.Diff(wasBefore, before) + cmp.Diff(wasNewer, newer); diff != "" {
			t.Errorf("%s: the cache's object was changed (-was +is):\n%s", name, diff)
		}
	}
}
