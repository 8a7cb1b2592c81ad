package deployer

import (
	"context"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// acts are the acts of the tracks' steps, see [track.Row].
var acts = map[v1alpha1.Step]act{
	v1alpha1.StepBuild:   func(ctx context.Context, a *attempt) (pause, error) { return buildAct{a}.build(ctx) },
	v1alpha1.StepAttach:  func(ctx context.Context, a *attempt) (pause, error) { return attachAct{a}.attach(ctx) },
	v1alpha1.StepStage:   func(ctx context.Context, a *attempt) (pause, error) { return stageAct{a}.stage(ctx) },
	v1alpha1.StepSize:    func(ctx context.Context, a *attempt) (pause, error) { return sizeAct{a}.size(ctx) },
	v1alpha1.StepWarm:    func(ctx context.Context, a *attempt) (pause, error) { return warmAct{a}.warm(ctx) },
	v1alpha1.StepVerify:  func(ctx context.Context, a *attempt) (pause, error) { return verifyAct{a}.verify(ctx) },
	v1alpha1.StepPromote: func(ctx context.Context, a *attempt) (pause, error) { return promoteAct{a}.promote(ctx) },
	v1alpha1.StepSwitch:  func(ctx context.Context, a *attempt) (pause, error) { return switchAct{a}.switchTraffic(ctx) },
	v1alpha1.StepConfirm: func(ctx context.Context, a *attempt) (pause, error) { return confirmAct{a}.confirm(ctx) },
	v1alpha1.StepSoak:    func(ctx context.Context, a *attempt) (pause, error) { return soakAct{a}.soak(ctx) },
	v1alpha1.StepRestore: func(ctx context.Context, a *attempt) (pause, error) { return restoreAct{a}.restore(ctx) },
	v1alpha1.StepDiscard: func(ctx context.Context, a *attempt) (pause, error) { return discardAct{a}.discard(ctx) },
}

// act is what a step does. It looks first, acts if it must, and may run twice. It returns the
// zero pause when its milestone is recorded; otherwise when to look again and what it waits
// for. A *fault ends the release; any other error is the world's, and the act is tried again
// until the step's deadline.
type act func(context.Context, *attempt) (pause, error)
