package cutover

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/gclb"
)

// released is an application that Turnout releases.
type released struct {
	*app
	repo  *githubtest.Repository
	user  *githubtest.User
	count int
	moves chan move
	// gateway: users come through a Gateway, and not through an Ingress.
	gateway bool
	// more are fields of the BlueGreen's spec.
	more map[string]any
}

// move is a change of the Service that users reach.
type move struct {
	to v1alpha1.Color
	at time.Time
}

const firstVersion = "v1.0.0"

// newReleased creates an application, its repository and its BlueGreen, and waits until blue,
// with the first version, is live.
func (r *run) newReleased(ctx context.Context, name string, hold time.Duration) (*released, error) {
	a, err := r.newApp(ctx, name, true)
	if err != nil {
		return nil, err
	}
	t := &released{app: a, moves: make(chan move, 16)}
	return t, t.adopt(ctx, hold)
}

// adopt makes its objects, and waits until users have blue.
func (t *released) adopt(ctx context.Context, hold time.Duration) error {
	if err := t.makeRepository(); err != nil {
		return err
	}
	objects, watch := []client.Object{t.backendConfig(), t.ingress(t.service(v1alpha1.Blue))}, t.watchIngress
	if t.gateway {
		objects, watch = t.gatewayObjects(), t.watchRoute
	}
	for color, size := range map[v1alpha1.Color]int32{v1alpha1.Blue: replicas, v1alpha1.Green: 0} {
		objects = append(objects, t.deploy(t.deployment(color), string(color), "", size), t.app.service(t.service(color), string(color)))
	}
	if err := t.create(ctx, append(objects, t.blueGreen(hold))...); err != nil {
		return err
	}
	if err := watch(ctx); err != nil {
		return err
	}
	err := t.until(ctx, "the application to be adopted", func(ctx context.Context) (bool, error) {
		bg := &v1alpha1.BlueGreen{}
		err := t.kube.Get(ctx, client.ObjectKey{Namespace: t.namespace, Name: t.name}, bg)
		return bg.Status.Phase == v1alpha1.PhaseIdle, err
	})
	if err != nil {
		return err
	}
	return t.start(ctx, firstVersion)
}

func (t *released) deployment(c v1alpha1.Color) string { return t.name + "-" + string(c) }
func (t *released) service(c v1alpha1.Color) string    { return t.name + "-" + string(c) + "-svc" }

func (t *released) makeRepository() error {
	hub := t.World.GitHub
	t.user = t.writer
	files, err := githubtest.Directory(filepath.Join(t.Project, "sandbox", "bench", "application"))
	if err != nil {
		return fmt.Errorf("reading the application: %w", err)
	}
	if t.repo, err = hub.AddRepository(t.repository(), githubtest.RepositoryConfig{Files: files}); err != nil {
		return fmt.Errorf("creating the repository: %w", err)
	}
	if err := t.repo.SetRole(t.user, "write"); err != nil {
		return fmt.Errorf("giving the right to merge: %w", err)
	}
	t.Turnout.App.InstallOn(t.repo, nil)
	return nil
}

// blueGreen divides those of Turnout's own times that depend on the load balancer's.
func (t *released) blueGreen(hold time.Duration) client.Object {
	spec := map[string]any{
		"repository": t.repository(), "build": map[string]any{"project": "acme-prod"},
		"url": t.public(), "hold": hold.String(),
	}
	if t.gateway {
		spec["gateway"] = map[string]any{"route": t.name}
	}
	maps.Copy(spec, t.Times)
	maps.Copy(spec, t.more)
	u := &unstructured.Unstructured{Object: map[string]any{"spec": spec}}
	u.SetGroupVersionKind(v1alpha1.GroupVersion.WithKind("BlueGreen"))
	u.SetNamespace(t.namespace)
	u.SetName(t.name)
	return u
}

// Times are the fields of a BlueGreen's spec that differ from their defaults, at a given speed of
// the load balancer. drain covers the last front end and the slowest request, which is not
// divided; hold is each application's own.
func Times(speed float64) map[string]any {
	divided := func(d time.Duration) time.Duration { return time.Duration(float64(d) / speed) }
	measured := divided(30 * time.Second).String()
	return map[string]any{
		"soak": "3s", "drain": (divided(gclb.DefaultDelays().LastAdoption) + 2*longest).String(),
		"gate": map[string]any{
			"http":     []any{map[string]any{"path": "/healthz", "port": int64(application.Port)}},
			"interval": "200ms",
		},
		"proof": map[string]any{"versionHeader": application.VersionHeader, "baseline": measured, "tail": measured},
	}
}

// watchIngress records when users are sent to another colour.
func (t *released) watchIngress(ctx context.Context) error {
	w, err := t.kube.Watch(ctx, &networkingv1.IngressList{}, client.InNamespace(t.namespace))
	if err != nil {
		return fmt.Errorf("watching the ingress: %w", err)
	}
	go func() {
		live := v1alpha1.Blue
		for event := range w.ResultChan() {
			i, ok := event.Object.(*networkingv1.Ingress)
			if !ok {
				continue
			}
			now := v1alpha1.Blue
			if i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name == t.service(v1alpha1.Green) {
				now = v1alpha1.Green
			}
			if now != live {
				live = now
				t.moves <- move{to: now, at: time.Now()}
			}
		}
	}()
	return nil
}

func (t *released) awaitMove(ctx context.Context) (move, error) {
	ticks := time.NewTicker(time.Second)
	defer ticks.Stop()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		select {
		case m := <-t.moves:
			return m, nil
		case <-ticks.C:
			if why := t.stuck(ctx); why != "" {
				return move{}, errors.New(why)
			}
		case <-ctx.Done():
			return move{}, fmt.Errorf("waiting for the switch: %w", ctx.Err())
		}
	}
	return move{}, fmt.Errorf("%s: no switch within %s: %s", t.name, patience, t.describe(ctx))
}

// stuck is why no switch will come; empty: it may still come.
func (t *released) stuck(ctx context.Context) string {
	var list v1alpha1.ReleaseList
	if err := t.kube.List(ctx, &list, client.InNamespace(t.namespace)); err != nil {
		return err.Error()
	}
	for i := range list.Items {
		s := &list.Items[i].Status
		expected := s.Phase == v1alpha1.ReleaseSucceeded || s.Phase == v1alpha1.ReleaseCancelled // that one was asked for
		if s.Phase.Finished() && s.Milestones.SwitchedAt == nil && !expected {
			return t.describe(ctx)
		}
	}
	return ""
}

// describe lists every release that did not succeed, and its state.
func (t *released) describe(ctx context.Context) string {
	var list v1alpha1.ReleaseList
	if err := t.kube.List(ctx, &list, client.InNamespace(t.namespace)); err != nil {
		return err.Error()
	}
	var text []string
	for i := range list.Items {
		if s := &list.Items[i].Status; s.Phase != v1alpha1.ReleaseSucceeded {
			text = append(text, fmt.Sprintf("%s is %s at %s: %s", list.Items[i].Name, s.Phase, s.Step, s.Message))
		}
	}
	return strings.Join(text, "; ")
}

// merge ships the next version, and approves it if it contains one that was rolled back.
func (t *released) merge() (version string, pr *githubtest.PullRequest, err error) {
	if version, pr, err = t.ship(); err == nil && t.count > 1 {
		err = t.comment(pr, "/promote")
	}
	return version, pr, err
}

// ship creates and merges the next version.
func (t *released) ship() (version string, pr *githubtest.PullRequest, err error) {
	t.count++
	version = fmt.Sprintf("v2.%d.0", t.count)
	files := githubtest.Text(map[string]string{"VERSION": version + "\n"})
	if _, err := t.repo.CommitFiles(githubtest.Commit{Branch: version, Message: version, Files: files, Author: t.user}); err != nil {
		return "", nil, fmt.Errorf("committing: %w", err)
	}
	pr, err = t.repo.OpenPullRequest(githubtest.NewPullRequest{Title: version, Head: version, Author: t.user})
	if err != nil {
		return "", nil, fmt.Errorf("opening a pull request: %w", err)
	}
	if _, err := pr.Merge(t.user); err != nil {
		return "", nil, fmt.Errorf("merging: %w", err)
	}
	return version, pr, nil
}

func (t *released) comment(pr *githubtest.PullRequest, text string) error {
	if _, err := t.repo.Comment(pr.Number, t.user, text); err != nil {
		return fmt.Errorf("commenting %s: %w", text, err)
	}
	return nil
}

// release merges a version and waits until its release has succeeded.
func (t *released) release(ctx context.Context, row string) (version string, pr *githubtest.PullRequest, err error) {
	t.begin(row)
	if version, pr, err = t.merge(); err != nil {
		return "", nil, err
	}
	m, err := t.awaitMove(ctx)
	if err != nil {
		return "", nil, err
	}
	t.cut(m.at, firstVersion)
	return version, pr, t.finished(ctx, v1alpha1.ReleaseSucceeded)
}

// rollBack comments /rollback and waits until users are back.
func (t *released) rollBack(ctx context.Context, row, version string, pr *githubtest.PullRequest) error {
	if err := t.comment(pr, "/rollback"); err != nil {
		return err
	}
	m, err := t.awaitMove(ctx)
	if err != nil {
		comments := t.repo.Comments(pr.Number)
		return fmt.Errorf("%s: %w; the last comment is: %s", row, err, comments[len(comments)-1].Body)
	}
	t.cut(m.at, version)
	if err := t.finished(ctx, v1alpha1.ReleaseSucceeded); err != nil {
		return err
	}
	return t.settle(ctx, firstVersion, m.at)
}

// finished waits until no release acts any more. The newest must have ended in the given phase.
func (t *released) finished(ctx context.Context, as v1alpha1.ReleasePhase) error {
	err := t.until(ctx, "the release to end", func(ctx context.Context) (bool, error) {
		var list v1alpha1.ReleaseList
		if err := t.kube.List(ctx, &list, client.InNamespace(t.namespace)); err != nil {
			return false, err
		}
		var last *v1alpha1.Release
		for i := range list.Items {
			rel := &list.Items[i]
			if !rel.Status.Phase.Finished() {
				return false, nil
			}
			if last == nil || rel.Status.FinishedAt.After(last.Status.FinishedAt.Time) {
				last = rel
			}
		}
		if last != nil && last.Status.Phase != as {
			return false, fmt.Errorf("%s is %s: %s", last.Name, last.Status.Phase, last.Status.Message)
		}
		return last != nil, nil
	})
	if err != nil {
		return fmt.Errorf("%w; %s", err, t.describe(ctx))
	}
	return nil
}

// held releases and rolls back at once, n times.
func (r *run) held(ctx context.Context, n int) (*app, error) {
	t, err := r.newReleased(ctx, "held", time.Hour)
	if err != nil {
		return t.orNil(), err
	}
	for i := range n {
		version, pr, err := t.release(ctx, Switch)
		if err != nil {
			return t.app, err
		}
		t.begin(Rollback)
		if err := t.rollBack(ctx, Rollback, version, pr); err != nil {
			return t.app, err
		}
		t.progress(i, n)
	}
	return t.app, nil
}

// orNil is the application, as far as it was created.
func (t *released) orNil() *app {
	if t == nil {
		return nil
	}
	return t.app
}

// shrunk releases, waits until the old colour has no pods, and rolls back.
func (r *run) shrunk(ctx context.Context, name string, n int) (*app, error) {
	t, err := r.newReleased(ctx, name, 0)
	if err != nil {
		return t.orNil(), err
	}
	for i := range n {
		version, pr, err := t.release(ctx, Switch)
		if err != nil {
			return t.app, err
		}
		t.begin(RollbackFromZero)
		if err := t.available(ctx, t.deployment(v1alpha1.Blue), 0); err != nil {
			return t.app, err
		}
		if err := t.rollBack(ctx, RollbackFromZero, version, pr); err != nil {
			return t.app, err
		}
		t.progress(i, n)
	}
	return t.app, nil
}

// fails releases versions that begin to fail once users are sent to them.
func (r *run) fails(ctx context.Context, name string, n int) (*app, error) {
	t, err := r.newReleased(ctx, name, time.Hour)
	if err != nil {
		return t.orNil(), err
	}
	for i := range n {
		t.begin(GreenFails)
		old, _ := t.LoadBalancer.Adoption.Leads(t.host, "/")
		if _, _, err := t.merge(); err != nil {
			return t.app, err
		}
		m, err := t.awaitMove(ctx)
		if err != nil {
			return t.app, err
		}
		t.cut(m.at, firstVersion)
		if _, err := t.awaitConfiguration(ctx, func(backend string) bool { return backend != old }); err != nil {
			return t.app, err
		}
		fault := time.Now()
		t.change(func(p *period) { p.cutover.fault = fault })
		if err := t.breakPods(ctx, m.to); err != nil {
			return t.app, err
		}
		if m, err = t.awaitMove(ctx); err != nil {
			return t.app, fmt.Errorf("the restore: %w", err)
		}
		t.change(func(p *period) { p.cutover.restored = m.at })
		back, err := t.awaitConfiguration(ctx, func(backend string) bool { return backend == old })
		if err == nil {
			err = t.until(ctx, "every front end to follow the restore", func(context.Context) (bool, error) {
				return t.LoadBalancer.Adoption.ByAll(back), nil
			})
		}
		if err != nil {
			return t.app, err
		}
		followed := time.Now()
		t.change(func(p *period) { p.cutover.followed = followed })
		if err := t.finished(ctx, v1alpha1.ReleaseFailed); err != nil {
			return t.app, err
		}
		if err := t.settle(ctx, firstVersion, m.at); err != nil {
			return t.app, err
		}
		t.progress(i, n)
	}
	return t.app, nil
}

// awaitConfiguration waits until the newest configuration of the load balancer sends users to a
// backend service that is wanted, and returns the configuration.
func (t *released) awaitConfiguration(ctx context.Context, wanted func(backend string) bool) (configuration int, err error) {
	err = t.until(ctx, "the load balancer to hear where users go", func(context.Context) (bool, error) {
		var backend string
		backend, configuration = t.LoadBalancer.Adoption.Leads(t.host, "/")
		return wanted(backend), nil
	})
	return configuration, err
}

// breakPods makes every pod of a colour fail.
func (t *released) breakPods(ctx context.Context, c v1alpha1.Color) error {
	var pods corev1.PodList
	if err := t.kube.List(ctx, &pods, client.InNamespace(t.namespace), client.MatchingLabels(t.labels(string(c)))); err != nil {
		return fmt.Errorf("listing pods: %w", err)
	}
	for i := range pods.Items {
		if pods.Items[i].DeletionTimestamp != nil {
			continue
		}
		request, err := http.NewRequestWithContext(ctx, http.MethodGet,
			fmt.Sprintf("http://%s:%d/break", pods.Items[i].Status.PodIP, application.Port), http.NoBody)
		if err != nil {
			return fmt.Errorf("breaking a pod: %w", err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			return fmt.Errorf("breaking a pod: %w", err)
		}
		_ = response.Body.Close()
	}
	return nil
}
