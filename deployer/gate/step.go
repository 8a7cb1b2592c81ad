package gate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Outcome is where a gate stands after a round.
type Outcome int

// Where a gate stands. The zero value is none of them.
const (
	Again  Outcome = iota + 1 // make another round, at Verdict.At
	Passed                    // enough rounds in a row passed
	Failed                    // time is up, and the last look was bad
	Unseen                    // time is up, and the last look was none: the world's fault
)

// Verdict is what follows from the rounds so far.
type Verdict struct {
	// Outcome says what follows.
	Outcome Outcome

	// At is when the next round is due, for [Again].
	At time.Time

	// Evidence shows why, for [Failed].
	Evidence *v1alpha1.Evidence

	// Message says it to a person, for every outcome.
	Message string
}

// Look is one round and what was looked at.
type Look struct {
	// TemplateHash and Pods are the colour's as they were asked.
	TemplateHash string
	Pods         []track.Pod

	// Plan that was carried out, and its Result.
	Plan   Plan
	Result Result

	// StartedAt and EndedAt are the round's.
	StartedAt, EndedAt time.Time
}

// NextAt returns when the next round is due: at once for the first.
func NextAt(spec v1alpha1.GateSpec, prev *v1alpha1.GateStatus) time.Time {
	if prev == nil || prev.LastRoundAt == nil {
		return time.Time{}
	}
	return prev.LastRoundAt.Add(spec.Interval.Duration)
}

// Step enters a round into the books: prev is nil before the first. Another
// template starts everything over, the clock included; another set of pods only
// the row of passed rounds, so that pods which come and go cannot keep the gate
// open for ever. It changes nothing but what it returns.
func Step(prev *v1alpha1.GateStatus, spec v1alpha1.GateSpec, l Look) (v1alpha1.GateStatus, Verdict) {
	s := begin(prev, l)
	ended := metav1.NewMicroTime(l.EndedAt)
	s.LastRoundAt, s.Check = &ended, l.Plan.Check
	switch {
	case l.Result.Passed:
		s.Passed++
		s.Problem = nil
	case l.Result.Problem != nil:
		s.Passed = 0
		s.Problem = l.Result.Problem
	}
	return s, judge(s, spec, l)
}

// begin returns the books as they are before a round is entered.
func begin(prev *v1alpha1.GateStatus, l Look) v1alpha1.GateStatus {
	pods := names(l.Pods)
	if prev == nil || prev.TemplateHash != l.TemplateHash {
		return v1alpha1.GateStatus{StartedAt: metav1.NewMicroTime(l.StartedAt), TemplateHash: l.TemplateHash, Pods: pods}
	}
	s := *prev.DeepCopy()
	if !slices.Equal(s.Pods, pods) {
		s.Passed, s.Pods = 0, pods
	}
	return s
}

// names are the pods that are asked, as they are recorded.
func names(pods []track.Pod) []string {
	var all []string
	for _, p := range pods {
		if !p.Terminating {
			all = append(all, p.Name)
		}
	}
	slices.Sort(all)
	return v1alpha1.RecordedPods(all)
}

func judge(s v1alpha1.GateStatus, spec v1alpha1.GateSpec, l Look) Verdict {
	need := max(spec.Consecutive, 1)
	if s.Passed >= need {
		rounds := "1 round"
		if s.Passed > 1 {
			rounds = fmt.Sprintf("%d rounds in a row", s.Passed)
		}
		return Verdict{Outcome: Passed, Message: fmt.Sprintf("%s: %s passed on %s", s.Check, rounds, count(len(s.Pods), "pod"))}
	}
	next := l.EndedAt.Add(spec.Interval.Duration)
	if deadline := s.StartedAt.Add(spec.Timeout.Duration); next.Before(deadline) {
		return Verdict{Outcome: Again, At: next, Message: again(s, need, l)}
	}
	if l.Result.CouldNotLook != nil {
		return Verdict{
			Outcome: Unseen,
			Message: fmt.Sprintf("the health gate could not look for %s: %v", spec.Timeout.Duration, l.Result.CouldNotLook),
		}
	}
	e := cmp.Or(s.Problem, &v1alpha1.Evidence{
		Request: s.Check,
		Message: fmt.Sprintf("only %d of %d rounds in a row passed", s.Passed, need),
	})
	return Verdict{
		Outcome: Failed, Evidence: e,
		Message: fmt.Sprintf("the health gate did not pass within %s: %s", spec.Timeout.Duration, words(e)),
	}
}

// again says what the gate waits for.
func again(s v1alpha1.GateStatus, need int32, l Look) string {
	if l.Result.CouldNotLook != nil {
		return fmt.Sprintf("could not look: %v", l.Result.CouldNotLook)
	}
	if s.Problem != nil {
		return words(s.Problem)
	}
	return fmt.Sprintf("%d of %d rounds passed on %s", s.Passed, need, count(len(s.Pods), "pod"))
}

func words(e *v1alpha1.Evidence) string {
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
