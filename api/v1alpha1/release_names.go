package v1alpha1

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
)

// DeployName returns the deterministic name of the release that deploys a commit:
// <app>-<first 12 of the commit>-<attempt>. Equal requests ask for the same object, so a
// second cause joins the first.
func DeployName(app, commit string, attempt int32) string {
	return fmt.Sprintf("%s-%s-%d", app, commit[:min(12, len(commit))], attempt)
}

// RollbackName returns the deterministic name of the release that takes back another one's
// switch: <app>-rollback-<10 hex digits>, followed by -<attempt> from the second attempt
// on. It is made from the UID of the release that switched, so that each switch is rolled
// back once: two people's /rollback are one, and a further attempt follows only one that
// did not move users back. Up to 99 attempts fit the 63 characters of a label.
func RollbackName(app, switchUID string, attempt int32) string {
	sum := sha256.Sum256([]byte(switchUID))
	name := fmt.Sprintf("%s-rollback-%s", app, hex.EncodeToString(sum[:5]))
	if attempt <= 1 {
		return name
	}
	return fmt.Sprintf("%s-%d", name, attempt)
}

// ContractName returns the deterministic name of the release that runs a commit's contract:
// <app>-contract-<first 10 of the commit>-<attempt>, so no contract runs twice by itself. Up to
// 99 attempts fit the 63 characters of a label.
func ContractName(app, commit string, attempt int32) string {
	return fmt.Sprintf("%s-contract-%s-%d", app, commit[:min(10, len(commit))], attempt)
}

// SameRequest reports whether two releases ask for the same: kind, application, attempt,
// and the full hash of the commit, or both versions of a rollback. Cause, approval and
// cancel do not matter, since a second cause joins an existing release. Neither do size and
// template hash of a version, which are snapshots.
func SameRequest(a, b *Release) bool {
	if a.Namespace != b.Namespace || a.Spec.Kind != b.Spec.Kind || a.Spec.Application != b.Spec.Application {
		return false
	}
	switch a.Spec.Kind {
	case Deploy:
		return a.Spec.Deploy != nil && b.Spec.Deploy != nil &&
			strings.EqualFold(a.Spec.Deploy.Repository, b.Spec.Deploy.Repository) &&
			a.Spec.Deploy.Commit == b.Spec.Deploy.Commit &&
			a.Spec.Deploy.Attempt == b.Spec.Deploy.Attempt
	case Rollback:
		return a.Spec.Rollback != nil && b.Spec.Rollback != nil &&
			a.Spec.Rollback.Switch == b.Spec.Rollback.Switch &&
			max(1, a.Spec.Rollback.Attempt) == max(1, b.Spec.Rollback.Attempt) && // 0 is an unset default
			SameVersion(a.Spec.Rollback.From, b.Spec.Rollback.From) &&
			SameVersion(a.Spec.Rollback.To, b.Spec.Rollback.To)
	case Contract:
		return a.Spec.Contract != nil && b.Spec.Contract != nil &&
			a.Spec.Contract.Commit == b.Spec.Contract.Commit &&
			a.Spec.Contract.Attempt == b.Spec.Contract.Attempt &&
			(a.Spec.Contract.Done == "") == (b.Spec.Contract.Done == "")
	}
	return false
}

// SameVersion reports whether two versions are the same: one image on one colour, from one
// release.
func SameVersion(a, b Version) bool {
	return a.Color == b.Color && a.Image == b.Image && a.Release == b.Release
}
