package deployer

import (
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
	"github.com/turnout-dev/turnout/record"
)

// unusable is why a release would have no verdict from the checks of metrics; zero if it would.
type unusable struct{ reason, message string }

// refusedQuery is why a check's query can never be answered; empty if it can. One that finds nothing may
// find something during a release.
func refusedQuery(c analysis.Check, r analysis.Reading) string {
	if r.Because != v1alpha1.NoVerdictRefused && r.Because != v1alpha1.NoVerdictUnknown {
		return ""
	}
	return "check " + c.Name + ": " + r.Detail
}

// noteUnusable says so where people look first, by a condition. It blocks nothing.
func noteUnusable(w *work, u unusable) {
	if u.reason == "" {
		meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionMetricsUnusable)
		return
	}
	meta.SetStatusCondition(&w.bg.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionMetricsUnusable, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation, Reason: u.reason,
		Message: record.Message("a release would have no verdict from spec.analysis: " + u.message),
	})
}
