package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// buildAct makes sure that the image exists.
type buildAct struct {
	recorder
	branch  branch
	planner buildPlanner
	access  googleAccess
	images  imaging
	pace    cloudbuild.Pace
	grace   time.Duration // before an intent without a build is repeated
	retry   time.Duration // before a lost build is repeated
}

// do makes sure that the commit's image exists and its digest is known.
func (act buildAct) do(ctx context.Context, a *attempt) (pause, error) {
	if p, err := act.branch.mayBuild(ctx, a); err != nil || p.rests() {
		return p, err
	}
	b := a.rel.Status.Build
	switch {
	case a.turn.find(beginning) != nil:
		return act.begun(ctx, a, nil)
	case b == nil:
		return act.startBuild(ctx, a, 0)
	case b.CancelledAt != nil: // its grant was withdrawn, and has come back
		return act.startBuild(ctx, a, b.Retries+1)
	case b.ID == "":
		return act.resumeBuild(ctx, a)
	}
	return act.followBuild(ctx, a)
}

// resumeBuild continues from an intent without an outcome. Cloud Build may not list a new build
// yet, so no other build starts before the grace time is over.
func (act buildAct) resumeBuild(ctx context.Context, a *attempt) (pause, error) {
	if found, err := act.findBuild(ctx, a); err != nil || found {
		return pause{
			until: a.o.Now, message: "found the build that was started before",
			waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseFound),
		}, err
	}
	intended := a.rel.Status.Build
	if again := intended.IntendedAt.Add(cmp.Or(act.grace, buildGrace)); a.o.Now.Before(again) {
		if soon := act.pollAt(0); soon.Before(again) {
			again = soon
		}
		return pause{
			until: again, message: "a build may have been started: waits for it to be listed",
			waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseListing),
		}, nil
	}
	return act.startBuild(ctx, a, intended.Retries)
}

// startBuild goes from the file at the commit to a running build. Nothing starts before the whole
// file is checked. The intent is durable before the build starts, since Cloud Build cannot
// recognise a repeated request. The record shows that the release is building before anything is
// planned: if a file crashes the process, the record names the release.
func (act buildAct) startBuild(ctx context.Context, a *attempt, retries int32) (pause, error) {
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	plan, err := act.planner.planBuild(ctx, a)
	if err != nil {
		return pause{}, err
	}
	before := a.rel.Status.Build
	if err := act.planner.provideSource(ctx, a, &plan); err != nil {
		return pause{}, err
	}
	if before == nil {
		if err := act.planner.lookForRivals(ctx, a, plan); err != nil {
			return pause{}, err
		}
	}
	plan.request.Retry = int(retries)
	a.rel.Status.Build = &v1alpha1.BuildStatus{
		Project: plan.request.Project, Location: plan.request.Location, Tag: cloudbuild.Tag(plan.request.Release, plan.request.Retry),
		IntendedAt: metav1.NowMicro(), Image: plan.chosen.Image, Reference: plan.chosen.Reference, Images: plan.others, Trigger: plan.triggerID(),
		Retries: retries,
	}
	if err := act.save(ctx, a); err != nil {
		return pause{}, err
	}
	builds, err := act.access.plannedBuilds(ctx, a, plan)
	if err != nil {
		a.rel.Status.Build = before
		return pause{}, err
	}
	return act.begun(ctx, a, func(ctx context.Context) (cloudbuild.Handle, error) {
		handle, err := plan.begin(ctx, builds)
		if err != nil {
			return handle, &notBegun{err: err, before: before}
		}
		return handle, nil
	})
}

// begun starts the build whose intent is durable, and records its handle. If this write fails or
// the process ends, the intent stays, and the next look finds the build by its tags.
func (act buildAct) begun(ctx context.Context, a *attempt, begin func(context.Context) (cloudbuild.Handle, error)) (pause, error) {
	handle, err := ask(ctx, a.turn, beginning, begin)
	if not, ok := errors.AsType[*notBegun](err); ok {
		if not.certain() {
			a.rel.Status.Build = not.before
		}
		return pause{}, buildFault(fmt.Errorf("starting the build: %w", not.err))
	}
	if err != nil {
		return pause{}, err
	}
	recordBuild(a, handle)
	p := pause{until: act.pollAt(0), message: "building", waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseBuilding)}
	return p, act.save(ctx, a)
}

// notBegun is the error for a build that, as far as is known, did not start.
type notBegun struct {
	err    error
	before *v1alpha1.BuildStatus // what the record had before the intent
}

func (n *notBegun) Error() string { return n.err.Error() }
func (n *notBegun) Unwrap() error { return n.err }

// certain reports whether the build certainly does not exist. The record then returns to its
// state before the intent.
func (n *notBegun) certain() bool {
	refused, ok := errors.AsType[*cloudbuild.Error](n.err)
	return ok && !refused.Uncertain
}

// findBuild searches for the build of an intent without an outcome.
func (act buildAct) findBuild(ctx context.Context, a *attempt) (bool, error) {
	builds, err := act.access.builds(ctx, a)
	if err != nil {
		return false, err
	}
	search := buildSearch(a)
	handle, err := ask(ctx, a.turn, question{what: "looking for the build"}, func(ctx context.Context) (*cloudbuild.Handle, error) {
		return builds.Find(ctx, search)
	})
	if err != nil || handle == nil {
		return false, err
	}
	recordBuild(a, *handle)
	return true, nil
}

// followBuild looks at the build once.
func (act buildAct) followBuild(ctx context.Context, a *attempt) (pause, error) {
	b := a.rel.Status.Build
	builds, err := act.access.builds(ctx, a)
	if err != nil {
		return pause{}, err
	}
	handle := handleOf(b)
	state, err := ask(ctx, a.turn, question{what: "looking at the build", about: b.ID},
		func(ctx context.Context) (cloudbuild.State, error) {
			return builds.Poll(ctx, handle)
		})
	if err != nil {
		return pause{}, err
	}
	b.State, b.LogURL = state.Status, state.LogURL
	b.CreatedAt, b.StartedAt = track.Stamp(state.Created), track.Stamp(state.Started)
	linkBuild(a)
	if f := act.forbiddenStep(a, state); f != nil {
		return pause{}, f
	}
	switch {
	case !state.Done():
		p := pause{
			until: act.pollAt(time.Since(b.IntendedAt.Time)), message: whileBuilding(state, a.o.Now),
			waits: &v1alpha1.Waiting{For: v1alpha1.WaitsForBuild, Because: buildWaits(state), Since: b.CreatedAt},
		}
		if state.Phase == cloudbuild.AwaitingApproval {
			p.commands = v1alpha1.Commands(approveBuild(b))
		}
		return p, nil
	case state.Lost() && b.Retries < maxBuildRetries:
		return act.buildAgain(ctx, a, state)
	case state.Phase != cloudbuild.Succeeded:
		return pause{}, buildEnded(state, b.Retries)
	}
	image, others, err := act.images.builtImages(ctx, a, state)
	if err != nil {
		return pause{}, err
	}
	a.rel.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: image, Images: others, At: metav1.NewTime(a.o.Now)}
	said := "built " + image
	if n := len(b.Images); n > 0 {
		said += fmt.Sprintf(" and %d more that the spec names", n)
	}
	if queued := state.Queued(a.o.Now); queued >= shownQueue { // otherwise the step's own time is enough
		said += fmt.Sprintf(" (queued %s, built in %s)", prose.Span(queued), prose.Span(state.Worked()))
	}
	a.say(said)
	return pause{}, nil
}

// forbiddenStep is the fault of a triggered build that would change the cluster without the
// application's permission. A trigger is checked before it runs; this covers a trigger that has
// changed since, or that reads its file from elsewhere than the commit. The undo cancels the
// build.
func (act buildAct) forbiddenStep(a *attempt, state cloudbuild.State) *fault {
	if a.rel.Status.Build.Trigger == "" || state.ClusterStep == "" ||
		a.bg.Spec.Build.ClusterSteps == v1alpha1.ClusterStepsAllow {
		return nil
	}
	return releaseFault(v1alpha1.FailedBuildTrigger,
		"trigger %s started a build that would change the cluster, other than the one that was checked: %s; remove the step, or set "+
			"spec.build.clusterSteps of bluegreen %s to Allow",
		a.bg.Spec.Build.Trigger, state.ClusterStep, a.bg.Name)
}

// buildAgain starts another build after Cloud Build lost one, after ever longer pauses. The
// record keeps the lost build until the next one is intended. The next one carries the retry
// count, so that a search cannot confuse the two.
func (act buildAct) buildAgain(ctx context.Context, a *attempt, lost cloudbuild.State) (pause, error) {
	retries := a.rel.Status.Build.Retries
	due := lost.Finished.Add(cmp.Or(act.retry, buildRetry) << retries)
	if a.o.Now.Before(due) {
		return pause{
			until: due,
			message: fmt.Sprintf("Cloud Build lost the build (%s): builds again, attempt %d of %d", lost.Status, retries+2,
				maxBuildRetries+1),
			waits: &v1alpha1.Waiting{
				For: v1alpha1.WaitsForBuild, Because: v1alpha1.BecauseLost, Done: retries + 1, Of: maxBuildRetries + 1, Until: track.Stamp(due),
				Detail: lost.Status,
			},
		}, nil
	}
	return act.startBuild(ctx, a, retries+1)
}

// buildEnded is the fault of a build that did not succeed.
func buildEnded(state cloudbuild.State, retries int32) *fault {
	class := v1alpha1.FaultRelease
	if state.Fault != cloudbuild.FaultRelease {
		class = v1alpha1.FaultWorld
	}
	message := state.Message
	if state.Lost() && retries > 0 {
		message = fmt.Sprintf("%d builds in a row: %s", retries+1, message)
	}
	return &fault{class: class, reason: endedAs(state.Phase), message: message}
}

// endedAs is the failure reason for a final phase.
func endedAs(p cloudbuild.Phase) v1alpha1.FailureReason {
	switch p {
	case cloudbuild.TimedOut:
		return v1alpha1.FailedBuildTimedOut
	case cloudbuild.Cancelled:
		return v1alpha1.FailedBuildCancelled
	default:
		return v1alpha1.FailedBuildFailed
	}
}

// buildWaits is what a build in progress waits for.
func buildWaits(state cloudbuild.State) v1alpha1.WaitingBecause {
	switch state.Phase {
	case cloudbuild.Queued:
		return v1alpha1.BecauseQueued
	case cloudbuild.AwaitingApproval:
		return v1alpha1.BecauseAwaitingApproval
	default:
		return v1alpha1.BecauseBuilding
	}
}

// shownQueue is the shortest queueing time that is shown, and its precision: showing seconds
// would write the record every other second.
const shownQueue = 10 * time.Second

// whileBuilding describes what a build waits for.
func whileBuilding(state cloudbuild.State, now time.Time) string {
	switch state.Phase {
	case cloudbuild.Queued:
		step := shownQueue
		if state.Queued(now) >= time.Minute {
			step = time.Minute
		}
		if waits := state.Queued(now).Truncate(step); waits > 0 {
			return "queued in Cloud Build for " + prose.Span(waits)
		}
		return "queued in Cloud Build"
	case cloudbuild.AwaitingApproval:
		return state.Message
	default:
		return "building"
	}
}

// approveBuild is the command that approves a waiting build. Only this form of the command
// supports locations.
func approveBuild(b *v1alpha1.BuildStatus) v1alpha1.ShellCommand {
	return v1alpha1.Shell("gcloud", "alpha", "builds", "approve",
		fmt.Sprintf("projects/%s/locations/%s/builds/%s", b.Project, b.Location, b.ID))
}

// pollAt is when to look at the build again.
func (act buildAct) pollAt(age time.Duration) time.Time {
	return time.Now().Add(act.pace.Next(age, 0, rand.Float64()))
}
