package v1alpha1

import "testing"

func TestWhatNobodyVouchesForIsAClaim(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		attestation         Attestation
		actor, claims, want string
	}{
		{CausesAttested, "alice", "", "alice"},
		{"", "alice", "", "alice"},
		{CausesAttested, "ci", "octocat", "ci (claims: octocat)"},
		{CausesAttested, "", "octocat", "claims: octocat"},
		{CausesAttested, "", "", ""},
		{CausesClaimed, "alice", "", "claims: alice"},
		{CausesClaimed, "ci", "octocat", "claims: ci, octocat"},
		{CausesClaimed, "", "", ""},
	} {
		r := &Release{Spec: ReleaseSpec{Cause: Cause{Actor: tt.actor, Claims: tt.claims}}, Status: ReleaseStatus{Attestation: tt.attestation}}
		r.Spec.Approval = &Approval{By: tt.actor, Cause: r.Spec.Cause}
		r.Spec.Cancel = &Cancel{By: tt.actor, Cause: r.Spec.Cause}
		for _, got := range []string{r.AskedBy(), r.ApprovedBy(), r.CancelledBy()} {
			if got != tt.want {
				t.Errorf("%+v is shown as %q", tt, got)
			}
		}
	}
}
