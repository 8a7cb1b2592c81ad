package bot

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// Publish makes GitHub show a release as the record has it: its deployment and state, the
// earlier deployments that it replaces, the comment on each of its pull requests and on
// those that it includes, and the reaction to the command that asked for it.
//
// It does not write every change. It edits a comment at once when its gist changes, that
// is, what readers act on: the image is built, users are moved, and above all the end.
// Other changes, such as the number of ready pods, appear with the next change of the gist,
// or after [progressEvery].
//
// again, if positive, is when to call it again even if nothing changes. After an error
// nothing is lost: what was done is recorded or will be found, and the next call does the
// rest.
func (p *Publisher) Publish(ctx context.Context, rel *v1alpha1.Release) (again time.Duration, err error) {
	defer func() {
		if fault := recover(); fault != nil { // anybody may write a release; it must not stop the others
			p.Log.ErrorContext(ctx, "publishing panicked",
				"release", rel.Name, "namespace", rel.Namespace, "panic", fault, "stack", string(debug.Stack()))
			again, err = 0, fmt.Errorf("publishing %s/%s panicked: %v", rel.Namespace, rel.Name, fault)
		}
	}()
	app, apps, err := p.granted(ctx, rel)
	if err != nil || app == nil {
		return 0, err
	}
	releases, err := p.Known.Releases(ctx, appKey(rel))
	if err != nil {
		return 0, fmt.Errorf("listing the releases of %s: %w", appKey(rel), err)
	}
	t := p.newThread(app, apps, releases, rel)
	if t.rel == nil {
		p.stray(ctx, rel)
		return 0, nil
	}
	err = t.publish(ctx)
	if wait, limited := githubapp.RetryAfter(err, time.Now()); limited {
		p.Log.WarnContext(ctx, "github limits our requests", "release", rel.Name, "wait", wait, "error", err)
		return wait, nil // the next call does the rest
	}
	switch {
	case errors.Is(err, ErrNotFound):
		return 0, nil // deleted meanwhile
	case errors.Is(err, ErrRace), errors.Is(err, errStoodStill):
		p.Log.InfoContext(ctx, "published beside another process", "release", rel.Name, "error", err)
		return afterRace, nil // what that one did is read first
	}
	return t.again, err
}

// pastAfter is the age at which what was published of a finished release stays as it is. A newer version
// of Turnout words some things differently, and must not edit every comment of the past. The comment of
// the live version still says what a rollback would do now.
const pastAfter = 24 * time.Hour

// isPast reports whether nothing is to be published of a release any more.
func isPast(app *v1alpha1.BlueGreen, rel *v1alpha1.Release, now time.Time) bool {
	st, last := rel.Status, app.Status.LastSwitch
	if rel.Spec.Contract != nil || last != nil && last.UID == string(rel.UID) {
		return false
	}
	return st.FinishedAt != nil && now.Sub(st.FinishedAt.Time) >= pastAfter &&
		st.GitHub != nil && st.GitHub.Published != "" && st.GitHub.DoubtSince == nil
}

// afterRace is how long a watch may take to bring what another process has written.
const afterRace = time.Second

// granted returns a release's application, nil without the grant or if nothing is to be published, and the granted
// applications of its repository, by which a report names this one. Without this check, the
// right to write a Release would be the right to comment in any repository.
func (p *Publisher) granted(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.BlueGreen, []v1alpha1.BlueGreen, error) {
	app, err := p.Known.Application(ctx, appKey(rel))
	if errors.Is(err, ErrNotFound) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("reading the application %s: %w", appKey(rel), err)
	}
	if isPast(app, rel, time.Now()) {
		return nil, nil, nil
	}
	apps, err := p.neighbours(ctx, app.Spec.Repository)
	if err != nil {
		return nil, nil, err
	}
	for i := range apps {
		if apps[i].Namespace == app.Namespace && apps[i].Name == app.Name {
			return app, apps, nil
		}
	}
	return nil, nil, nil
}

// neighboursFor is how long the applications of a repository count as known. After a start every release
// is published again, and a repository may have a thousand applications with twenty each.
const neighboursFor = time.Second

// neighbours returns the granted applications of a repository with what names them: their names and
// environments.
func (p *Publisher) neighbours(ctx context.Context, repository string) ([]v1alpha1.BlueGreen, error) {
	if known, _, found := p.known.get(repository, neighboursFor); found {
		return known, nil
	}
	apps, err := p.Record.Applications(ctx, repository, 0)
	if err != nil {
		return nil, fmt.Errorf("reading the applications of %s: %w", repository, err)
	}
	for i := range apps {
		name, environment := apps[i].ObjectMeta, apps[i].Spec.Environment
		apps[i] = v1alpha1.BlueGreen{}
		apps[i].Namespace, apps[i].Name, apps[i].Spec.Environment = name.Namespace, name.Name, environment
	}
	p.known.put(repository, apps)
	return apps, nil
}

func (p *Publisher) newThread(app *v1alpha1.BlueGreen, apps []v1alpha1.BlueGreen, releases []v1alpha1.Release,
	rel *v1alpha1.Release,
) *thread {
	t := &thread{
		Publisher: p, app: app, apps: apps, releases: slices.Clone(releases), recorded: map[releaseID]*v1alpha1.GitHubStatus{},
	}
	t.releases = slices.DeleteFunc(t.releases, func(r v1alpha1.Release) bool { return r.Spec.Application != app.Name || command.Malformed(r) })
	for i := range t.releases {
		r := &t.releases[i]
		if latest := p.memory.latest(r); !latest.Same(r.Status.GitHub) {
			r.Status.GitHub, r.ResourceVersion = latest, "" // what was read lags behind
		} else if r.Status.GitHub == nil {
			r.Status.GitHub = latest
		}
		if r.UID == rel.UID {
			t.rel = r
		}
	}
	return t
}

// stray logs a release that is not listed with its application: it was deleted, or it is
// malformed.
func (p *Publisher) stray(ctx context.Context, rel *v1alpha1.Release) {
	label := rel.Labels[v1alpha1.ApplicationLabel]
	if label == rel.Spec.Application && !command.Malformed(*rel) || !p.strays.first(rel.UID) {
		return
	}
	p.Log.WarnContext(ctx, "release not published: its kind does not fit its spec, or its label is not its spec.application; delete it and "+
		"create it again",
		"release", rel.Name, "namespace", rel.Namespace, "kind", rel.Spec.Kind, v1alpha1.ApplicationLabel, label, "application",
		rel.Spec.Application)
}

// publish writes what GitHub lacks, the Deployments tab first. If one part fails, it still
// tries the others.
func (t *thread) publish(ctx context.Context) error {
	if st := t.rel.Status.GitHub; st.DoubtSince == nil && st.Published == t.digest() {
		return nil
	}
	var errs []error
	for _, do := range []func(context.Context) error{merged{t}.findPullRequests, tab{t}.deployments, talk{t}.comments, t.react, t.settle} {
		if err := do(ctx); err != nil {
			errs = append(errs, err)
		}
	}
	if len(errs) == 0 && t.again == 0 {
		t.note(t.rel, func(s *v1alpha1.GitHubStatus) { s.Published = t.digest() })
	}
	return errors.Join(append(errs, t.recordNotes(ctx))...)
}

// digest hashes everything that the publication of the release depends on.
func (t *thread) digest() string {
	var parts []any
	parts = append(parts, tab{t}.wanted(t.rel), reactionOf(t.rel))
	if s := t.app.Status.Schema; t.rel.Spec.Contract != nil && s != nil {
		parts = append(parts, s.State) // the comment of the version that it closed the way back from shows it
	}
	for _, number := range t.rel.Status.GitHub.PullRequests {
		if d, ok := t.draft(number); ok {
			parts = append(parts, number, d.digest())
		}
	}
	return report.Digest(parts...)
}

// reactionOf returns the reaction for the command that asked for a release; empty while the
// release runs, or if no comment asked for it.
func reactionOf(rel *v1alpha1.Release) string {
	switch {
	case rel.Spec.Cause.CommentID == 0 || !rel.Status.Phase.Finished():
		return ""
	case rel.Status.Phase == v1alpha1.ReleaseSucceeded:
		return githubapp.ReactionDone
	}
	return githubapp.ReactionRefused
}

// react shows on the command how it ended. That is decoration: a failure is logged, and
// retried only with the next change.
func (t *thread) react(ctx context.Context) error {
	want := reactionOf(t.rel)
	if want == "" || t.rel.Status.GitHub.Reaction == want {
		return nil
	}
	comment := t.rel.Spec.Cause.CommentID
	if err := t.GitHub.React(ctx, t.app.Spec.Repository, comment, want); err != nil {
		t.Log.InfoContext(ctx, "reaction not set", "release", t.rel.Name, "error", err)
		return nil
	}
	if err := t.GitHub.Unreact(ctx, t.app.Spec.Repository, comment, githubapp.ReactionSeen); err != nil {
		t.Log.InfoContext(ctx, "reaction not taken back", "release", t.rel.Name, "error", err)
	}
	t.note(t.rel, func(s *v1alpha1.GitHubStatus) { s.Reaction = want })
	return nil
}
