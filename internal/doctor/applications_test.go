package doctor

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A finding about the application itself names it once.
func TestAPreflightFindingNamesItsApplicationOnce(t *testing.T) {
	t.Parallel()
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"}}
	bg.Status.Conditions = []metav1.Condition{{Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue}}
	bg.Status.Findings = []v1alpha1.Finding{
		{Object: "bluegreen shop/web", Field: "spec.drain", Severity: v1alpha1.SeverityWarning},
		{Object: "service shop/web", Field: "spec.selector", Severity: v1alpha1.SeverityError},
	}
	found := readinessOf(bg)
	if len(found) != 2 || found[0].Object != "bluegreen shop/web" || found[1].Object != "bluegreen shop/web: service shop/web" {
		t.Errorf("the findings are of %+v", found)
	}
}
