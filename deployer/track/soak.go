package track

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// soakTolerance is how long the live pods may be unhealthy before the soak fails. It is
	// longer than replacing the pods of a lost node takes.
	soakTolerance = 30 * time.Second
	// soakReady is the minimum share of ready pods, in percent.
	soakReady = 80
	// SoakRestarts is how many restarts of the live pods' containers during the soak count as a
	// crash loop, as for a starting pod.
	SoakRestarts = 2
	// SoakExtensions is how often a soak is extended if its end could not be observed.
	SoakExtensions = 2
	// soakExtension bounds each extension; a shorter soak is extended by its own length.
	soakExtension = 5 * time.Minute
)

// SoakWatch is how a soak is watched.
type SoakWatch struct {
	Began    time.Time
	Length   time.Duration // 0: not at all
	Interval time.Duration // from one look to the next
}

// SoakLook is one observation of the live colour.
type SoakLook struct {
	At       time.Time
	Restarts int32              // of its containers, ever
	Problem  *v1alpha1.Evidence // the problem, if any
	Unseen   error              // why it could not be checked; no evidence of bad health
}

// SoakOutcome is the state of a soak after a look.
type SoakOutcome int

// The outcomes of a look at a soak.
const (
	SoakAgain   SoakOutcome = iota + 1 // look again, at SoakVerdict.At
	SoakHeld                           // it is over, and nothing is wrong
	SoakFailed                         // it looked bad for too long
	SoakCrashed                        // containers crash
	SoakUnseen                         // it ended unobserved, after all extensions
)

// SoakVerdict is the conclusion from the looks so far.
type SoakVerdict struct {
	Outcome  SoakOutcome
	At       time.Time          // of the next look, for SoakAgain
	Message  string             // for a person
	Waits    *v1alpha1.Waiting  // the same in facts, for SoakAgain
	Evidence *v1alpha1.Evidence // for SoakFailed
}

// end is when the soak is over.
func (w SoakWatch) end(s v1alpha1.SoakStatus) time.Time {
	if s.Until != nil {
		return s.Until.Time
	}
	return w.Began.Add(w.Length)
}

// lastPart is the part at the end of a soak that must contain a successful look.
func (w SoakWatch) lastPart() time.Duration { return min(w.Length/4, soakTolerance) }

// NextAt is when the next look is due. Recording a look wakes the application, which must not
// cause another look at once.
func (w SoakWatch) NextAt(s v1alpha1.SoakStatus) time.Time {
	if s.LastLookAt == nil {
		return time.Time{}
	}
	at := s.LastLookAt.Add(w.Interval)
	if end := w.end(s); end.Before(at) {
		return end
	}
	return at
}

// Step adds a look to the status. The time is the look's.
func (w SoakWatch) Step(prev v1alpha1.SoakStatus, l SoakLook) (v1alpha1.SoakStatus, SoakVerdict) {
	if w.Length == 0 {
		return prev, SoakVerdict{Outcome: SoakHeld, Message: "not watched: spec.soak is 0s"}
	}
	s := *prev.DeepCopy()
	s.Restarts = min(prev.Restarts, l.Restarts) // the count falls when pods are replaced
	now := metav1.NewMicroTime(l.At)
	switch {
	case l.Unseen != nil && s.UnseenSince == nil:
		s.UnseenSince = prev.LastLookAt
		if s.UnseenSince == nil {
			began := metav1.NewMicroTime(w.Began)
			s.UnseenSince = &began
		}
	case l.Unseen != nil:
	case l.Problem == nil:
		s.UnseenSince, s.FailingSince = nil, nil
	case s.FailingSince == nil:
		s.UnseenSince, s.FailingSince = nil, &now
	default:
		s.UnseenSince = nil
	}
	v := w.judge(&s, l)
	if !equality.Semantic.DeepEqual(s, prev) || s.LastLookAt == nil || l.At.Sub(s.LastLookAt.Time) >= w.lastPart()/2 {
		s.LastLookAt = &now
	}
	return s, v
}

// judge decides from the status after a look, and extends a soak that ended unobserved.
func (w SoakWatch) judge(s *v1alpha1.SoakStatus, l SoakLook) SoakVerdict {
	end := w.end(*s)
	over := !l.At.Before(end)
	switch {
	case l.Restarts-s.Restarts >= SoakRestarts:
		return SoakVerdict{Outcome: SoakCrashed, Message: fmt.Sprintf("%d times under live traffic", l.Restarts-s.Restarts)}
	case l.Unseen == nil && l.Problem != nil && l.At.Sub(s.FailingSince.Time) >= soakTolerance:
		return SoakVerdict{
			Outcome: SoakFailed, Evidence: l.Problem,
			Message: fmt.Sprintf("unhealthy under live traffic for %s: %s", soakTolerance, l.Problem.Message),
		}
	case over && l.Unseen == nil && l.Problem == nil,
		over && l.Unseen != nil && s.FailingSince == nil && !s.UnseenSince.Before(&metav1.MicroTime{Time: end.Add(-w.lastPart())}):
		return SoakVerdict{Outcome: SoakHeld, Message: "held under live traffic for " + end.Sub(w.Began).Round(time.Second).String()}
	case over && l.Unseen != nil && s.Extended == SoakExtensions:
		return SoakVerdict{
			Outcome: SoakUnseen,
			Message: fmt.Sprintf("Turnout could not check the live pods since %s, at the end of the soak and of %d extensions: %v",
				Clock(s.UnseenSince.Time), SoakExtensions, l.Unseen),
		}
	case over && l.Unseen != nil:
		until := metav1.NewMicroTime(l.At.Add(min(w.Length, soakExtension)))
		s.Until = &until
		s.Extended++
		end = until.Time
	}
	at := l.At.Add(w.Interval)
	if !over && end.Before(at) {
		at = end
	}
	return SoakVerdict{Outcome: SoakAgain, At: at, Message: soakMessage(*s, end, l), Waits: soakWaits(*s, end, l)}
}

// soakWaits is what a soak waits for, as data.
func soakWaits(s v1alpha1.SoakStatus, end time.Time, l SoakLook) *v1alpha1.Waiting {
	w := WaitsUntil(v1alpha1.WaitsForSoak, "", end)
	switch {
	case l.Unseen != nil:
		w.Because, w.Since, w.Detail = v1alpha1.BecauseUnseen, Stamp(s.UnseenSince.Time), l.Unseen.Error()
	case l.Problem != nil:
		w.Because, w.Since, w.Detail = v1alpha1.BecauseUnhealthy, Stamp(s.FailingSince.Time), l.Problem.Message
	}
	return w
}

// soakMessage describes what a soak waits for.
func soakMessage(s v1alpha1.SoakStatus, end time.Time, l SoakLook) string {
	text := "soaks until " + Clock(end)
	if s.Extended > 0 {
		text += fmt.Sprintf(", extended %d of %d times", s.Extended, SoakExtensions)
	}
	switch {
	case l.Unseen != nil:
		text += fmt.Sprintf("; could not check the live pods since %s: %v", Clock(s.UnseenSince.Time), l.Unseen)
	case l.Problem != nil:
		text += fmt.Sprintf("; unhealthy since %s: %s", Clock(s.FailingSince.Time), l.Problem.Message)
	}
	return text
}

// Holds reports whether a watched colour was found well when it was looked at last, and
// that was not long ago.
func Holds(s v1alpha1.SoakStatus, now time.Time, fresh time.Duration) bool {
	return s.LastLookAt != nil && s.FailingSince == nil && s.UnseenSince == nil && now.Sub(s.LastLookAt.Time) < max(fresh, soakTolerance)
}

// notReady is the reason of such evidence.
const notReady = "NotReady"

// TooFewReady reports that too few pods of a live colour are ready; nil if enough are.
func TooFewReady(s Side) *v1alpha1.Evidence {
	ready := len(s.Ready())
	if ready > 0 && ready*100 >= int(s.Replicas)*soakReady {
		return nil
	}
	return &v1alpha1.Evidence{Reason: notReady, Message: fmt.Sprintf("%d of %d pods of %s are ready", ready, s.Replicas, s.Deployment)}
}
