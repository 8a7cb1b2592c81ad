package deployer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/registry"
)

// buildPlan is what a release asks of Cloud Build, fully checked.
type buildPlan struct {
	request cloudbuild.Request
	// file is the build as it is created; of a triggered build, as it was read.
	file *cloudbuild.File
	// written is the same file before steps that change the cluster were left out.
	written *cloudbuild.File
	// chosen is the image to deploy.
	chosen cloudbuild.Chosen
	// needs are the grants that only the plan reveals, besides those of the spec.
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

// buildPlanner finds out what to build, and from what.
type buildPlanner struct{ attempt *attempt }

// planBuild reads the build, from the file at the commit or from the trigger, checks it, and
// chooses the image.
func (a buildPlanner) planBuild(ctx context.Context) (buildPlan, error) {
	p := buildPlan{request: a.buildRequest()}
	read := a.configuredBuild
	if a.attempt.bg.Spec.Build.Trigger != "" {
		read = a.triggeredBuild
	}
	if err := read(ctx, &p); err != nil {
		return p, buildFault(err)
	}
	var err error
	p.chosen, err = p.file.Choose(p.request,
		cloudbuild.ImageChoice{Image: a.attempt.bg.Spec.Build.Image, Live: a.attempt.o.Sides[a.attempt.o.Routes.Live()].Image})
	if err != nil {
		return p, buildFault(err)
	}
	if p.chosen.Unseen != nil {
		a.attempt.finding(p.chosen.Unseen.String())
	}
	if home := registry.Project(p.chosen.Reference); home != "" && home != p.request.Project {
		p.needs = append(p.needs, v1alpha1.ProjectGrant(home, "image "+p.chosen.Image))
	}
	return p, nil
}

func (a buildPlanner) buildRequest() cloudbuild.Request {
	spec := a.attempt.bg.Spec.Build
	return cloudbuild.Request{
		Project: spec.Project, Location: spec.Location,
		Commit: a.attempt.rel.Spec.Deploy.Commit, Branch: a.attempt.bg.Spec.Branch, Repository: a.attempt.bg.Spec.Repository,
		Release: string(a.attempt.rel.UID), Substitutions: spec.Substitutions,
		ServiceAccount: spec.ServiceAccount, Timeout: spec.Timeout.Duration,
	}
}

// configuredBuild is the build of spec.build.config, at the commit.
func (a buildPlanner) configuredBuild(ctx context.Context, p *buildPlan) (err error) {
	config := a.attempt.bg.Spec.Build.Config
	if p.written, err = a.buildFile(ctx, config, "name another file in spec.build.config of bluegreen "+a.attempt.bg.Name); err != nil {
		return err
	}
	if p.file, err = p.written.Apply(cloudbuild.ClusterSteps(a.attempt.bg.Spec.Build.ClusterSteps)); err != nil {
		return err
	}
	pool, err := p.file.PoolProject(p.request)
	if err != nil {
		return err
	}
	if pool != "" && pool != p.request.Project {
		p.needs = append(p.needs, v1alpha1.ProjectGrant(pool, "options.pool of "+config))
	}
	for _, warning := range p.file.Warnings { // of what a trigger would not leave out
		a.attempt.finding(warning.String())
	}
	return nil
}

// triggeredBuild is the build of spec.build.trigger, as the trigger holds it or as the file
// that it names says at the commit.
func (a buildPlanner) triggeredBuild(ctx context.Context, p *buildPlan) error {
	spec, r := a.attempt.bg.Spec.Build, &p.request
	builds, err := googleAccess{a.attempt}.plannedBuilds(ctx, *p)
	if err != nil {
		return err
	}
	t, err := ask(ctx, a.attempt.turn, question{what: "reading trigger " + spec.Trigger},
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
	if !t.Builds(a.attempt.d.Source.CloneURL(r.Repository)) {
		p.needs = append(p.needs, v1alpha1.TriggerGrant(t.Project, t.Location, t.Name))
		if _, err := (googleAccess{a.attempt}).plannedBuilds(ctx, *p); err != nil {
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
		p.written, err = a.buildFile(ctx, path, "correct the file's name in trigger "+t.Name)
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
			a.attempt.finding(w)
		}
	}
	p.file, r.Trigger = p.written, t
	return nil
}

// buildFile reads a build's file at the commit; otherwise is the alternative way out if there
// is no such file.
func (a buildPlanner) buildFile(ctx context.Context, path, otherwise string) (*cloudbuild.File, error) {
	what := a.attempt.rel.Spec.Deploy
	source, repository, commit := ownRepository{a.attempt.work}.source(), a.attempt.bg.Spec.Repository, what.Commit
	q := question{what: fmt.Sprintf("reading %s at %s", path, v1alpha1.ShortCommit(commit)), about: repository}
	data, err := ask(ctx, a.attempt.turn, q, func(ctx context.Context) ([]byte, error) { return source.File(ctx, commit, path) })
	if errors.Is(err, fs.ErrNotExist) {
		if err := a.missesCommit(ctx); err != nil {
			return nil, err
		}
		return nil, releaseFault(v1alpha1.FailedNoBuildConfig, "%s does not exist in %s at %s: add it, or %s", path, a.attempt.bg.Spec.Repository,
			v1alpha1.ShortCommit(what.Commit), otherwise)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s at %s: %w", path, v1alpha1.ShortCommit(what.Commit), err)
	}
	return cloudbuild.Parse(path, data)
}

// pushLag is how long after a push the repository may not have its commit yet.
const pushLag = time.Minute

// missesCommit is the error if the repository does not have the release's commit: a person
// can ask for any hash. It is nil if the repository has it.
func (a buildPlanner) missesCommit(ctx context.Context) error {
	what := a.attempt.rel.Spec.Deploy
	has, err := ownRepository{a.attempt.work}.hasCommit(ctx, a.attempt.turn, what.Commit)
	switch {
	case err != nil:
		return err
	case has:
		return nil
	case a.attempt.rel.Spec.Cause.Kind == v1alpha1.CausePush && a.attempt.o.Now.Sub(a.attempt.rel.CreationTimestamp.Time) < pushLag:
		return fmt.Errorf("%s does not have the pushed commit %s yet", a.attempt.bg.Spec.Repository, v1alpha1.ShortCommit(what.Commit))
	}
	return releaseFault(v1alpha1.FailedNoCommit, "%s has no commit %s: check the hash, or push the commit there, then release it again",
		a.attempt.bg.Spec.Repository, what.Commit)
}

// provideSource brings the commit to where Cloud Build finds it. A trigger has its own
// source.
func (a buildPlanner) provideSource(ctx context.Context, p *buildPlan) error {
	r := &p.request
	switch {
	case r.Trigger != nil:
		return nil
	case a.attempt.bg.Spec.Build.Source.Git:
		r.Source.Git = &cloudbuild.GitSource{URL: ownRepository{a.attempt.work}.source().CloneURL(), Revision: r.Commit}
		return nil
	}
	_, store, err := googleAccess{a.attempt}.google(ctx, append(a.attempt.bg.Needs(), p.needs...)...)
	if err != nil {
		return err
	}
	source, repository, commit := ownRepository{a.attempt.work}.source(), r.Repository, r.Commit
	upload := cloudbuild.Upload{
		Bucket: a.attempt.bg.SourceBucket(), Project: r.Project,
		Repository: repository, Commit: commit, Release: r.Release,
		Open: func(ctx context.Context) (io.ReadCloser, error) { return source.Archive(ctx, commit) },
	}
	q := question{
		what:     fmt.Sprintf("bringing the source of %s at %s to Cloud Storage", repository, v1alpha1.ShortCommit(commit)),
		transfer: true,
	}
	object, err := ask(ctx, a.attempt.turn, q, func(ctx context.Context) (cloudbuild.Object, error) { return store.Upload(ctx, upload) })
	if err != nil {
		return buildFault(fmt.Errorf("storing the source: %w", err))
	}
	r.Source.Object = &object
	return nil
}

// lookForRivals reports other triggers that would change the cluster at the same push. It
// looks once, right before a release's first build, and never stops one: a failed look is
// only a finding. The error means that the answer is not there yet.
func (a buildPlanner) lookForRivals(ctx context.Context, p buildPlan) error {
	r := p.request
	builds, err := googleAccess{a.attempt}.plannedBuilds(ctx, p)
	if err != nil {
		return err // the build is not started either
	}
	triggers, err := ask(ctx, a.attempt.turn, question{what: "listing the triggers of project " + r.Project},
		func(ctx context.Context) ([]*cloudbuild.Trigger, error) {
			return builds.Triggers(ctx, r.Project, r.Location)
		})
	var refused *cloudbuild.Error
	switch {
	case pending(err) != nil:
		return err
	case errors.As(err, &refused) && refused.Code == codes.PermissionDenied:
		a.attempt.finding(fmt.Sprintf("it was not looked whether other triggers deploy %s, too: Turnout may not list the triggers of project "+
			"%s; grant "+
			"its service account roles/cloudbuild.builds.viewer there", r.Repository, r.Project))
		return nil
	case err != nil:
		a.attempt.finding(fmt.Sprintf("it was not looked whether other triggers deploy %s, too: %v", r.Repository, err))
		return nil
	}
	for _, rival := range cloudbuild.Rivals(triggers, r.Repository, r.Branch, a.attempt.bg.Spec.Build.Trigger, p.written) {
		a.attempt.finding(rival)
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

// plannedBuilds is Cloud Build for a planned build, if all that its plan needs is granted.
func (a googleAccess) plannedBuilds(ctx context.Context, p buildPlan) (*cloudbuild.Client, error) {
	builds, _, err := a.google(ctx, append(a.bg.Needs(), p.needs...)...)
	return builds, err
}
