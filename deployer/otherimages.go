package deployer

import (
	"errors"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// errForgotten says that nobody knows what something ran at a version. No attempt changes that.
var errForgotten = errors.New("it is not recorded which image it ran at that version")

// besideOf are the images to remember at the claim: those that an undo brings back or, of a
// rollback, those of the version that users return to. What cannot be recorded is left out: no pod
// can run it.
func besideOf(a *attempt, live v1alpha1.Color) []v1alpha1.BesideImage {
	if r := a.rel.Spec.Rollback; r != nil {
		return track.BackBeside(a.bg, r, a.releases)
	}
	var kept []v1alpha1.BesideImage
	for _, b := range track.RanBeside(a.o, live, version(a.o.Sides[live]).Image) {
		if record.IsName(b.Image, record.ImageLimit) && len(kept) < v1alpha1.MaxOtherImages {
			kept = append(kept, b)
		}
	}
	return kept
}

// notBuilt is the fault of a release whose build made no image that the spec names since.
func notBuilt(a *attempt, b track.Beside) *fault {
	built := a.rel.Status.Milestones.Built
	return releaseFault(v1alpha1.FailedNoDigest,
		"%s is %s since this release was built, and its build made %s: correct the field, or list the image under images in cloudbuild.yaml; "+
			"the next release builds it", b.Field, b.Repository, strings.Join(append([]string{built.Image}, built.Images...), ", "))
}
