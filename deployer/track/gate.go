package track

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// GateOutcome is the state of a gate after a round.
type GateOutcome int

// The states of a gate. The zero value is none of them.
const (
	GateAgain  GateOutcome = iota + 1 // run another round, at GateVerdict.At
	GatePassed                        // enough rounds in a row passed
	GateFailed                        // time is up, and the last round was bad
	GateUnseen                        // time is up, and the last round could not check: the world's fault
)

// GateVerdict is the conclusion from the rounds so far.
type GateVerdict struct {
	Outcome  GateOutcome
	At       time.Time          // of the next round, for GateAgain
	Message  string             // for a person
	Waits    *v1alpha1.Waiting  // the same in facts, for GateAgain
	Evidence *v1alpha1.Evidence // for GateFailed
}

// GateWatch is how a gate is watched.
type GateWatch struct {
	Consecutive       int32 // rounds in a row that must pass
	Interval, Timeout time.Duration
}

// GateWatchOf returns how a release's gate is watched. One round is enough if the gate has passed
// before and nothing has contradicted it since.
func GateWatchOf(spec v1alpha1.GateSpec, r *v1alpha1.Release, o Observed) GateWatch {
	w := GateWatch{Consecutive: max(spec.Consecutive, 1), Interval: spec.Interval.Duration, Timeout: spec.Timeout.Duration}
	if st := r.Status.Gate; passedBefore(r, o) && (st == nil || st.Problem == nil) {
		w.Consecutive = 1
	}
	return w
}

// OfReadiness returns the watch for a gate that checks only the pods' readiness. Readiness is
// watched anyway, so another round would show nothing new.
func (w GateWatch) OfReadiness() GateWatch {
	w.Consecutive = 1
	return w
}

// GateLook is one round and what it asked.
type GateLook struct {
	// TemplateHash and Pods of the colour at that time.
	TemplateHash string
	Pods         []Pod
	// Check describes what each pod was asked.
	Check string
	// Passed: every pod answered every check correctly.
	Passed bool
	// Problem is a bad answer, if there was one.
	Problem *v1alpha1.Evidence
	// Unseen is why not every pod could be asked, if nothing bad was seen. It says
	// nothing about the application's health.
	Unseen error
	// StartedAt and EndedAt are the times of the round.
	StartedAt, EndedAt time.Time
}

// NextAt returns when the next round is due: the first one at once.
func (w GateWatch) NextAt(prev *v1alpha1.GateStatus) time.Time {
	if prev == nil || prev.LastRoundAt == nil {
		return time.Time{}
	}
	return prev.LastRoundAt.Add(w.Interval)
}

// Step adds a round to the status; prev is nil before the first. A new template restarts
// everything, including the clock. A new set of pods restarts only the row of passed rounds, so
// that changing pods cannot keep the gate open for ever. Step does not modify its arguments.
func (w GateWatch) Step(prev *v1alpha1.GateStatus, l GateLook) (v1alpha1.GateStatus, GateVerdict) {
	s := gateBooks(prev, l)
	ended := metav1.NewMicroTime(l.EndedAt)
	s.LastRoundAt, s.Check = &ended, l.Check
	switch {
	case l.Passed:
		s.Passed++
		s.Problem = nil
	case l.Problem != nil:
		s.Passed = 0
		s.Problem = l.Problem
	}
	return s, w.judge(s, l)
}

// gateBooks is the status before a round is added.
func gateBooks(prev *v1alpha1.GateStatus, l GateLook) v1alpha1.GateStatus {
	pods := podsAsked(l.Pods)
	if prev == nil || prev.TemplateHash != l.TemplateHash {
		return v1alpha1.GateStatus{StartedAt: metav1.NewMicroTime(l.StartedAt), TemplateHash: l.TemplateHash, Pods: pods}
	}
	s := *prev.DeepCopy()
	if !slices.Equal(s.Pods, pods) {
		s.Passed, s.Pods = 0, pods
	}
	return s
}

// podsAsked returns the pods to ask, as recorded.
func podsAsked(pods []Pod) []string {
	var all []string
	for _, p := range pods {
		if !p.Terminating {
			all = append(all, p.Name)
		}
	}
	slices.Sort(all)
	return v1alpha1.RecordedPods(all)
}

// judge decides from the status after a round.
func (w GateWatch) judge(s v1alpha1.GateStatus, l GateLook) GateVerdict {
	if s.Passed >= w.Consecutive {
		rounds := "1 round"
		if s.Passed > 1 {
			rounds = fmt.Sprintf("%d rounds in a row", s.Passed)
		}
		return GateVerdict{Outcome: GatePassed, Message: fmt.Sprintf("%s: %s passed on %s", s.Check, rounds, count(len(s.Pods), "pod"))}
	}
	next := l.EndedAt.Add(w.Interval)
	if deadline := s.StartedAt.Add(w.Timeout); next.Before(deadline) {
		return GateVerdict{Outcome: GateAgain, At: next, Message: w.again(s, l), Waits: w.waits(s)}
	}
	if l.Unseen != nil {
		return GateVerdict{
			Outcome: GateUnseen,
			Message: fmt.Sprintf("the health gate could not check the pods for %s: %v", w.Timeout, l.Unseen),
		}
	}
	e := cmp.Or(s.Problem, &v1alpha1.Evidence{
		Request: s.Check,
		Message: fmt.Sprintf("only %d of %d rounds in a row passed", s.Passed, w.Consecutive),
	})
	return GateVerdict{
		Outcome: GateFailed, Evidence: e,
		Message: fmt.Sprintf("the health gate did not pass within %s: %s", w.Timeout, shown(e)),
	}
}

// waits is what the gate waits for, as data.
func (w GateWatch) waits(s v1alpha1.GateStatus) *v1alpha1.Waiting {
	waits := &v1alpha1.Waiting{For: v1alpha1.WaitsForGate, Done: s.Passed, Of: w.Consecutive}
	if s.Problem != nil {
		waits.Detail = s.Problem.Message
	}
	return waits
}

// again describes what the gate waits for.
func (w GateWatch) again(s v1alpha1.GateStatus, l GateLook) string {
	if l.Unseen != nil {
		return fmt.Sprintf("could not check the pods: %v", l.Unseen)
	}
	if s.Problem != nil {
		return shown(s.Problem)
	}
	return fmt.Sprintf("%d of %d rounds passed on %s", s.Passed, w.Consecutive, count(len(s.Pods), "pod"))
}

func shown(e *v1alpha1.Evidence) string {
	text := e.Message
	if e.Request != "" {
		text = e.Request + ": " + text
	}
	if e.Pod != "" {
		text = "pod " + e.Pod + ": " + text
	}
	return text
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
