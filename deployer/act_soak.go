package deployer

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// soakAct watches the new version under live traffic.
type soakAct struct {
	live      livePods
	workloads evidenceReader
	judging   judging
}

// do watches the new version under live traffic; then the release has succeeded.
func (act soakAct) do(ctx context.Context, a *attempt) (pause, error) {
	if by := (rollbackJudge{a.bg, a.releases}).rollbackOf(a.rel); by != nil {
		return pause{}, &fault{
			class: v1alpha1.FaultSuperseded, reason: v1alpha1.FailedRolledBack, about: about{release: by.Name}, message: "rolled back by " + by.Name,
		}
	}
	st := &a.rel.Status
	now := metav1.NewTime(a.o.Now)
	if st.Milestones.SoakStartedAt == nil {
		st.Milestones.SoakStartedAt = &now
		st.Soak = &v1alpha1.SoakStatus{Restarts: a.o.Target.Restarts()}
	}
	watch := track.SoakWatch{Began: st.Milestones.SoakStartedAt.Time, Length: a.bg.Spec.SoakTime(), Interval: a.bg.Spec.Gate.Interval.Duration}
	metrics, err := act.judging.judge(ctx, a)
	if err != nil {
		return pause{}, err
	}
	if at := watch.NextAt(*st.Soak); a.o.Now.Before(at) {
		return pause{until: at}, nil
	}
	books, verdict := watch.Step(*st.Soak, act.live.look(ctx, a))
	st.Soak = &books
	switch verdict.Outcome {
	case track.SoakAgain:
		return pause{until: verdict.At, message: verdict.Message, waits: verdict.Waits}, nil
	case track.SoakUnseen:
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedSoakUnseen, message: fmt.Sprintf(
			"%s; users stay on %s: look at it yourself, and type /rollback if it is bad", verdict.Message, a.target())}
	case track.SoakCrashed, track.SoakFailed:
		return pause{}, watchFault(ctx, a, act.workloads, verdict)
	case track.SoakHeld:
	}
	if metrics.rests() {
		a.wakeAt(a.o.Now.Add(watch.Interval)) // the pods are still watched
		return metrics, nil
	}
	st.Milestones.SoakedAt = &now
	a.say(verdict.Message)
	return pause{}, nil
}
