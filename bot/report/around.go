package report

import "github.com/turnout-dev/turnout/api/v1alpha1"

// broughtBack returns the last rollback that moved users, if it moved them back to this
// release; else nil.
func (v view) broughtBack() *v1alpha1.Release {
	if v.rollback() || v.replaced == nil {
		return nil
	}
	last := v.replaced
	for i := range v.around.Releases {
		other := &v.around.Releases[i]
		if tookUsers(other) && last.Status.Milestones.SwitchedAt.Before(other.Status.Milestones.SwitchedAt) {
			last = other
		}
	}
	if r := last.Spec.Rollback; r != nil && r.To.Release == v.rel.Name {
		return last
	}
	return nil
}
