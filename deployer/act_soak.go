package deployer

import (
	"context"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// soakTolerance is how long the live pods may look bad before the soak has
	// failed: longer than a node takes to be replaced by another pod's readiness.
	soakTolerance = 30 * time.Second
	// soakReady is the least share of pods that must be ready, in percent.
	soakReady = 80
	// soakRestarts is how many restarts of the live pods' containers during the
	// soak are a crash loop, as for a pod that starts.
	soakRestarts = 2
	// soakExtensions is how often a soak is made longer whose end nobody saw.
	soakExtensions = 2
	// soakExtension bounds by how much; a shorter soak is extended by its length.
	soakExtension = 5 * time.Minute
)

// soak watches the new version under live traffic, and then it is a success.
func (a *attempt) soak(ctx context.Context) (pause, error) {
	if by := a.rollbackOf(a.rel); by != nil {
		return pause{}, &fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "rolled back by " + by.Name,
		}
	}
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	if st.Milestones.SoakStartedAt == nil {
		st.Milestones.SoakStartedAt = &now
		st.Soak = &v1alpha1.SoakStatus{Restarts: restarts(a.o.Target)}
	}
	watch := soakWatch{began: st.Milestones.SoakStartedAt.Time, length: a.bg.Spec.SoakTime(), interval: a.bg.Spec.Gate.Interval.Duration}
	if at := watch.nextAt(*st.Soak); a.o.Now.Before(at) {
		return pause{until: at}, nil
	}
	books, verdict := watch.step(*st.Soak, a.lookLive(ctx))
	st.Soak = &books
	switch verdict.outcome {
	case soakAgain:
		return pause{until: verdict.at, message: verdict.message, waits: verdict.waits}, nil
	case soakUnseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedSoakUnseen, message: fmt.Sprintf(
			"%s; users stay on %s: look at it yourself, and type /rollback if it is bad", verdict.message, a.target())}
	case soakCrashed:
		f := releaseFault(v1alpha1.FailedSoakRestarts, "containers of %s were restarted %s", a.o.Target.Deployment, verdict.message)
		f.evidence = a.d.Workloads.Evidence(ctx, a.bg, a.o.Target)
		return pause{}, f
	case soakFailed:
		f := releaseFault(v1alpha1.FailedSoak, "%s", verdict.message)
		f.evidence = append(f.evidence, *verdict.evidence)
		return pause{}, f
	case soakHeld:
	}
	st.Milestones.SoakedAt = &now
	a.say(verdict.message)
	return pause{}, nil
}

// soakWatch is how a soak is watched.
type soakWatch struct {
	began    time.Time
	length   time.Duration // 0: not at all
	interval time.Duration // from one look to the next
}

// soakLook is one look at the live colour.
type soakLook struct {
	at       time.Time
	restarts int32              // of its containers, ever
	problem  *v1alpha1.Evidence // what is wrong with it, if anything
	unseen   error              // why it could not be looked at; it says nothing about its health
}

// soakOutcome is where a soak stands after a look.
type soakOutcome int

const (
	soakAgain   soakOutcome = iota + 1 // look again, at soakVerdict.at
	soakHeld                           // it is over, and nothing is wrong
	soakFailed                         // it looked bad for too long
	soakCrashed                        // containers crash
	soakUnseen                         // its end came again and again while nobody could look
)

// soakVerdict is what follows from the looks so far.
type soakVerdict struct {
	outcome  soakOutcome
	at       time.Time          // of the next look, for soakAgain
	message  string             // for a person
	waits    *v1alpha1.Waiting  // the same in facts, for soakAgain
	evidence *v1alpha1.Evidence // for soakFailed
}

// end is when the soak is over.
func (w soakWatch) end(s v1alpha1.SoakStatus) time.Time {
	if s.Until != nil {
		return s.Until.Time
	}
	return w.began.Add(w.length)
}

// lastPart is the part of a soak, at its end, in which a look must have worked.
func (w soakWatch) lastPart() time.Duration { return min(w.length/4, soakTolerance) }

// nextAt is when the next look is due. A look that was just written, which wakes
// the application, is none the less not followed by another at once.
func (w soakWatch) nextAt(s v1alpha1.SoakStatus) time.Time {
	if s.LastLookAt == nil {
		return time.Time{}
	}
	at := s.LastLookAt.Add(w.interval)
	if end := w.end(s); end.Before(at) {
		return end
	}
	return at
}

// step enters a look into the books. It is pure: the time is the look's.
func (w soakWatch) step(prev v1alpha1.SoakStatus, l soakLook) (v1alpha1.SoakStatus, soakVerdict) {
	if w.length == 0 {
		return prev, soakVerdict{outcome: soakHeld, message: "not watched: spec.soak is 0s"}
	}
	s := *prev.DeepCopy()
	s.Restarts = min(prev.Restarts, l.restarts) // pods that are replaced take theirs along
	now := metav1.NewMicroTime(l.at)
	switch {
	case l.unseen != nil && s.UnseenSince == nil:
		s.UnseenSince = prev.LastLookAt
		if s.UnseenSince == nil {
			began := metav1.NewMicroTime(w.began)
			s.UnseenSince = &began
		}
	case l.unseen != nil:
	case l.problem == nil:
		s.UnseenSince, s.FailingSince = nil, nil
	case s.FailingSince == nil:
		s.UnseenSince, s.FailingSince = nil, &now
	default:
		s.UnseenSince = nil
	}
	v := w.judge(&s, l)
	if !equality.Semantic.DeepEqual(s, prev) || s.LastLookAt == nil || l.at.Sub(s.LastLookAt.Time) >= w.lastPart()/2 {
		s.LastLookAt = &now
	}
	return s, v
}

// judge says what follows from the books after a look, and extends a soak whose
// end nobody could see.
func (w soakWatch) judge(s *v1alpha1.SoakStatus, l soakLook) soakVerdict {
	end := w.end(*s)
	over := !l.at.Before(end)
	switch {
	case l.restarts-s.Restarts >= soakRestarts:
		return soakVerdict{outcome: soakCrashed, message: fmt.Sprintf("%d times under live traffic", l.restarts-s.Restarts)}
	case l.unseen == nil && l.problem != nil && l.at.Sub(s.FailingSince.Time) >= soakTolerance:
		return soakVerdict{
			outcome: soakFailed, evidence: l.problem,
			message: fmt.Sprintf("unhealthy under live traffic for %s: %s", soakTolerance, l.problem.Message),
		}
	case over && l.unseen == nil && l.problem == nil,
		over && l.unseen != nil && s.FailingSince == nil && !s.UnseenSince.Before(&metav1.MicroTime{Time: end.Add(-w.lastPart())}):
		return soakVerdict{outcome: soakHeld, message: "held under live traffic for " + end.Sub(w.began).Round(time.Second).String()}
	case over && l.unseen != nil && s.Extended == soakExtensions:
		return soakVerdict{
			outcome: soakUnseen,
			message: fmt.Sprintf("the live pods could not be looked at since %s, at the end of the soak and of %d extensions: %v",
				clock(s.UnseenSince.Time), soakExtensions, l.unseen),
		}
	case over && l.unseen != nil:
		until := metav1.NewMicroTime(l.at.Add(min(w.length, soakExtension)))
		s.Until = &until
		s.Extended++
		end = until.Time
	}
	at := l.at.Add(w.interval)
	if !over && end.Before(at) {
		at = end
	}
	return soakVerdict{outcome: soakAgain, at: at, message: soakMessage(*s, end, l), waits: soakWaits(*s, end, l)}
}

// soakWaits says in facts what a soak waits for.
func soakWaits(s v1alpha1.SoakStatus, end time.Time, l soakLook) *v1alpha1.Waiting {
	w := waitsUntil(v1alpha1.WaitsForSoak, "", end)
	switch {
	case l.unseen != nil:
		w.Because, w.Since, w.Detail = v1alpha1.BecauseUnseen, stamp(s.UnseenSince.Time), l.unseen.Error()
	case l.problem != nil:
		w.Because, w.Since, w.Detail = v1alpha1.BecauseUnhealthy, stamp(s.FailingSince.Time), l.problem.Message
	}
	return w
}

// soakMessage says what a soak waits for.
func soakMessage(s v1alpha1.SoakStatus, end time.Time, l soakLook) string {
	text := "soaks until " + clock(end)
	if s.Extended > 0 {
		text += fmt.Sprintf(", extended %d of %d times", s.Extended, soakExtensions)
	}
	switch {
	case l.unseen != nil:
		text += fmt.Sprintf("; the live pods could not be looked at since %s: %v", clock(s.UnseenSince.Time), l.unseen)
	case l.problem != nil:
		text += fmt.Sprintf("; unhealthy since %s: %s", clock(s.FailingSince.Time), l.problem.Message)
	}
	return text
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }

// lookLive looks once at the live colour: how many pods are ready, and whether
// those that are, and so have users, answer the gate's requests.
func (a *attempt) lookLive(ctx context.Context) soakLook {
	t := a.o.Target
	l := soakLook{at: a.o.Now, restarts: restarts(t)}
	if ready := len(readyPods(t)); ready == 0 || ready*100 < int(t.Replicas)*soakReady {
		l.problem = &v1alpha1.Evidence{Reason: "NotReady", Message: fmt.Sprintf("%d of %d pods of %s are ready", ready, t.Replicas, t.Deployment)}
		return l
	}
	l.problem, l.unseen = a.askReady(ctx, t)
	return l
}

// askReady asks the gate's requests of every ready pod of a colour once. A pod
// that is not ready has no users; how many may be so is not for this to say.
func (a *attempt) askReady(ctx context.Context, side track.Side) (problem *v1alpha1.Evidence, unseen error) {
	plan, err := gate.LivePlanFor(a.bg.Spec.Gate, side)
	if err != nil {
		return nil, err
	}
	result := gate.Round(ctx, a.d.Pods, plan, a.bg.Spec.Gate.TryTimeout.Duration, readyPods(side))
	return result.Problem, result.CouldNotLook
}

func readyPods(s track.Side) []track.Pod {
	var ready []track.Pod
	for _, pod := range s.Pods {
		if pod.Ready && !pod.Terminating {
			ready = append(ready, pod)
		}
	}
	return ready
}

func restarts(s track.Side) (n int32) {
	for _, pod := range s.Pods {
		n += pod.Restarts
	}
	return n
}

// cannotTakeBack says why traffic must not go back to the previous colour: it
// has no ready endpoint, or it fails the same requests now. A broken database
// fails both colours, and then moving traffic only adds to the trouble. One bad
// answer may be chance, so it is asked twice. That it cannot be asked is no
// reason to leave users with a version that is known to be bad: its endpoints
// are ready. Nor is it asked once a person wants users back: it may be slow to answer.
func (a *attempt) cannotTakeBack(ctx context.Context) (string, error) {
	side := a.o.Previous
	endpoints, err := a.d.Routes.ReadyEndpoints(ctx, a.bg.Namespace, side.Service)
	if err != nil {
		return "", err
	}
	if len(endpoints) == 0 {
		return fmt.Sprintf("service %s, the previous colour, has no ready endpoints", side.Service), nil
	}
	if a.rollbackOf(a.rel) != nil {
		return "", nil
	}
	var problem *v1alpha1.Evidence
	for range 2 {
		var unseen error
		problem, unseen = a.askReady(ctx, side)
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if unseen != nil {
			a.finding(fmt.Sprintf("the previous colour could not be asked before traffic went back to it: %v", unseen))
		}
		if problem == nil {
			return "", nil
		}
	}
	return "the previous colour fails the same gate now: " + problem.Message, nil
}
