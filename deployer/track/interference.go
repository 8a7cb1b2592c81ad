package track

import "github.com/turnout-dev/turnout/api/v1alpha1"

// Interference reports what someone else changed during a release: its routes, or what it staged.
// Humans win: the release stops and changes nothing.
func Interference(r *v1alpha1.Release, o Observed) (message string, found bool) {
	m := r.Status.Milestones
	if m.Target == "" || r.Status.Failure != nil {
		return "", false
	}
	live := o.Routes.Live()
	switch {
	case !o.Routes.Exists:
		return o.Routes.String() + " is gone", true
	case live == "":
		return o.Routes.String() + " no longer routes users to one colour alone", true
	case foreignShare(r, o):
		return o.Routes.String() + " was given other weights by someone else", true
	case m.SwitchIntendedAt == nil && live == m.Target:
		return o.Routes.String() + " was switched to " + string(m.Target) + " by someone else before this release did", true
	case m.SwitchedAt != nil && live != m.Target:
		return o.Routes.String() + " was switched away from " + string(m.Target) + " by someone else", true
	}
	if s := m.Staged; s != nil && !moved(r, o) && m.SwitchedAt == nil && o.Target.TemplateHash != "" &&
		(o.Target.TemplateHash != s.TemplateHash || o.Target.Image != s.Image) {
		return "deployment " + o.Target.Deployment + " was changed by someone else: it now runs " + o.Target.Image + ", this release staged " +
			s.Image, true
	}
	return "", false
}
