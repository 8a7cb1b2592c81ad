package main

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A version that was adopted has no commit: its short name is not one, and is not cut like one.
func TestARollbackToWhatWasAdoptedNamesIt(t *testing.T) {
	t.Parallel()
	for image, want := range map[string]string{
		"gcr.io/acme/shop@sha256:f33a8923694e0000000000000000000000000000000000000000000000000000": "users have sha256:f33a8923694e",
		"gcr.io/acme/shop:release-2026": "users have release-2026",
	} {
		to := v1alpha1.Version{Image: image, Color: v1alpha1.Blue}
		rel := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Rollback: &v1alpha1.RollbackSpec{To: to}}}
		rel.Status.Phase, rel.Status.Version = v1alpha1.ReleaseSucceeded, to.Short()
		if got := stands(rel); got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
}
