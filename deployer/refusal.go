package deployer

import (
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// claimed reports whether the claim names this release.
func (w *work) claimed(rel *v1alpha1.Release) bool {
	return w.bg.Status.Active != nil && w.bg.Status.Active.UID == string(rel.UID)
}

// refusal is why a release may not run; nil if it may, or if that is not known yet.
func (w *work) refusal(rel *v1alpha1.Release) *fault {
	if rel.Spec.Kind == v1alpha1.Rollback {
		if rel.Status.Milestones.ClaimedAt != nil {
			return nil // it was judged before it began
		}
		_, f := rollbackJudge{w.bg, w.releases}.judgeRollback(rel)
		return f
	}
	if rel.Spec.Contract != nil {
		return w.refuseContract(rel)
	}
	if what := rel.Spec.Deploy; !track.Built(rel) && !strings.EqualFold(what.Repository, w.bg.Spec.Repository) {
		return releaseFault(v1alpha1.FailedRepository,
			"spec.deploy.repository is %s, but bluegreen %s releases only %s (its spec.repository): release a commit of that one",
			what.Repository, w.bg.Name, w.bg.Spec.Repository)
	}
	return nil
}
