package deployer

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// buildGrace is the default of [Deployer].BuildGrace.
const buildGrace = time.Minute

// build makes sure that the commit's image exists and is known by digest.
func (a *attempt) build(ctx context.Context) (pause, error) {
	b := a.rel.Status.Build
	if b == nil || b.ID == "" {
		return a.startBuild(ctx)
	}
	return a.followBuild(ctx)
}

// startBuild goes from the file at the commit to a build in progress. Nothing is
// started before all of the file is known to be good; the intent is durable
// before the build is created, since Cloud Build cannot tell a repeated request
// from a second one.
func (a *attempt) startBuild(ctx context.Context) (pause, error) {
	request, file, err := a.buildRequest(ctx)
	if err != nil {
		return pause{}, err
	}
	intended := a.rel.Status.Build
	if intended != nil {
		if found, err := a.findBuild(ctx); err != nil || found {
			return pause{until: a.o.Now, message: "found the build that was started before"}, err
		}
		if again := intended.IntendedAt.Add(cmp.Or(a.d.BuildGrace, buildGrace)); a.o.Now.Before(again) {
			return pause{until: again, message: "a build may have been started: waits for it to be listed"}, nil
		}
	}
	image, err := file.Image(request, cloudbuild.ImageChoice{Image: a.bg.Spec.Build.Image, Live: a.o.Sides[a.o.Routes.Live()].Image})
	if err != nil {
		return pause{}, buildFault(err)
	}
	object, err := a.d.Store.Upload(ctx, cloudbuild.Upload{
		Bucket: a.bg.SourceBucket(), Project: request.Project,
		Repository: request.Repository, Commit: request.Commit, Release: request.Release,
		Open: func(ctx context.Context) (io.ReadCloser, error) {
			return a.d.Source.Archive(ctx, request.Repository, request.Commit)
		},
	})
	if err != nil {
		return pause{}, buildFault(fmt.Errorf("storing the source: %w", err))
	}
	request.Source = cloudbuild.Source{Object: &object}
	a.rel.Status.Build = &v1alpha1.BuildStatus{
		Project: request.Project, Location: request.Location, Tag: cloudbuild.Tag(request.Release),
		IntendedAt: metav1.NowMicro(), Image: image,
	}
	if err := a.save(ctx); err != nil {
		return pause{}, err
	}
	handle, err := a.d.Builds.Start(ctx, request, file)
	if err != nil {
		return pause{}, a.notStarted(err)
	}
	a.recordBuild(handle)
	// A write that fails here leaves the intent, and the next look finds the
	// build by its tag.
	return pause{until: a.pollAt(0), message: "building"}, a.save(ctx)
}

// notStarted takes the intent back if the build certainly does not exist.
func (a *attempt) notStarted(err error) error {
	var refused *cloudbuild.Error
	if errors.As(err, &refused) && !refused.Uncertain {
		a.rel.Status.Build = nil
	}
	return buildFault(fmt.Errorf("starting the build: %w", err))
}

func (a *attempt) recordBuild(h cloudbuild.Handle) {
	b := a.rel.Status.Build
	b.ID, b.LogURL = h.ID, h.LogURL
	a.entry().URL = h.LogURL
}

// findBuild searches the build of an intent without an outcome.
func (a *attempt) findBuild(ctx context.Context) (bool, error) {
	b := a.rel.Status.Build
	handle, err := a.d.Builds.Find(ctx, cloudbuild.Search{Project: b.Project, Location: b.Location, Release: string(a.rel.UID)})
	if err != nil || handle == nil {
		return false, err
	}
	a.recordBuild(*handle)
	return true, nil
}

// buildRequest reads the build's file at the commit and says what is asked of
// Cloud Build.
func (a *attempt) buildRequest(ctx context.Context) (cloudbuild.Request, *cloudbuild.File, error) {
	spec, what := a.bg.Spec.Build, a.rel.Spec.Deploy
	branch := what.Branch
	if branch == "" {
		branch = a.bg.Spec.Branch
	}
	request := cloudbuild.Request{
		Project: spec.Project, Location: spec.Location,
		Commit: what.Commit, Branch: branch, Repository: what.Repository,
		Release: string(a.rel.UID), Substitutions: spec.Substitutions,
		ServiceAccount: spec.ServiceAccount, Timeout: spec.Timeout.Duration,
	}
	data, err := a.d.Source.File(ctx, what.Repository, what.Commit, spec.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return request, nil, releaseFault("NoBuildConfig", "%s does not exist in %s at %s: add it, or name another file in spec.build.config of bluegreen %s", spec.Config, what.Repository, v1alpha1.ShortCommit(what.Commit), a.bg.Name)
	}
	if err != nil {
		return request, nil, fmt.Errorf("reading %s at %s: %w", spec.Config, v1alpha1.ShortCommit(what.Commit), err)
	}
	file, err := cloudbuild.Parse(spec.Config, data)
	if err != nil {
		return request, nil, buildFault(err)
	}
	file, err = file.Apply(cloudbuild.ClusterSteps(spec.ClusterSteps))
	if err != nil {
		return request, nil, buildFault(err)
	}
	for _, warning := range file.Warnings {
		a.finding(warning.String())
	}
	return request, file, nil
}

// buildFault tells what the release did wrong from the world's trouble.
func buildFault(err error) error {
	var (
		file   *cloudbuild.FileError
		source *cloudbuild.SourceError
		call   *cloudbuild.Error
	)
	switch {
	case errors.As(err, &file):
		return &fault{class: v1alpha1.FaultRelease, reason: "BuildConfig", message: err.Error(), file: file.File, line: file.Line}
	case errors.As(err, &source):
		return &fault{class: v1alpha1.FaultRelease, reason: "Source", message: err.Error()}
	case errors.As(err, &call) && call.Fault == cloudbuild.FaultRelease:
		return &fault{class: v1alpha1.FaultRelease, reason: "BuildRefused", message: err.Error()}
	}
	return err
}

// followBuild looks at the build once.
func (a *attempt) followBuild(ctx context.Context) (pause, error) {
	b := a.rel.Status.Build
	state, err := a.d.Builds.Poll(ctx, cloudbuild.Handle{Project: b.Project, Location: b.Location, ID: b.ID})
	if err != nil {
		return pause{}, err
	}
	b.State, b.LogURL = state.Status, state.LogURL
	a.entry().URL = state.LogURL
	if !state.Done() {
		message := "building"
		switch state.Phase {
		case cloudbuild.Queued:
			message = "queued in Cloud Build"
		case cloudbuild.AwaitingApproval:
			message = state.Message
		default:
		}
		return pause{until: a.pollAt(time.Since(b.IntendedAt.Time)), message: message}, nil
	}
	if state.Phase != cloudbuild.Succeeded {
		class := v1alpha1.FaultRelease
		if state.Fault != cloudbuild.FaultRelease {
			class = v1alpha1.FaultWorld
		}
		return pause{}, &fault{class: class, reason: "Build" + string(state.Phase), message: state.Message}
	}
	image, err := state.Digest(b.Image)
	if err != nil {
		return pause{}, &fault{class: v1alpha1.FaultRelease, reason: "NoDigest", message: err.Error()}
	}
	a.rel.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: image, At: metav1.NewTime(a.o.Now)}
	a.say("built " + image)
	return pause{}, nil
}

// pollAt is when to look at the build again.
func (a *attempt) pollAt(age time.Duration) time.Time {
	return time.Now().Add(a.d.BuildPace.Next(age, 0, rand.Float64()))
}

// cancelBuild stops the build of a release that ends without needing it. It is
// best effort: a build that goes on costs minutes, and nothing of it is used.
func (a *attempt) cancelBuild(ctx context.Context) error {
	b := a.rel.Status.Build
	if b == nil || built(a.rel) || b.CancelledAt != nil {
		return nil
	}
	if b.ID == "" {
		if found, err := a.findBuild(ctx); err != nil || !found {
			return err
		}
	}
	if err := a.d.Builds.Cancel(ctx, cloudbuild.Handle{Project: b.Project, Location: b.Location, ID: b.ID}); err != nil {
		return fmt.Errorf("cancelling build %s: %w", b.ID, err)
	}
	now := metav1.NewTime(a.o.Now)
	b.CancelledAt = &now
	return nil
}
