package deployer

import (
	"context"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// acts are what is done at each step of the tracks, see [track.Row].
var acts = map[v1alpha1.Step]act{
	v1alpha1.StepBuild:   (*attempt).build,
	v1alpha1.StepAttach:  (*attempt).attach,
	v1alpha1.StepStage:   (*attempt).stage,
	v1alpha1.StepSize:    (*attempt).size,
	v1alpha1.StepWarm:    (*attempt).warm,
	v1alpha1.StepVerify:  (*attempt).verify,
	v1alpha1.StepPromote: (*attempt).promote,
	v1alpha1.StepSwitch:  (*attempt).switchTraffic,
	v1alpha1.StepConfirm: (*attempt).confirm,
	v1alpha1.StepSoak:    (*attempt).soak,
	v1alpha1.StepRestore: (*attempt).restore,
	v1alpha1.StepDiscard: (*attempt).discard,
}

// act is what a step does. It looks first, acts if it must, and may run twice. It
// returns the zero pause when its milestone is recorded, or when to look again and
// what it waits for. A *fault ends the release; any other error is the world's and
// is tried again until the step's deadline.
type act func(*attempt, context.Context) (pause, error)

// explainLate completes the fault of a step that waited too long for pods.
func (a *attempt) explainLate(ctx context.Context, s v1alpha1.Step, f *fault) {
	row := track.RowOf(s)
	if row.Late == nil {
		return
	}
	asked, found := row.Late(a.rel, a.o), track.Shown{}
	if asked.Pods {
		found.Evidence = a.d.Workloads.Evidence(ctx, a.bg, a.o.Target)
	}
	if asked.LoadBalancer {
		live, err := a.d.Routes.Groups(ctx, a.bg, a.o.Routes, a.target().Other())
		found.LiveHealthy = err == nil && len(live) > 0 && !slices.ContainsFunc(live, func(g track.Group) bool { return !g.Healthy() })
	}
	blame := track.Explain(asked, a.rel, a.o, found)
	f.class, f.evidence = blame.Class, blame.Evidence
	if blame.Hint != "" {
		f.message += ": " + blame.Hint
	}
}
