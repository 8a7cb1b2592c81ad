package bot

import (
	"fmt"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A lock belongs to the application, not to who set it: everybody with write
// permission may take it away, and hears whose it was.

// lock: let no release move users until somebody unlocks.
func (s Situation) lock() Decision {
	st, name := s.App.Status, code(s.App.Name)
	if st.Lock != nil {
		return Decision{Answer: s.lockedAlready(st.Lock)}
	}
	if st.UnlockedAt != nil && st.UnlockedAt.After(s.Asked) { // the same comment again, or somebody was faster
		return refuse(fmt.Sprintf("%s was unlocked at %s, after this was written.", name, date(st.UnlockedAt.Time)),
			fmt.Sprintf("If you still mean it, ask again: %s.", code(s.Command.String())))
	}
	l := v1alpha1.Lock{By: s.By, At: metav1.NewTime(s.Asked), Reason: truncate(s.Command.Reason, maxReason), Cause: s.Cause}
	parts := []string{
		fmt.Sprintf("%s is %s.", name, sentence(lockText(&l, plain))),
		fmt.Sprintf("Until %s no release moves users; releases wait, and then go on by themselves. %s works all the same.", s.typed(Unlock),
			s.typed(Rollback)),
	}
	return Decision{Lock: &l, Note: strings.Join(append(parts, s.notHeld()...), " ")}
}

// lockedAlready answers a /lock that found another one.
func (s Situation) lockedAlready(l *v1alpha1.Lock) string {
	return fmt.Sprintf("%s is %s. Nothing was changed; to give another reason, type %s first.", code(s.App.Name), sentence(lockText(l, plain)),
		s.typed(Unlock))
}

// notHeld names the releases that a lock does not stop any more.
func (s Situation) notHeld() []string {
	var lines []string
	for i := range s.Releases {
		rel := &s.Releases[i]
		m := rel.Status.Milestones
		switch {
		case rel.Spec.Deploy == nil || rel.Status.Phase.Finished() || m.SwitchIntendedAt == nil:
		case undoing(rel):
			lines = append(lines, fmt.Sprintf("Users are being taken back from %s right now, which the lock does not stop.", versionOf(rel)))
		case m.ConfirmedAt != nil:
			lines = append(lines, fmt.Sprintf("%s is live already and only watched, which the lock does not stop.", versionOf(rel)))
		default:
			lines = append(lines, fmt.Sprintf("Traffic is being switched to %s right now, which the lock does not stop: %s takes it back.",
				versionOf(rel), s.typed(Rollback)))
		}
	}
	return lines
}

// unlock: let releases move users again.
func (s Situation) unlock() Decision {
	l, name := s.App.Status.Lock, code(s.App.Name)
	switch {
	case l == nil:
		return Decision{Answer: fmt.Sprintf("%s is not locked. Nothing was changed.", name)}
	case l.At.After(s.Asked):
		return refuse(fmt.Sprintf("%s is %s, and that was after this was written.", name, lockText(l, plain)),
			fmt.Sprintf("If you still mean it, ask again: %s.", code(s.Command.String())))
	}
	return Decision{Unlock: l, Note: s.unlocked(l)}
}

// unlocked says whose lock was taken away, and what goes on now.
func (s Situation) unlocked(was *v1alpha1.Lock) string {
	return fmt.Sprintf("%s is unlocked. It was %s. %s", code(s.App.Name), sentence(lockText(was, plain)), s.goesOn())
}

// goesOn says what waited for the lock.
func (s Situation) goesOn() string {
	var lines []string
	for i := range s.Releases {
		rel := &s.Releases[i]
		switch {
		case rel.Spec.Deploy == nil || rel.Status.Phase.Finished() || undoing(rel) || rel.Status.Milestones.SwitchIntendedAt != nil:
		case s.App.Spec.Promotion.Mode == v1alpha1.PromotionManual && rel.Spec.Approval == nil:
			lines = append(lines, fmt.Sprintf("%s goes on, as far as %s.", versionOf(rel), s.typed(Promote)))
		default:
			lines = append(lines, fmt.Sprintf("%s goes on.", versionOf(rel)))
		}
	}
	if len(lines) == 0 {
		return "Nothing waited for it."
	}
	return strings.Join(lines, " ")
}

// behindLock adds, to what is said of a release, that it waits for the lock, if
// there is one.
func (s Situation) behindLock(text string) string {
	l := s.App.Status.Lock
	if l == nil {
		return text
	}
	return fmt.Sprintf("%s %s is %s. %s lets it go on.", text, code(s.App.Name), sentence(lockText(l, plain)), s.typed(Unlock))
}
