package deployer

import (
	"context"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/oauth2"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// annotate sets annotations of the world's namespace.
func (w *world) annotate(annotations map[string]string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.get(ns)
	maps.Copy(ns.Annotations, annotations)
	check(w.t, w.kube.Update(w.t.Context(), ns))
}

func TestNothingOfGoogleIsUsedWithoutAGrant(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*v1alpha1.BuildSpec)
		want   string
	}{
		{"another team's project", func(b *v1alpha1.BuildSpec) { b.Project = "team-b-prod" }, "turnout.dev/projects=acme-prod,team-b-prod"},
		{
			"another team's account", func(b *v1alpha1.BuildSpec) { b.ServiceAccount = "deployer@team-b-prod.iam.gserviceaccount.com" },
			"turnout.dev/build-accounts=deployer@team-b-prod.iam.gserviceaccount.com",
		},
		{
			"another team's bucket", func(b *v1alpha1.BuildSpec) { b.Source.Bucket = "team-b-prod_cloudbuild" },
			"turnout.dev/buckets=team-b-prod_cloudbuild",
		},
		{
			"another team's trigger", func(b *v1alpha1.BuildSpec) { b.Project, b.Trigger = "team-b-prod", "deploy-to-production" },
			"turnout.dev/projects=acme-prod,team-b-prod",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(bg *v1alpha1.BlueGreen) { tt.change(&bg.Spec.Build) })
			w.run()
			rel := w.submit("a")
			w.awaitReason(v1alpha1.ReasonNotGranted)
			commands := w.application().Status.CommandsOf(v1alpha1.ConditionReady)
			if want := v1alpha1.ShellCommand("kubectl annotate --overwrite namespace " + w.namespace + " " + tt.want); !slices.Equal(commands,
				[]v1alpha1.ShellCommand{want}) {
				t.Errorf("the condition's commands are %q, want %q", commands, want)
			}
			w.expectMessage(w.awaitPhase(rel, v1alpha1.ReleaseQueued), "waits: namespace "+w.namespace+" is not granted")
			if calls := w.builds.Calls(); len(calls) > 0 || w.source.asked() > 0 {
				t.Errorf("Cloud Build got %v, the repository %d requests", calls, w.source.asked())
			}
		})
	}
}

func TestTriggerOfAnUnknownRepositoryNeedsAGrantByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTrigger, func(bg *v1alpha1.BlueGreen) { bg.Spec.Build.ClusterSteps = v1alpha1.ClusterStepsAllow })
	w.keepTrigger(func(pb *cloudbuildpb.BuildTrigger) {
		pb.SourceToBuild = &cloudbuildpb.GitRepoSource{
			Source: &cloudbuildpb.GitRepoSource_Repository{
				Repository: "projects/acme-prod/locations/global/connections/c/repositories/acme-my-python-app",
			}, Ref: "refs/heads/main",
		}
	})
	w.run()
	rel := w.await(w.submit("a"), "what it waits for",
		func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "is not granted") })
	const want = "turnout.dev/triggers=acme-prod/global/deploy-main"
	if got := saidOf(rel); !strings.HasSuffix(got, want) {
		t.Errorf("the release's message is %q, want the command with %s", got, want)
	}
	if calls := w.builds.Calls(); calls["RunBuildTrigger"]+calls["CreateBuild"]+calls["ListBuildTriggers"] > 0 {
		t.Errorf("before the grant Cloud Build got %v", calls)
	}
	w.annotate(map[string]string{v1alpha1.TriggersAnnotation: "acme-prod/global/deploy-main"})
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestPrivatePoolOfAnotherProjectNeedsItsGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.write("a", plainFile+
		"substitutions: {_TEAM: team-b}\noptions: {pool: {name: 'projects/${_TEAM}-prod/locations/europe-west1/workerPools/p'}}\n")
	w.run()
	rel := w.await(w.submit("a"), "what it waits for",
		func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "is not granted") })
	if want := "project team-b-prod (options.pool of cloudbuild.yaml)"; !strings.Contains(rel.Status.Message, want) {
		t.Errorf("the release's message is %q, want in it %q", rel.Status.Message, want)
	}
	if calls := w.builds.Calls(); len(calls) > 0 {
		t.Errorf("Cloud Build got %v", calls)
	}
}

func TestGrantThatIsTakenAwayEndsTheAskingUntilItIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	done := make(chan struct{})
	digests := w.build
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		select {
		case <-done:
		case <-ctx.Done():
		}
		return digests(ctx, b)
	}
	w.run()
	rel := w.await(w.submit("a"), "a build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	w.annotate(map[string]string{v1alpha1.ProjectsAnnotation: ""})
	rel = w.await(rel, "what it waits for", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "is not granted") })
	if want := "not granted project acme-prod ("; !strings.Contains(rel.Status.Message, want) { // by the spec, or by the build that runs
		t.Errorf("the release's message is %q, want in it %q", rel.Status.Message, want)
	}
	close(done)
	w.annotate(map[string]string{v1alpha1.ProjectsAnnotation: "acme-prod"})
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	// A stop that was due is carried out if the grant comes back right then.
	if n, stopped := len(w.made()), w.builds.Calls()["CancelBuild"]; n != 1+stopped {
		t.Errorf("%d builds were created and %d stopped", n, stopped)
	}
}

// unreachable is a Google that fails the test on any call.
type unreachable struct{ t *testing.T }

func (u unreachable) As(context.Context, string) (*cloudbuild.Client, *cloudbuild.Store, error) {
	u.t.Error("Google was asked")
	return nil, nil, fs.ErrInvalid
}

func (u unreachable) Tokens(context.Context, string) (oauth2.TokenSource, error) {
	u.t.Error("Google was asked")
	return nil, fs.ErrInvalid
}

// Each call of each act, right after the grant was withdrawn.
func TestNoActReachesGoogleAfterTheGrantWasTakenAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.annotate(map[string]string{v1alpha1.ProjectsAnnotation: ""})
	own := ownRepository{remote: w.source}
	access := googleAccess{google: unreachable{t}, reader: w.kube}
	planner := buildPlanner{repository: own, access: access}
	builds := buildAct{recorder: recorder{w.record()}, planner: planner, access: access}
	asks := turns{new(calls)}
	plan := func(a *attempt) *buildPlan { return &buildPlan{request: planner.buildRequest(a)} }
	acts := map[string]func(context.Context, *attempt) error{
		"trigger": func(ctx context.Context, a *attempt) error { return planner.triggeredBuild(ctx, a, plan(a)) },
		"upload":  func(ctx context.Context, a *attempt) error { return planner.provideSource(ctx, a, plan(a)) },
		"start":   func(ctx context.Context, a *attempt) error { _, err := builds.startBuild(ctx, a, 0); return err },
		"find":    func(ctx context.Context, a *attempt) error { _, err := builds.findBuild(ctx, a); return err },
		"poll":    func(ctx context.Context, a *attempt) error { _, err := builds.followBuild(ctx, a); return err },
		"image": func(ctx context.Context, a *attempt) error {
			_, err := imaging{access: access}.askRegistry(ctx, a, "gcr.io/acme-prod/orders:x")
			return err
		},
		"rivals": func(ctx context.Context, a *attempt) error { return planner.lookForRivals(ctx, a, *plan(a)) },
		"cancel": func(ctx context.Context, a *attempt) error {
			if err := (buildRecord{access: access, turns: asks}).cancelBuild(ctx, a); err != nil {
				return err
			}
			if got := findingsOf(a.rel); !strings.Contains(got, "the build was not stopped: namespace "+w.namespace+" is not granted") {
				t.Errorf("the findings are %q", got)
			}
			return &notGranted{}
		},
	}
	for name, act := range acts {
		rel := &v1alpha1.Release{
			ObjectMeta: w.meta("r"),
			Spec:       v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Deploy: &v1alpha1.DeploySpec{Repository: repository, Commit: w.source.sha("a")}},
		}
		rel.Status.Build = &v1alpha1.BuildStatus{Project: "acme-prod", Location: "global", ID: "1"}
		a := &attempt{
			work: &work{bg: w.application(), log: slog.New(slog.DiscardHandler)}, rel: rel, saved: rel.Status.DeepCopy(),
			log: slog.New(slog.DiscardHandler),
		}
		a.turn = asks.turnOf(a, v1alpha1.StepBuild)
		if err := act(t.Context(), a); !lacksGrant(err) {
			t.Errorf("%s: %v, want the grant to be missing", name, err)
		}
	}
}

// Any other path to Google would bypass the grants.
func TestOnlyTwoFunctionsReachGoogle(t *testing.T) {
	t.Parallel()
	product := func(f fs.FileInfo) bool { return !strings.HasSuffix(f.Name(), "_test.go") }
	files, err := parser.ParseDir(token.NewFileSet(), ".", product, 0) //nolint:staticcheck // one package without build tags
	check(t, err)
	var uses []string
	for _, f := range files["deployer"].Files {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				s, ok := n.(*ast.SelectorExpr)
				if !ok || lastName(s.X) == "Analysis" { // a field of the spec
					return true
				}
				switch s.Sel.Name {
				case "Google", "google", "Tokens", "NewClient", "NewAccounts":
					uses = append(uses, fn.Name.Name+" uses "+s.Sel.Name)
				}
				return true
			})
		}
	}
	slices.Sort(uses)
	if diff := cmp.Diff([]string{
		"common uses Google", "googleTokens uses Tokens", "googleTokens uses google", "reach uses google",
	}, uses); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}

func TestBuildsAreMadeAsTheAccountThatTheNamespaceNames(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const account = "shop@acme-prod.iam.gserviceaccount.com"
	w.annotate(map[string]string{v1alpha1.ImpersonateAnnotation: " " + account + " "})
	var g *google
	w.run(func(d *Deployer) { g = d.Google.(*google) }) //nolint:forcetypeassert // set by run
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	g.mu.Lock()
	defer g.mu.Unlock()
	if diff := cmp.Diff([]string{account}, g.asked); diff != "" {
		t.Errorf("asked as (-want +got)\n%s", diff)
	}
}
