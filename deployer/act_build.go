package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// buildGrace is the default of [Deployer].BuildGrace.
	buildGrace = time.Minute
	// buildRetry is the default of [Deployer].BuildRetry.
	buildRetry = 15 * time.Second
	// maxBuildRetries is how often a release's build is made anew after Cloud
	// Build lost one.
	maxBuildRetries = 2
	// listingMargin is how much older than the release its builds may look, since
	// Cloud Build's clock is not the cluster's.
	listingMargin = 10 * time.Minute
)

// build makes sure that the commit's image exists and is known by digest.
func (a *attempt) build(ctx context.Context) (pause, error) {
	if p, err := a.mayBuild(ctx); err != nil || p.rests() {
		return p, err
	}
	b := a.rel.Status.Build
	switch {
	case a.turn.find(beginning) != nil:
		return a.begun(ctx, nil)
	case b == nil:
		return a.startBuild(ctx, 0)
	case b.CancelledAt != nil: // its grant was taken away, and is back
		return a.startBuild(ctx, b.Retries+1)
	case b.ID == "":
		return a.resumeBuild(ctx)
	}
	return a.followBuild(ctx)
}

// resumeBuild goes on from an intent without an outcome. A build that was begun
// may not be listed yet, so another one is not begun before the grace is over.
func (a *attempt) resumeBuild(ctx context.Context) (pause, error) {
	if found, err := a.findBuild(ctx); err != nil || found {
		return pause{
			until: a.o.Now, message: "found the build that was started before", waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseFound),
		}, err
	}
	intended := a.rel.Status.Build
	if again := intended.IntendedAt.Add(cmp.Or(a.d.BuildGrace, buildGrace)); a.o.Now.Before(again) {
		if soon := a.pollAt(0); soon.Before(again) {
			again = soon
		}
		return pause{
			until: again, message: "a build may have been started: waits for it to be listed",
			waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseListing),
		}, nil
	}
	return a.startBuild(ctx, intended.Retries)
}

// startBuild goes from the file at the commit to a build in progress. Nothing is
// started before all of the file is known to be good; the intent is durable
// before the build is begun, since Cloud Build cannot tell a repeated request
// from a second one. That the release is building is on record before anything is
// planned: should a file end the process, it is known at which release.
func (a *attempt) startBuild(ctx context.Context, retries int32) (pause, error) {
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	plan, err := a.planBuild(ctx)
	if err != nil {
		return pause{}, err
	}
	before := a.rel.Status.Build
	if err := a.provideSource(ctx, &plan); err != nil {
		return pause{}, err
	}
	if before == nil {
		if err := a.lookForRivals(ctx, plan); err != nil {
			return pause{}, err
		}
	}
	plan.request.Retry = int(retries)
	a.rel.Status.Build = &v1alpha1.BuildStatus{
		Project: plan.request.Project, Location: plan.request.Location, Tag: cloudbuild.Tag(plan.request.Release, plan.request.Retry),
		IntendedAt: metav1.NowMicro(), Image: plan.chosen.Image, Reference: plan.chosen.Reference, Trigger: plan.triggerID(), Retries: retries,
	}
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	builds, err := a.plannedBuilds(ctx, plan)
	if err != nil {
		a.rel.Status.Build = before
		return pause{}, err
	}
	return a.begun(ctx, func(ctx context.Context) (cloudbuild.Handle, error) {
		handle, err := plan.begin(ctx, builds)
		if err != nil {
			return handle, &notBegun{err: err, before: before}
		}
		return handle, nil
	})
}

// beginning is the call that begins a build. If its release ends meanwhile it is let
// finish, since its answer names the build that there is to cancel.
var beginning = question{what: "starting the build", effect: true}

// begun has the build begun whose intent is durable, and records its handle. A write
// that fails here, or a process that ends, leaves the intent, and the next look
// finds the build by what it carries.
func (a *attempt) begun(ctx context.Context, begin func(context.Context) (cloudbuild.Handle, error)) (pause, error) {
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
	a.recordBuild(handle)
	p := pause{until: a.pollAt(0), message: "building", waits: track.WaitsFor(v1alpha1.WaitsForBuild, v1alpha1.BecauseBuilding)}
	return p, a.save(ctx)
}

// notBegun is the error of a build that was not begun, as far as is known.
type notBegun struct {
	err    error
	before *v1alpha1.BuildStatus // what the record had before the intent
}

func (n *notBegun) Error() string { return n.err.Error() }
func (n *notBegun) Unwrap() error { return n.err }

// certain reports whether the build certainly does not exist: what was recorded
// before its intent holds again.
func (n *notBegun) certain() bool {
	refused, ok := errors.AsType[*cloudbuild.Error](n.err)
	return ok && !refused.Uncertain
}

func (a *attempt) recordBuild(h cloudbuild.Handle) {
	b := a.rel.Status.Build
	b.ID, b.LogURL = h.ID, h.LogURL
	a.linkBuild()
}

// linkBuild links the build's step to its log. The build of a release that was
// cancelled may be found when another step is under way.
func (a *attempt) linkBuild() {
	for i := range slices.Backward(a.rel.Status.Timeline) {
		if entry := &a.rel.Status.Timeline[i]; entry.Step == v1alpha1.StepBuild {
			entry.URL = a.rel.Status.Build.LogURL
			return
		}
	}
}

// findBuild searches the build of an intent without an outcome.
func (a *attempt) findBuild(ctx context.Context) (bool, error) {
	builds, err := a.builds(ctx)
	if err != nil {
		return false, err
	}
	search := a.search()
	handle, err := ask(ctx, a.turn, question{what: "looking for the build"}, func(ctx context.Context) (*cloudbuild.Handle, error) {
		return builds.Find(ctx, search)
	})
	if err != nil || handle == nil {
		return false, err
	}
	a.recordBuild(*handle)
	return true, nil
}

// search is what the release's build is found by.
func (a *attempt) search() cloudbuild.Search {
	b := a.rel.Status.Build
	search := cloudbuild.Search{Project: b.Project, Location: b.Location, Release: string(a.rel.UID), Retry: int(b.Retries)}
	if b.Trigger != "" {
		search.Trigger, search.Commit = b.Trigger, a.rel.Spec.Deploy.Commit
		search.Since = a.rel.CreationTimestamp.Add(-listingMargin)
	}
	return search
}

// followBuild looks at the build once.
func (a *attempt) followBuild(ctx context.Context) (pause, error) {
	b := a.rel.Status.Build
	builds, err := a.builds(ctx)
	if err != nil {
		return pause{}, err
	}
	handle := handleOf(b)
	state, err := ask(ctx, a.turn, question{what: "looking at the build", about: b.ID}, func(ctx context.Context) (cloudbuild.State, error) {
		return builds.Poll(ctx, handle)
	})
	if err != nil {
		return pause{}, err
	}
	b.State, b.LogURL = state.Status, state.LogURL
	b.CreatedAt, b.StartedAt = track.Stamp(state.Created), track.Stamp(state.Started)
	a.linkBuild()
	if f := a.forbiddenStep(state); f != nil {
		return pause{}, f
	}
	switch {
	case !state.Done():
		p := pause{
			until: a.pollAt(time.Since(b.IntendedAt.Time)), message: whileBuilding(state, a.o.Now),
			waits: &v1alpha1.Waiting{For: v1alpha1.WaitsForBuild, Because: buildWaits(state), Since: b.CreatedAt},
		}
		if state.Phase == cloudbuild.AwaitingApproval {
			p.commands = v1alpha1.Commands(approveBuild(b))
		}
		return p, nil
	case state.Lost() && b.Retries < maxBuildRetries:
		return a.buildAgain(ctx, state)
	case state.Phase != cloudbuild.Succeeded:
		return pause{}, ended(state, b.Retries)
	}
	image, err := a.builtImage(ctx, state)
	if err != nil {
		return pause{}, err
	}
	a.rel.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: image, At: metav1.NewTime(a.o.Now)}
	said := "built " + image
	if queued := state.Queued(a.o.Now); queued >= shownQueue { // else the step's own time says it all
		said += fmt.Sprintf(" (queued %s, built in %s)", spell(queued), spell(state.Worked()))
	}
	a.say(said)
	return pause{}, nil
}

// forbiddenStep is the fault of a triggered build that would change the cluster
// although the application does not allow it. What a trigger runs is checked
// before; this is for one that was changed since, or that reads its file from
// elsewhere than the commit. The undo cancels the build.
func (a *attempt) forbiddenStep(state cloudbuild.State) *fault {
	if a.rel.Status.Build.Trigger == "" || state.ClusterStep == "" || a.bg.Spec.Build.ClusterSteps == v1alpha1.ClusterStepsAllow {
		return nil
	}
	return releaseFault(v1alpha1.FailedBuildTrigger,
		"trigger %s started a build that would change the cluster, other than the one that was checked: %s; remove the step, or set "+
			"spec.build.clusterSteps of bluegreen %s to Allow",
		a.bg.Spec.Build.Trigger, state.ClusterStep, a.bg.Name)
}

// buildAgain makes the build anew after Cloud Build lost it, later each time.
// The record keeps the lost one until the next is intended; what the next
// carries differs by the count of retries, so that no search finds the lost one
// in its place.
func (a *attempt) buildAgain(ctx context.Context, lost cloudbuild.State) (pause, error) {
	retries := a.rel.Status.Build.Retries
	due := lost.Finished.Add(cmp.Or(a.d.BuildRetry, buildRetry) << retries)
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
	return a.startBuild(ctx, retries+1)
}

// ended is the fault of a build that ended badly.
func ended(state cloudbuild.State, retries int32) *fault {
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

// endedAs is the reason of a build that ended so.
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

// buildWaits is what a build that is under way waits for.
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

// shownQueue is from when on a build's wait in the queue is told, and how finely:
// every other second would be another write of the record.
const shownQueue = 10 * time.Second

// whileBuilding says in words what a build waits for.
func whileBuilding(state cloudbuild.State, now time.Time) string {
	switch state.Phase {
	case cloudbuild.Queued:
		step := shownQueue
		if state.Queued(now) >= time.Minute {
			step = time.Minute
		}
		if waits := state.Queued(now).Truncate(step); waits > 0 {
			return "queued in Cloud Build for " + spell(waits)
		}
		return "queued in Cloud Build"
	case cloudbuild.AwaitingApproval:
		return state.Message
	default:
		return "building"
	}
}

// approveBuild is the command that approves a build which waits for that; only this
// form of it knows of locations.
func approveBuild(b *v1alpha1.BuildStatus) v1alpha1.ShellCommand {
	return v1alpha1.Shell("gcloud", "alpha", "builds", "approve",
		fmt.Sprintf("projects/%s/locations/%s/builds/%s", b.Project, b.Location, b.ID))
}

// spell writes a duration for people: 0.3 s, 12 s, 1 min 3 s, 2 h 5 min.
func spell(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f s", d.Seconds())
	}
	d = d.Round(time.Second)
	if d >= time.Hour {
		d = d.Round(time.Minute)
	}
	var parts []string
	for _, unit := range []struct {
		size time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "min"}, {time.Second, "s"}} {
		if n := d / unit.size; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, unit.name))
			d -= n * unit.size
		}
	}
	return strings.Join(parts, " ")
}

// pollAt is when to look at the build again.
func (a *attempt) pollAt(age time.Duration) time.Time {
	return time.Now().Add(a.d.BuildPace.Next(age, 0, rand.Float64()))
}

// handleOf names a build that is known.
func handleOf(b *v1alpha1.BuildStatus) cloudbuild.Handle {
	return cloudbuild.Handle{Project: b.Project, Location: b.Location, ID: b.ID, LogURL: b.LogURL}
}

// cancelBuild stops the build of a release that ends without needing it. It is
// best effort: a build that goes on costs minutes, and nothing of it is used. A
// rollback does not wait for it.
func (a *attempt) cancelBuild(ctx context.Context) error {
	b := a.rel.Status.Build
	if b == nil || track.Built(a.rel) || b.CancelledAt != nil {
		return nil
	}
	builds, err := a.builds(ctx)
	if lacksGrant(err) {
		a.finding(fmt.Sprintf("the build was not stopped: %v; or stop it in Cloud Build, project %s, location %s", err, b.Project, b.Location),
			append(shellCommands(err), stopBuild(b))...)
		return nil
	}
	var stopped *cloudbuild.Handle
	if err == nil {
		stop := stopping{builds: builds, known: handleOf(b), search: a.search(), begun: a.turnOf(v1alpha1.StepBuild).find(beginning)}
		stopped, err = ask(ctx, a.turn, question{what: "cancelling the build", effect: true}, stop.do)
	}
	switch {
	case err != nil && a.rollbackWaits():
		a.log.WarnContext(ctx, "the build may go on", "error", err)
		return nil
	case err != nil || stopped == nil:
		return err
	}
	a.recordBuild(*stopped)
	now := metav1.NewTime(a.o.Now)
	b.CancelledAt = &now
	return nil
}

// stopBuild is the command that stops a build, or lists it if its id is not known.
func stopBuild(b *v1alpha1.BuildStatus) v1alpha1.ShellCommand {
	words := []string{"gcloud", "builds", "cancel", b.ID}
	if b.ID == "" {
		words = []string{"gcloud", "builds", "list", "--ongoing"}
	}
	return v1alpha1.Shell(append(words, "--project="+b.Project, "--region="+b.Location)...)
}

// stopping is what it takes to stop a build, without the release.
type stopping struct {
	builds *cloudbuild.Client
	known  cloudbuild.Handle // its ID may be empty
	search cloudbuild.Search
	begun  *call // that begins it, if this process has made it
}

// do cancels the build and returns its handle; nil if none is found.
func (s stopping) do(ctx context.Context) (*cloudbuild.Handle, error) {
	handle := &s.known
	if handle.ID == "" && s.begun != nil {
		select {
		case <-s.begun.ended:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if h, ok := s.begun.value.(cloudbuild.Handle); ok && s.begun.err == nil {
			handle = &h
		}
	}
	if handle.ID == "" {
		found, err := s.builds.Find(ctx, s.search)
		if err != nil || found == nil {
			return nil, err
		}
		handle = found
	}
	if err := s.builds.Cancel(ctx, *handle); err != nil {
		return nil, fmt.Errorf("cancelling build %s: %w", handle.ID, err)
	}
	return handle, nil
}
