package doctor

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/internal/words"
)

// ClusterChecks are those of the cluster and of the applications in it. With an application
// in scope they are only its own.
func (w *World) ClusterChecks() []Check {
	compare := func(p part) func(context.Context) ([]Finding, error) {
		return func(ctx context.Context) ([]Finding, error) { return w.compare(ctx, p) }
	}
	var all []Check
	if w.Scope.Application == "" {
		if !w.AsTurnout() { // which may not read them
			all = []Check{
				{AreaCluster, "crds", compare(crds)},
				{AreaCluster, "policies", compare(policies)},
				{AreaCluster, "roles", compare(roles)},
				{AreaCluster, "serving", compare(serving)},
			}
		}
		all = append(all, Check{AreaCluster, "rights", w.rights}, Check{AreaCluster, "running", w.running}, Check{AreaCluster, "leader", w.leads})
	}
	return append(all,
		Check{AreaApplications, "grants", w.grants},
		Check{AreaApplications, "controllers", w.controllers},
		Check{AreaApplications, "preflight", w.readiness},
	)
}

// Unasked is a check that could not begin. The owner of one application need not have the
// right that it takes, so for them it is a note.
func Unasked(area Area, name string, err error, scope Scope) Check {
	return Check{area, name, func(context.Context) ([]Finding, error) {
		if scope.Application == "" || !apierrors.IsForbidden(err) {
			return nil, err
		}
		return []Finding{{
			Code: CodeUnchecked, Severity: SeverityNote, Object: string(area) + " " + name, Message: "it was not checked: " + words.Of(err),
		}}, nil
	}}
}
