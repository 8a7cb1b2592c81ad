package deployer

import (
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// refuseContract is why a contract may not begin; nil if it may, if it has begun, or if that is not
// known.
func (w *work) refuseContract(rel *v1alpha1.Release) *fault {
	what, s := rel.Spec.Contract, w.bg.Status.Schema
	if what.Done != "" {
		if s != nil && s.Contract != nil && (!s.Contract.Settled() && s.Contract.Outcome != "" || doneBy(s.Contract, rel)) {
			return nil
		}
		return releaseFault(v1alpha1.FailedNoContract, "no contract of bluegreen %s failed or has an unknown outcome, so there is nothing to "+
			"declare done", w.bg.Name)
	}
	if track.Contracts(w.bg, rel) {
		return nil
	}
	if m := w.bg.Spec.Migrations; m == nil || m.Contract == nil {
		return releaseFault(v1alpha1.FailedNoContract, "spec.migrations.contract of bluegreen %s is not set, so there is nothing to run",
			w.bg.Name)
	}
	if w.o.Routes.Live() == "" {
		return nil
	}
	live := version(w.o.Sides[w.o.Routes.Live()])
	if live.Commit == what.Commit && sameDigest(live.Image, what.Image) {
		return nil
	}
	return &fault{
		class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedNotLive, about: about{release: live.Release, commit: live.Commit},
		message: fmt.Sprintf("%s is not live: %s is, and only the contract of the live version runs; the database was not changed",
			v1alpha1.ShortCommit(what.Commit), live.Short()),
	}
}

// doneBy reports whether a release has declared a contract done.
func doneBy(c *v1alpha1.ContractStatus, rel *v1alpha1.Release) bool {
	return c.DoneBy == doneName(rel) && c.Reason == rel.Spec.Contract.Done
}

// doneName names who declares a contract done.
func doneName(rel *v1alpha1.Release) string {
	if by := rel.AskedBy(); by != "" {
		return by
	}
	return "release " + rel.Name
}

// sameDigest reports whether two images are the same, by digest if both have one.
func sameDigest(a, b string) bool {
	_, x, byDigest := strings.Cut(a, "@")
	_, y, also := strings.Cut(b, "@")
	return a == b || byDigest && also && x == y
}
