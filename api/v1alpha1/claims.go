package v1alpha1

// AskedBy names who asked for a release. If nobody vouches for the name, it is shown as a
// claim.
func (r *Release) AskedBy() string { return r.Vouched(r.Spec.Cause.Actor, r.Spec.Cause) }

// ApprovedBy names who approved a release, or "".
func (r *Release) ApprovedBy() string {
	if r.Spec.Approval == nil {
		return ""
	}
	return r.Vouched(r.Spec.Approval.By, r.Spec.Approval.Cause)
}

// CancelledBy names who cancelled a release, or "".
func (r *Release) CancelledBy() string {
	if r.Spec.Cancel == nil {
		return ""
	}
	return r.Vouched(r.Spec.Cancel.By, r.Spec.Cancel.Cause)
}

// Claimed reports whether anybody who may write releases could have written this
// one's causes.
func (r *Release) Claimed() bool { return r.Status.Attestation == CausesClaimed }

// Vouched names somebody from a release's cause: "alice"; with their own claims, "ci
// (claims: alice)"; and "claims: alice" if nobody checked who wrote it.
func (r *Release) Vouched(name string, c Cause) string {
	switch {
	case r.Claimed() && name != "" && c.Claims != "":
		return "claims: " + name + ", " + c.Claims
	case r.Claimed() && name+c.Claims != "":
		return "claims: " + name + c.Claims
	case name != "" && c.Claims != "":
		return name + " (claims: " + c.Claims + ")"
	case c.Claims != "":
		return "claims: " + c.Claims
	}
	return name
}
