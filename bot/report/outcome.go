package report

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// outcome shows what a release means for users.
type outcome struct{ v view }

// text is the line below the headline: what it means for users, or what it waits for.
func (o outcome) text() string {
	text := o.plainly()
	if text == "" {
		return ""
	}
	return withCommands("**"+upperFirst(text)+"**", o.v.waitCommands())
}

func (o outcome) plainly() string {
	if lock := o.v.lock(); lock != nil {
		return lockText(lock, plain)
	}
	st := o.v.rel.Status
	switch st.Phase {
	case v1alpha1.ReleaseSuperseded:
		if !Moved(o.v.rel) {
			return "" // its successor's comment and the end of this one say more
		}
		if o.v.replaced != nil {
			return o.movedOn()
		}
		if f := st.Failure; f != nil && f.Reason == v1alpha1.FailedRolledBack {
			return "users have it until the rollback takes them back"
		}
		return o.consequence()
	case v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseUndoing:
		return o.consequence()
	case v1alpha1.ReleaseWaiting, v1alpha1.ReleaseQueued, "":
		return o.v.waiting(maxAdvice)
	case v1alpha1.ReleaseSucceeded:
		if back := o.v.broughtBack(); back != nil {
			return fmt.Sprintf("users were brought back to it from %s at %s",
				code(back.Spec.Rollback.From.Short()), date(back.Status.Milestones.SwitchedAt.Time))
		}
		if o.v.replaced != nil {
			return o.movedOn()
		}
	case v1alpha1.ReleaseRunning:
		if s := st.Soak; s != nil && s.Extended > 0 && st.Step == v1alpha1.StepSoak {
			return unseen(s)
		}
		if len(st.Commands) > 0 { // somebody has to act
			return o.v.waiting(maxAdvice)
		}
	}
	return ""
}

// movedOn says which version users have now.
func (o outcome) movedOn() string {
	to := o.v.of(o.v.replaced)
	how := "moved on"
	if to.rollback() {
		how = "brought back"
	}
	return fmt.Sprintf("users were %s to %s at %s", how, code(to.short()), date(to.rel.Status.Milestones.SwitchedAt.Time))
}

// unseen says why a soak takes longer than planned.
func unseen(s *v1alpha1.SoakStatus) string {
	text := "the pods could not be checked when the soak should have ended, so it was extended"
	if s.Extended > 1 {
		text += fmt.Sprintf(", %d times", s.Extended)
	}
	if s.UnseenSince != nil {
		text += "; they have not been seen since " + clock(s.UnseenSince.Time) + " UTC"
	}
	return text
}

// consequence says which version users have after a release that did not succeed.
func (o outcome) consequence() string {
	m := o.v.rel.Status.Milestones
	back := m.RestoredAt != nil && m.SwitchedAt != nil // else users had never left
	previous := ""
	if p := o.v.previous(); p != nil {
		previous = fmt.Sprintf(": %s stays live on %s", code(p.Short()), p.Color)
		if back {
			previous = fmt.Sprintf(": %s is live on %s again", code(p.Short()), p.Color)
		}
	}
	switch {
	case back:
		return "traffic went back" + previous
	case m.KeptAt != nil && m.SwitchedAt != nil:
		return fmt.Sprintf("traffic stays on %s: the version before could not take it", o.v.target())
	case m.SwitchedAt != nil && o.v.rel.Status.Phase == v1alpha1.ReleaseUndoing:
		return "traffic goes back as soon as the version before can take it"
	case m.SwitchedAt != nil:
		return fmt.Sprintf("traffic stays on %s", o.v.target())
	case o.v.rel.Divides():
		if m.KeptAt != nil || interference(o.v.rel) {
			return "users stay divided between both versions: somebody else changed the weights"
		}
		if m.WithdrawnAt != nil {
			return "some users have seen it, and went back" + previous
		}
		return "some users have seen it, and go back" + previous
	case m.SwitchIntendedAt != nil && m.RestoredAt == nil:
		return "the switch was under way, look at the Ingress or HTTPRoute"
	case interference(o.v.rel):
		return "users were not moved by this release"
	case o.v.rollback():
		return "users were not moved" + previous
	}
	return "users never saw it" + previous
}
