package command

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// locking decides about an application's lock. The lock belongs to the application, not to
// its author: everybody with write permission may remove it, and the answer shows whose it
// was.
type locking struct{ s Situation }

// lock keeps releases from moving users until somebody unlocks.
func (k locking) lock() Decision {
	st := k.s.App.Status
	if st.Lock != nil {
		return LockedAlready(k.s, st.Lock)
	}
	if st.UnlockedAt != nil && st.UnlockedAt.After(k.s.Asked) && !k.strange(st.UnlockedAt.Time) {
		// The same comment again, or somebody was faster.
		return refuse(CodeUnlockedSince, Args{Application: k.s.App.Name, At: st.UnlockedAt, Next: []Command{k.s.Command}})
	}
	l := v1alpha1.Lock{
		By: k.s.By, At: metav1.NewTime(k.s.Asked), Cause: k.s.Cause,
		Reason: prose.Characters(k.s.Command.Reason, v1alpha1.MaxLockReason),
	}
	d := answer(CodeLocked, Args{Application: k.s.App.Name, Lock: &l, Next: []Command{k.s.Typed(Unlock), k.s.Typed(Rollback)}})
	d.Lock = &l
	return d.and(k.notHeld()...)
}

// strange reports whether a time that somebody wrote by hand cannot be right: it is in the
// future. It must not keep anybody from locking or unlocking until then.
func (k locking) strange(at time.Time) bool { return at.After(k.s.Now.Add(skew)) }

// skew is how far apart the clocks of two machines may be.
const skew = 5 * time.Minute

// LockedAlready answers a /lock that found a lock.
func LockedAlready(s Situation, l *v1alpha1.Lock) Decision {
	return answer(CodeLockedAlready, Args{Application: s.App.Name, Lock: l, Next: []Command{s.Typed(Unlock)}})
}

// notHeld lists the releases that a lock can no longer stop.
func (k locking) notHeld() []Fact {
	var all []Fact
	for i := range k.s.Releases {
		rel := &k.s.Releases[i]
		m := rel.Status.Milestones
		switch {
		case rel.Spec.Deploy == nil || rel.Status.Phase.Finished() || m.SwitchIntendedAt == nil:
		case undoing(rel):
			all = append(all, Fact{CodeNotHeldTakenBack, Args{Version: versionOf(rel)}})
		case m.ConfirmedAt != nil:
			all = append(all, Fact{CodeNotHeldWatched, Args{Version: versionOf(rel)}})
		default:
			all = append(all, Fact{CodeNotHeldSwitching, Args{Version: versionOf(rel), Next: []Command{k.s.Typed(Rollback)}}})
		}
	}
	return all
}

// unlock lets releases move users again.
func (k locking) unlock() Decision {
	l := k.s.App.Status.Lock
	switch {
	case l == nil:
		return answer(CodeNotLocked, Args{Application: k.s.App.Name})
	case l.At.After(k.s.Asked) && (l.Cause.Kind != v1alpha1.CauseCLI || !k.strange(l.At.Time)):
		return refuse(CodeLockedSince, Args{Application: k.s.App.Name, Lock: l, Next: []Command{k.s.Command}})
	}
	d := Unlocked(k.s, l)
	d.Unlock = l
	return d
}

// Unlocked says whose lock was removed, and what continues now.
func Unlocked(s Situation, was *v1alpha1.Lock) Decision {
	return answer(CodeUnlocked, Args{Application: s.App.Name, Lock: was}).and(locking{s}.goesOn()...)
}

// goesOn lists what waited for the lock.
func (k locking) goesOn() []Fact {
	var all []Fact
	for i := range k.s.Releases {
		rel := &k.s.Releases[i]
		switch {
		case rel.Spec.Deploy == nil || rel.Status.Phase.Finished() || undoing(rel) || rel.Status.Milestones.SwitchIntendedAt != nil:
		case k.s.App.Spec.Promotion.Mode == v1alpha1.PromotionManual && rel.Spec.Approval == nil:
			all = append(all, Fact{CodeGoesOnToApproval, Args{Version: versionOf(rel), Next: []Command{k.s.Typed(Promote)}}})
		default:
			all = append(all, Fact{CodeGoesOn, Args{Version: versionOf(rel)}})
		}
	}
	if len(all) == 0 {
		return []Fact{{Code: CodeNothingWaited}}
	}
	return all
}

// behindLock is the lock that a release waits for, if there is one.
func (s Situation) behindLock() []Fact {
	l := s.App.Status.Lock
	if l == nil {
		return nil
	}
	return []Fact{{CodeBehindLock, Args{Application: s.App.Name, Lock: l, Next: []Command{s.Typed(Unlock)}}}}
}
