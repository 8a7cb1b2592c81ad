package deployer

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// turns are a release's calls outside the cluster.
type turns struct {
	calls *calls
}

// turnOf is the turn of a step of this release. A release without the claim, or with a rollback
// waiting for it, does not wait for answers.
func (t turns) turnOf(a *attempt, s v1alpha1.Step) *turn {
	wait := patience
	if a.bg.Status.Active != nil && !a.holdsClaim() || a.rollbackWaits() {
		wait = haste
	}
	return t.calls.turn(client.ObjectKeyFromObject(a.bg), turnKey{release: string(a.rel.UID), step: s}, wait)
}

// holdsClaim reports whether the claim names this release.
func (a *attempt) holdsClaim() bool {
	c := a.bg.Status.Active
	return c != nil && c.UID == string(a.rel.UID)
}

// rollbackWaits reports whether a rollback waits for this deploy to end.
func (a *attempt) rollbackWaits() bool {
	_, rollbacks := a.waiting(a.rel)
	return a.rel.Spec.Kind == v1alpha1.Deploy && len(rollbacks) > 0
}
