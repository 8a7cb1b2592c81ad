package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/track"
)

// beginning is the call that starts a build. It may finish even if its release ends, since its
// answer names the build to cancel.
var beginning = question{what: "starting the build", effect: true}

// buildRecord is what a release knows about its build.
type buildRecord struct {
	access googleAccess
	turns  turns
}

func recordBuild(a *attempt, h cloudbuild.Handle) {
	b := a.rel.Status.Build
	b.ID, b.LogURL = h.ID, h.LogURL
	linkBuild(a)
}

// linkBuild links the build step to its log. The build of a cancelled release may be found during
// another step.
func linkBuild(a *attempt) {
	for i := range slices.Backward(a.rel.Status.Timeline) {
		if entry := &a.rel.Status.Timeline[i]; entry.Step == v1alpha1.StepBuild {
			entry.URL = a.rel.Status.Build.LogURL
			return
		}
	}
}

// buildSearch describes how to find the release's build.
func buildSearch(a *attempt) cloudbuild.Search {
	b := a.rel.Status.Build
	search := cloudbuild.Search{Project: b.Project, Location: b.Location, Release: string(a.rel.UID), Retry: int(b.Retries)}
	if b.Trigger != "" {
		search.Trigger, search.Commit = b.Trigger, a.rel.Spec.Deploy.Commit
		search.Since = a.rel.CreationTimestamp.Add(-listingMargin)
	}
	return search
}

// handleOf identifies a known build.
func handleOf(b *v1alpha1.BuildStatus) cloudbuild.Handle {
	return cloudbuild.Handle{Project: b.Project, Location: b.Location, ID: b.ID, LogURL: b.LogURL}
}

// cancelBuild stops the build of a release that no longer needs it. It is best effort: a build
// that continues only costs minutes, and its result is not used. A rollback does not wait for it.
func (c buildRecord) cancelBuild(ctx context.Context, a *attempt) error {
	b := a.rel.Status.Build
	if b == nil || track.Built(a.rel) || b.CancelledAt != nil {
		return nil
	}
	builds, err := c.access.builds(ctx, a)
	if lacksGrant(err) {
		a.finding(fmt.Sprintf("the build was not stopped: %v; or stop it in Cloud Build, project %s, location %s", err, b.Project, b.Location),
			append(shellCommands(err), stopBuild(b))...)
		return nil
	}
	var stopped *cloudbuild.Handle
	if err == nil {
		stop := stopping{
			builds: builds, known: handleOf(b), search: buildSearch(a),
			begun: c.turns.turnOf(a, v1alpha1.StepBuild).find(beginning),
		}
		stopped, err = ask(ctx, a.turn, question{what: "cancelling the build", effect: true}, stop.do)
	}
	switch {
	case err != nil && a.rollbackWaits():
		a.log.WarnContext(ctx, "the build may still be running", "error", err)
		return nil
	case err != nil || stopped == nil:
		return err
	}
	recordBuild(a, *stopped)
	now := metav1.NewTime(a.o.Now)
	b.CancelledAt = &now
	return nil
}

// stopBuild is the command that stops a build, or lists it if its ID is unknown.
func stopBuild(b *v1alpha1.BuildStatus) v1alpha1.ShellCommand {
	words := []string{"gcloud", "builds", "cancel", b.ID}
	if b.ID == "" {
		words = []string{"gcloud", "builds", "list", "--ongoing"}
	}
	return v1alpha1.Shell(append(words, "--project="+b.Project, "--region="+b.Location)...)
}

// stopping is what stopping a build needs, without the release.
type stopping struct {
	builds *cloudbuild.Client
	known  cloudbuild.Handle // its ID may be empty
	search cloudbuild.Search
	begun  *call // the call that started it, if this process made that
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

const (
	// buildGrace is the default of [Deployer].BuildGrace.
	buildGrace = time.Minute
	// buildRetry is the default of [Deployer].BuildRetry.
	buildRetry = 15 * time.Second
	// maxBuildRetries is how often a release builds again after Cloud Build lost a build.
	maxBuildRetries = 2
	// listingMargin is how much older than its release a build may seem: Cloud Build's clock is
	// not the cluster's.
	listingMargin = 10 * time.Minute
)
