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
	if s := m.Staged; s == nil || moved(r, o) || m.SwitchedAt != nil || !o.Target.DeploymentExists {
		return "", false
	} else if o.Target.Image != s.Image {
		return "deployment " + o.Target.Deployment + " was changed by someone else: it now runs " + o.Target.Image + ", this release staged " +
			s.Image, true
	} else if o.Target.TemplateHash != "" && o.Target.TemplateHash != s.TemplateHash {
		return "deployment " + o.Target.Deployment + " was changed by someone else: its pod template is no longer the one that this release " +
			"staged", true
	}
	return "", false
}

// Unsettled reports whether the target has a pod template that its Deployment's controller has not
// seen yet, after the release staged one. Somebody else wrote that, so nothing may be written over
// it; [Interference] says so once its ReplicaSet exists. If somebody deleted the ReplicaSet
// instead, it comes back as it was.
func Unsettled(r *v1alpha1.Release, o Observed) bool {
	return r.Status.Milestones.Staged != nil && o.Target.DeploymentExists && o.Target.TemplateHash == ""
}
