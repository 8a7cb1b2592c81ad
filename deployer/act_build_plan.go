package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/registry"
)

// buildPlan is a fully checked request to Cloud Build.
type buildPlan struct {
	request cloudbuild.Request
	// file is the build to create; for a triggered build, the file that was read.
	file *cloudbuild.File
	// written is the same file before the steps that change the cluster were removed.
	written *cloudbuild.File
	// chosen is the image to deploy.
	chosen cloudbuild.Chosen
	// others are the other images that the spec names.
	others []v1alpha1.BuildImage
	// needs are the grants that only the plan reveals, in addition to the spec's.
	needs []v1alpha1.Grant
}

// begin creates the build, or runs its trigger.
func (p buildPlan) begin(ctx context.Context, builds *cloudbuild.Client) (cloudbuild.Handle, error) {
	if p.request.Trigger != nil {
		return builds.Run(ctx, p.request)
	}
	return builds.Start(ctx, p.request, p.file)
}

// triggerID is the id of the trigger to run, or "".
func (p buildPlan) triggerID() string {
	if p.request.Trigger == nil {
		return ""
	}
	return p.request.Trigger.ID
}

// buildPlanner determines what to build, and from what.
type buildPlanner struct {
	repository ownRepository
	access     googleAccess
}

// planBuild reads the build from the file at the commit or from the trigger, checks it, and
// chooses the image.
func (b buildPlanner) planBuild(ctx context.Context, a *attempt) (buildPlan, error) {
	p := buildPlan{request: b.buildRequest(a)}
	read := b.configuredBuild
	if a.bg.Spec.Build.Trigger != "" {
		read = b.triggeredBuild
	}
	if err := read(ctx, a, &p); err != nil {
		return p, buildFault(err)
	}
	var err error
	p.chosen, err = p.file.Choose(p.request,
		cloudbuild.ImageChoice{Image: a.bg.Spec.Build.Image, Live: a.o.Sides[a.o.Routes.Live()].Image})
	if err != nil {
		return p, buildFault(err)
	}
	if p.chosen.Unseen != nil {
		a.finding(p.chosen.Unseen.String())
	}
	p.needsRegistry(p.chosen)
	return p, b.planOthers(a, &p)
}

// planOthers finds the other images that the spec names among those that the build makes.
func (b buildPlanner) planOthers(a *attempt, p *buildPlan) error {
	for _, other := range a.bg.OtherImages() {
		if other.Image == p.chosen.Image {
			continue
		}
		chosen, err := p.file.Choose(p.request, cloudbuild.ImageChoice{Image: other.Image, Field: other.Field})
		if err != nil {
			return buildFault(err)
		}
		p.needsRegistry(chosen)
		other.Reference = chosen.Reference
		p.others = append(p.others, other)
	}
	return nil
}

// needsRegistry adds the grant to ask a registry for an image that a step pushes.
func (p *buildPlan) needsRegistry(c cloudbuild.Chosen) {
	if home := registry.Project(c.Reference); home != "" && home != p.request.Project {
		p.needs = append(p.needs, v1alpha1.ProjectGrant(home, "image "+c.Image))
	}
}

func (b buildPlanner) buildRequest(a *attempt) cloudbuild.Request {
	spec := a.bg.Spec.Build
	return cloudbuild.Request{
		Project: spec.Project, Location: spec.Location,
		Commit: a.rel.Spec.Deploy.Commit, Branch: a.bg.Spec.Branch, Repository: a.bg.Spec.Repository,
		Release: string(a.rel.UID), Substitutions: spec.Substitutions,
		ServiceAccount: spec.ServiceAccount, Timeout: spec.Timeout.Duration,
	}
}

// configuredBuild is the build of spec.build.config at the commit.
func (b buildPlanner) configuredBuild(ctx context.Context, a *attempt, p *buildPlan) (err error) {
	config := a.bg.Spec.Build.Config
	if p.written, err = b.buildFile(ctx, a, config, "name another file in spec.build.config of bluegreen "+a.bg.Name); err != nil {
		return err
	}
	if p.file, err = p.written.Apply(cloudbuild.ClusterSteps(a.bg.Spec.Build.ClusterSteps)); err != nil {
		return err
	}
	pool, err := p.file.PoolProject(p.request)
	if err != nil {
		return err
	}
	if pool != "" && pool != p.request.Project {
		p.needs = append(p.needs, v1alpha1.ProjectGrant(pool, "options.pool of "+config))
	}
	for _, warning := range p.file.Warnings { // about what a trigger would do differently
		a.finding(warning.String())
	}
	return nil
}

// triggeredBuild is the build of spec.build.trigger, inline in the trigger or in a file at the
// commit.
func (b buildPlanner) triggeredBuild(ctx context.Context, a *attempt, p *buildPlan) error {
	spec, r := a.bg.Spec.Build, &p.request
	builds, err := b.access.plannedBuilds(ctx, a, *p)
	if err != nil {
		return err
	}
	t, err := ask(ctx, a.turn, question{what: "reading trigger " + spec.Trigger},
		func(ctx context.Context) (*cloudbuild.Trigger, error) {
			return builds.Trigger(ctx, spec.Project, spec.Location, spec.Trigger)
		})
	if err != nil {
		return err
	}
	warnings, err := t.Usable(r.Repository, r.Branch)
	if err != nil {
		return err
	}
	if !t.Builds(b.repository.source(a.work).CloneURL()) {
		p.needs = append(p.needs, v1alpha1.TriggerGrant(t.Project, t.Location, t.Name))
		if _, err := b.access.plannedBuilds(ctx, a, *p); err != nil {
			return err
		}
	}
	path, warning, err := t.Path(r.Repository, r.Branch, r.Commit)
	if err != nil {
		return err
	}
	if path == "" {
		p.written, err = t.File()
	} else {
		p.written, err = b.buildFile(ctx, a, path, "correct the file's name in trigger "+t.Name)
	}
	if err != nil {
		return err
	}
	if err := t.Apply(p.written, cloudbuild.ClusterSteps(spec.ClusterSteps)); err != nil {
		return err
	}
	if spec.ClusterSteps != v1alpha1.ClusterStepsAllow {
		for _, unseen := range p.written.Unseen() {
			warnings = append(warnings, unseen.String())
		}
	}
	for _, w := range append(warnings, warning) {
		if w != "" {
			a.finding(w)
		}
	}
	p.file, r.Trigger = p.written, t
	return nil
}

// buildFile reads a build's file at the commit. otherwise is the alternative way out if there is
// no such file.
func (b buildPlanner) buildFile(ctx context.Context, a *attempt, path, otherwise string) (*cloudbuild.File, error) {
	what := a.rel.Spec.Deploy
	source, repository, commit := b.repository.source(a.work), a.bg.Spec.Repository, what.Commit
	q := question{what: fmt.Sprintf("reading %s at %s", path, v1alpha1.ShortCommit(commit)), about: repository}
	data, err := ask(ctx, a.turn, q, func(ctx context.Context) ([]byte, error) { return source.File(ctx, commit, path) })
	if errors.Is(err, fs.ErrNotExist) {
		if err := b.repository.missesCommit(ctx, a); err != nil {
			return nil, err
		}
		return nil, releaseFault(v1alpha1.FailedNoBuildConfig, "%s does not exist in %s at %s: add it, or %s", path, a.bg.Spec.Repository,
			v1alpha1.ShortCommit(what.Commit), otherwise)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s at %s: %w", path, v1alpha1.ShortCommit(what.Commit), err)
	}
	return cloudbuild.Parse(path, data)
}

// provideSource uploads the commit for Cloud Build. A trigger has its own source.
func (b buildPlanner) provideSource(ctx context.Context, a *attempt, p *buildPlan) error {
	r := &p.request
	switch {
	case r.Trigger != nil:
		return nil
	case a.bg.Spec.Build.Source.Git:
		r.Source.Git = &cloudbuild.GitSource{URL: b.repository.source(a.work).CloneURL(), Revision: r.Commit}
		return nil
	}
	_, store, err := b.access.reach(ctx, a, append(a.bg.Needs(), p.needs...)...)
	if err != nil {
		return err
	}
	source, repository, commit := b.repository.source(a.work), r.Repository, r.Commit
	upload := cloudbuild.Upload{
		Bucket: a.bg.SourceBucket(), Project: r.Project,
		Repository: repository, Commit: commit, Release: r.Release,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return source.Archive(ctx, commit) },
	}
	q := question{
		what:     fmt.Sprintf("bringing the source of %s at %s to Cloud Storage", repository, v1alpha1.ShortCommit(commit)),
		transfer: true,
	}
	object, err := ask(ctx, a.turn, q, func(ctx context.Context) (cloudbuild.Object, error) { return store.Upload(ctx, upload) })
	if err != nil {
		return buildFault(fmt.Errorf("storing the source: %w", err))
	}
	r.Source.Object = &object
	return nil
}

// lookForRivals reports other triggers that would change the cluster on the same push. It looks
// once, right before a release's first build, and never stops one: a failed look is only a
// finding. An error means that the answer is still pending.
func (b buildPlanner) lookForRivals(ctx context.Context, a *attempt, p buildPlan) error {
	r := p.request
	builds, err := b.access.plannedBuilds(ctx, a, p)
	if err != nil {
		return err // the build is not started either
	}
	triggers, err := ask(ctx, a.turn, question{what: "listing the triggers of project " + r.Project},
		func(ctx context.Context) ([]*cloudbuild.Trigger, error) {
			return builds.Triggers(ctx, r.Project, r.Location)
		})
	var refused *cloudbuild.Error
	switch {
	case pending(err) != nil:
		return err
	case errors.As(err, &refused) && refused.Code == codes.PermissionDenied:
		a.finding(fmt.Sprintf("other triggers may deploy %s, too: Turnout may not list the triggers of project "+
			"%s; grant its service account roles/cloudbuild.builds.viewer there", r.Repository, r.Project))
		return nil
	case err != nil:
		a.finding(fmt.Sprintf("other triggers may deploy %s, too: Turnout could not list them: %v", r.Repository, err))
		return nil
	}
	for _, rival := range cloudbuild.Rivals(triggers, r.Repository, r.Branch, a.bg.Spec.Build.Trigger, p.written) {
		a.finding(rival)
	}
	return nil
}

// buildFault separates the release's own faults from the world's trouble.
func buildFault(err error) error {
	var (
		file    *cloudbuild.FileError
		trigger *cloudbuild.TriggerError
		source  *cloudbuild.SourceError
		call    *cloudbuild.Error
	)
	switch {
	case errors.As(err, &file):
		f := faultOf(v1alpha1.FaultRelease, v1alpha1.FailedBuildConfig, err)
		f.file, f.line = file.File, file.Line
		return f
	case errors.As(err, &trigger):
		return faultOf(v1alpha1.FaultRelease, v1alpha1.FailedBuildTrigger, err)
	case errors.As(err, &source):
		return faultOf(v1alpha1.FaultRelease, v1alpha1.FailedSource, err)
	case errors.As(err, &call) && call.Fault == cloudbuild.FaultRelease:
		return faultOf(v1alpha1.FaultRelease, v1alpha1.FailedBuildRefused, err)
	}
	return err
}

// plannedBuilds is the client for a planned build, if everything that the plan needs is granted.
func (g googleAccess) plannedBuilds(ctx context.Context, a *attempt, p buildPlan) (*cloudbuild.Client, error) {
	builds, _, err := g.reach(ctx, a, append(a.bg.Needs(), p.needs...)...)
	return builds, err
}
