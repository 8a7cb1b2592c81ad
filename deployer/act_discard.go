package deployer

import (
	"context"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// discardAct cleans up the target, which no user reached.
type discardAct struct {
	build     buildRecord
	shrinking shrinking
	workloads interface {
		StagedBy(ctx context.Context, bg *v1alpha1.BlueGreen, c v1alpha1.Color) (release string, err error)
	}
}

// do stops a build that nobody needs any more, and shrinks the target if this release staged it.
// The reference in the Ingress stays. It reads past the cache who staged the target, since the
// cache may not have the staging yet.
func (act discardAct) do(ctx context.Context, a *attempt) (pause, error) {
	if err := act.build.cancelBuild(ctx, a); err != nil {
		return pause{}, err
	}
	m := &a.rel.Status.Milestones
	now := metav1.NewTime(a.o.Now)
	staged := ""
	if m.Target != "" {
		var err error
		if staged, err = act.workloads.StagedBy(ctx, a.bg, m.Target); err != nil {
			return pause{}, err
		}
	}
	if staged != a.rel.Name {
		m.DiscardedAt = &now
		a.say("nothing of it runs")
		return pause{}, nil
	}
	done, err := act.shrinking.shrink(ctx, a.work, m.Target, a.rel.Name)
	if err != nil {
		return pause{}, err
	}
	m.DiscardedAt = &now
	a.say(done.text)
	if done.inUse {
		a.finding(done.text)
		return pause{}, nil
	}
	if last := a.bg.Status.LastSwitch; last != nil && last.From.Color == m.Target {
		last.Shrunk = true // this release was staged over what was held there
	}
	return pause{}, nil
}
