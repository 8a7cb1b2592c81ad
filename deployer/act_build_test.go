package deployer

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

// byTrigger is an application that builds by the trigger deploy-main.
func byTrigger(bg *v1alpha1.BlueGreen) { bg.Spec.Build.Trigger = "deploy-main" }

// keepTrigger creates a trigger in the project: by default a manual one for the repository that
// builds cloudbuild.yaml.
func (w *world) keepTrigger(change ...func(*cloudbuildpb.BuildTrigger)) *cloudbuildpb.BuildTrigger {
	w.t.Helper()
	pb := &cloudbuildpb.BuildTrigger{
		Name: "deploy-main", BuildTemplate: &cloudbuildpb.BuildTrigger_Filename{Filename: "cloudbuild.yaml"},
		SourceToBuild: &cloudbuildpb.GitRepoSource{Uri: "https://github.com/" + repository, Ref: "refs/heads/main"},
	}
	for _, c := range change {
		c(pb)
	}
	made, err := w.builds.CreateBuildTrigger(w.t.Context(),
		&cloudbuildpb.CreateBuildTriggerRequest{Parent: "projects/acme-prod/locations/global", Trigger: pb})
	check(w.t, err)
	return made
}

// onPush makes a trigger run on every push to main.
func onPush(pb *cloudbuildpb.BuildTrigger) {
	pb.SourceToBuild = nil
	pb.Github = &cloudbuildpb.GitHubEventsConfig{Owner: "acme", Name: "my-python-app", Event: &cloudbuildpb.GitHubEventsConfig_Push{
		Push: &cloudbuildpb.PushFilter{GitRef: &cloudbuildpb.PushFilter_Branch{Branch: "^main$"}},
	}}
}

// plainFile is a cloudbuild.yaml that only builds the image.
const plainFile = `steps:
- name: gcr.io/cloud-builders/docker
  args: [build, -t, 'gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', .]
images: ['gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA']
`

// kubectlFile is a cloudbuild.yaml whose second step changes the cluster.
const kubectlFile = `steps:
- name: gcr.io/cloud-builders/docker
  args: [build, -t, 'gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', .]
- name: gcr.io/cloud-builders/kubectl
  id: deploy
  args: [apply, -f, k8s]
images: ['gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA']
`

// writeAt writes the build file at a revision that is no commit.
func (h *history) writeAt(revision, config string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.config[revision] = config
}

func (w *world) made() []*cloudbuildpb.Build { return w.builds.Builds("acme-prod", "global") }

func TestReleaseThroughATrigger(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTrigger)
	trigger := w.keepTrigger()
	// The Go API lacks that field, but a trigger's build has it.
	w.source.write("a", strings.Replace(plainFile, "\nimages:", "\n- name: python\n  entrypoint: make\n  args: [deploy]\nimages:", 1)+
		"options: {pubsubTopic: projects/p/topics/builds}\n")
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.expectDeployed(rel)
	b := rel.Status.Build
	if b.Trigger != trigger.GetId() || b.CreatedAt == nil || b.StartedAt == nil || b.ID != w.made()[0].GetId() {
		t.Errorf("the record of the build is %+v", b)
	}
	got := w.made()[0].GetSubstitutions()
	if got["COMMIT_SHA"] != w.source.sha("a") || got[cloudbuild.ReleaseSubstitution] != string(rel.UID) {
		t.Errorf("the build request was %v", got)
	}
	if calls := w.builds.Calls(); calls["RunBuildTrigger"] != 1 || calls["CreateBuild"] != 0 {
		t.Errorf("calls %v", calls)
	}
	if said := rel.Status.Timeline[0].Message; said != "built "+rel.Status.Milestones.Built.Image {
		t.Errorf("the timeline says %q", said)
	}
	if got := strings.ReplaceAll(findingsOf(rel), w.namespace, "shop"); strings.Contains(got, "trigger") ||
		strings.Contains(got, "left out") ||
		!strings.Contains(got, `Turnout cannot see whether it changes the cluster: it runs "make deploy"`) {
		t.Errorf("the findings are %q", rel.Status.Findings)
	}
}

// planning is a repository that checks, when a build file is read, how far the release of its
// commit is recorded. If reading the file crashes the process, the record is all that remains.
type planning struct {
	*history
	w        *world
	onRecord map[string]v1alpha1.Step // by commit
}

func (p *planning) File(ctx context.Context, repository, commit, path string) ([]byte, error) {
	p.note(commit)
	return p.history.File(ctx, repository, commit, path)
}

func (p *planning) note(commit string) {
	rel := &v1alpha1.Release{ObjectMeta: p.w.meta(v1alpha1.DeployName("my-python-app", commit, 1))}
	err := p.w.kube.Get(p.w.t.Context(), keyOf(rel), rel)
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, again := p.onRecord[commit]; !again && err == nil {
		p.onRecord[commit] = rel.Status.Step
	}
}

func TestReleaseIsOnRecordAsBuildingBeforeItsBuildIsPlanned(t *testing.T) {
	t.Parallel()
	t.Run("by its file", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, soaks(time.Minute))
		w.source.commit("b", "a")
		p := &planning{history: w.source, w: w, onRecord: map[string]v1alpha1.Step{}}
		w.run(from(p))
		w.await(w.submit("a"), "the soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
		w.await(w.submit("b"), "a build ahead", func(r *v1alpha1.Release) bool { return r.Status.Build != nil })
		p.expect(t, "a", "b")
	})
	t.Run("by a trigger", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, byTrigger)
		w.keepTrigger()
		p := &planning{history: w.source, w: w, onRecord: map[string]v1alpha1.Step{}}
		w.run(from(p), w.interrupted(func(_ context.Context, method string) error {
			if strings.HasSuffix(method, "/GetBuildTrigger") {
				p.note(w.source.sha("a"))
			}
			return nil
		}))
		w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
		p.expect(t, "a")
	})
}

// expect checks that these commits' builds were planned, each after its release was recorded.
func (p *planning) expect(t *testing.T, letters ...string) {
	t.Helper()
	want := map[string]v1alpha1.Step{}
	for _, l := range letters {
		want[p.sha(l)] = v1alpha1.StepBuild
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if diff := cmp.Diff(want, p.onRecord); diff != "" {
		t.Errorf("when the build file was read, the record had (-want +got):\n%s", diff)
	}
}

func TestTriggerThatCannotBeUsedFailsBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		change func(*cloudbuildpb.BuildTrigger)
		want   []string
		reason string
		line   int32
	}{
		{
			"unknown", func(pb *cloudbuildpb.BuildTrigger) { pb.Name = "other" },
			[]string{"trigger deploy-main does not exist", "spec.build.trigger"},
			"BuildTrigger", 0,
		},
		{
			"disabled", func(pb *cloudbuildpb.BuildTrigger) { pb.Disabled = true },
			[]string{"trigger deploy-main is disabled", "enable it"},
			"BuildTrigger", 0,
		},
		{
			"another repository", func(pb *cloudbuildpb.BuildTrigger) { pb.SourceToBuild.Uri = "https://github.com/acme/shop" },
			[]string{"builds acme/shop, not " + repository},
			"BuildTrigger", 0,
		},
		{
			"a cluster step", func(*cloudbuildpb.BuildTrigger) {},
			[]string{"cloudbuild.yaml:4", "(deploy)", "trigger deploy-main", "spec.build.config"},
			"BuildConfig", 4,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, byTrigger)
			w.keepTrigger(tt.change)
			w.source.write("a", kubectlFile)
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
			w.expectMessage(rel, tt.want...)
			file := map[int32]string{4: "cloudbuild.yaml"}[tt.line]
			if f := rel.Status.Failure; f.Class != v1alpha1.FaultRelease || string(f.Reason) != tt.reason || f.File != file || f.Line != tt.line {
				t.Errorf("the failure is %+v", f)
			}
			if n := w.builds.Calls()["RunBuildTrigger"]; n != 0 || rel.Status.Build != nil {
				t.Errorf("RunBuildTrigger was called %d times; the build is %+v", n, rel.Status.Build)
			}
			w.expectLive(v1alpha1.Blue)
		})
	}
}

func TestTriggeredBuildThatIsNotWhatWasCheckedIsStopped(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTrigger)
	w.keepTrigger(func(pb *cloudbuildpb.BuildTrigger) {
		pb.BuildTemplate = &cloudbuildpb.BuildTrigger_GitFileSource{GitFileSource: &cloudbuildpb.GitFileSource{
			Path:     "cloudbuild.yaml",
			Revision: "refs/heads/ci",
		}}
	})
	w.source.writeAt("refs/heads/ci", kubectlFile)
	w.build = func(ctx context.Context, _ *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		<-ctx.Done()
		return cloudbuildtest.Result{}, ctx.Err()
	}
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "trigger deploy-main", "steps[1] (deploy)", "spec.build.clusterSteps of bluegreen my-python-app to Allow")
	if got := w.made()[0].GetStatus(); got != cloudbuildpb.Build_CANCELLED {
		t.Errorf("the build is %s", got)
	}
	if got := findingsOf(rel); !strings.Contains(got, "reads cloudbuild.yaml from refs/heads/ci") {
		t.Errorf("the findings are %q", got)
	}
}

func TestPublicRepositoryIsClonedByCloudBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) { bg.Spec.Build.Source.Git = true })
	w.run(func(d *Deployer) { d.Google.(*google).store = nil })
	w.expectDeployed(w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded))
	source := w.made()[0].GetSource().GetGitSource()
	if source.GetUrl() != "https://github.com/"+repository+".git" || source.GetRevision() != w.source.sha("a") {
		t.Errorf("the source is %v", source)
	}
}

func TestOtherTriggersThatChangeTheClusterAreNamed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		fail codes.Code
		want []string
	}{
		{"seen", codes.OK, []string{"trigger old-pipeline also runs at every push to main of " + repository, "(deploy)", "disable it"}},
		{
			"not permitted", codes.PermissionDenied,
			[]string{"other triggers may deploy " + repository, "may not list", "roles/cloudbuild.builds.viewer"},
		},
		{"out of reach", codes.Unavailable, []string{"other triggers may deploy " + repository, "injected fault"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.write("a", kubectlFile)
			w.keepTrigger(onPush, func(pb *cloudbuildpb.BuildTrigger) { pb.Name = "old-pipeline" })
			if tt.fail != codes.OK {
				w.builds.Fail("ListBuildTriggers", cloudbuildtest.Fault{Code: tt.fail})
			}
			w.run()
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			got := findingsOf(rel)
			for _, part := range tt.want {
				if !strings.Contains(got, part) {
					t.Errorf("the findings are %q, want in them %q", got, part)
				}
			}
			if n := w.builds.Calls()["ListBuildTriggers"]; n != 1 {
				t.Errorf("the triggers were listed %d times", n)
			}
		})
	}
}

// losing makes Cloud Build lose the first builds, with INTERNAL_ERROR; spoil is called before
// each loss.
func (w *world) losing(builds int32, spoil func()) {
	var seen atomic.Int32
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		if seen.Add(1) > builds {
			return cloudbuildtest.Digests(ctx, b)
		}
		spoil()
		return cloudbuildtest.Result{}, errors.New("worker lost")
	}
}

// again shortens the pause before a lost build is repeated.
func again(d *Deployer) { d.BuildRetry = 50 * time.Millisecond }

func TestBuildThatCloudBuildLostIsMadeAnew(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*v1alpha1.BlueGreen){"created": func(*v1alpha1.BlueGreen) {}, "triggered": byTrigger} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, change)
			w.keepTrigger()
			w.losing(2, func() {})
			w.run(again)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			made := w.made()
			if len(made) != 3 || rel.Status.Build.Retries != 2 || rel.Status.Build.ID != made[2].GetId() {
				t.Fatalf("made %d builds, recorded %+v", len(made), rel.Status.Build)
			}
			if pause := made[2].GetCreateTime().AsTime().Sub(made[1].GetFinishTime().AsTime()); pause < 100*time.Millisecond {
				t.Errorf("the second pause was %s, want twice the first", pause)
			}
		})
	}
}

func TestBuildThatIsLostAgainAndAgainEndsInError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.losing(99, func() {})
	w.run(again)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	w.expectMessage(rel, "3 builds in a row", "internal error", "worker lost")
	if n := len(w.made()); n != 3 || rel.Status.Failure.Class != v1alpha1.FaultWorld {
		t.Errorf("%d builds were created; the failure is %+v", n, rel.Status.Failure)
	}
	w.expectSizes(1, 1)
}

// starts are the ways to start a build: the API call, and the application that makes it.
var starts = map[string]func(*v1alpha1.BlueGreen){"CreateBuild": func(*v1alpha1.BlueGreen) {}, "RunBuildTrigger": byTrigger}

func TestBeginningABuildMayFailAndTheProcessMayEndThere(t *testing.T) {
	t.Parallel()
	for method, change := range starts {
		for _, lost := range []int32{0, 1} { // the first build, or the replacement of a lost one
			for _, performed := range []bool{false, true} {
				for _, crash := range []bool{false, true} {
					t.Run(fmt.Sprintf("%s, lost %d, performed %v, crash %v", method, lost, performed, crash), func(t *testing.T) {
						t.Parallel()
						w := newWorld(t, change)
						w.builds = cloudbuildtest.New(t, cloudbuildtest.Config{
							ListLag: 300 * time.Millisecond, Repository: w.source.File,
							Builder: func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
								return w.build(ctx, b)
							},
						})
						w.keepTrigger()
						patient := func(d *Deployer) { d.BuildGrace = 3 * time.Second }
						fail := func() { w.builds.Fail(method, cloudbuildtest.Fault{Performed: performed}) }
						if lost == 0 {
							fail()
						}
						w.losing(lost, fail)
						rel := w.submit("a")
						stop := w.run(quick("first"), again, patient)
						if crash {
							w.until("the build was asked for", func() bool { return w.builds.Calls()[method] > int(lost) }, func() string { return "" })
							stop()
							w.run(quick("second"), again, patient)
						}
						rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
						if lost == 0 {
							w.expectDeployed(rel)
						}
						if n := len(w.made()); n != int(lost)+1 || rel.Status.Build.Retries != lost {
							t.Errorf("made %d builds, recorded %+v", n, rel.Status.Build)
						}
						w.expectLive(v1alpha1.Green)
					})
				}
			}
		}
	}
}

func TestCertainRefusalOfARetryKeepsTheCount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.losing(99, func() { w.builds.Fail("CreateBuild", cloudbuildtest.Fault{Code: codes.ResourceExhausted}) })
	w.run(again)
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseError)
	if n := len(w.made()); n != 3 || rel.Status.Build.Retries != 2 {
		t.Errorf("made %d builds, recorded %+v", n, rel.Status.Build)
	}
}

func TestCancelledReleaseEndsItsTriggeredBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t, byTrigger)
	w.keepTrigger()
	w.build = func(ctx context.Context, _ *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		<-ctx.Done()
		return cloudbuildtest.Result{}, ctx.Err()
	}
	w.run()
	rel := w.await(w.submit("a"), "the build",
		func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.StartedAt != nil })
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	if got := w.made()[0].GetStatus(); got != cloudbuildpb.Build_CANCELLED {
		t.Errorf("the build is %s", got)
	}
}

func TestWaitInTheQueueIsTold(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC)
	for waited, want := range map[time.Duration]string{
		2 * time.Second:                "queued in Cloud Build",
		49 * time.Second:               "queued in Cloud Build for 40 s",
		3*time.Minute + 50*time.Second: "queued in Cloud Build for 3 min",
		65 * time.Minute:               "queued in Cloud Build for 1 h 5 min",
	} {
		state := cloudbuild.State{Phase: cloudbuild.Queued, Created: created}
		if got := whileBuilding(state, created.Add(waited)); got != want {
			t.Errorf("after %s the message is %q, want %q", waited, got, want)
		}
	}
	state := cloudbuild.State{Phase: cloudbuild.Working, Created: created, Started: created.Add(time.Minute)}
	if got := whileBuilding(state, created.Add(time.Hour)); got != "building" {
		t.Errorf("during the build the message is %q", got)
	}
}

// A person may request any hash. It is neither a missing file nor a rewritten history.
func TestCommitThatDoesNotExistIsSaidSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	rel := w.awaitPhase(w.submit("d", func(r *v1alpha1.Release) { r.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "ops"} }),
		v1alpha1.ReleaseFailed)
	w.expectMessage(rel, "has no commit "+strings.Repeat("d", 40), "push the commit there")
	if f := rel.Status.Failure; f.Reason != "NoCommit" {
		t.Errorf("the reason is %s, want NoCommit", f.Reason)
	}
	if len(rel.Status.Findings) > 0 {
		t.Errorf("the findings are %q, want none about the history", rel.Status.Findings)
	}
	w.expectLive(v1alpha1.Green)
}

// GitHub announced the commit, so it will appear.
func TestPushedCommitThatIsNotKnownYetIsWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	rel := w.submit("c")
	w.await(rel, "waiting for the commit", func(r *v1alpha1.Release) bool {
		return strings.Contains(r.Status.Message, "does not have the pushed commit ccccccc yet")
	})
	w.source.commit("c", "b")
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// The release was cancelled before the build's ID was known, and is being discarded when it
// becomes known.
func TestBuildFoundLateIsLinkedAtItsStep(t *testing.T) {
	t.Parallel()
	rel := &v1alpha1.Release{}
	rel.Status.Build = &v1alpha1.BuildStatus{}
	rel.Status.Timeline = []v1alpha1.TimelineEntry{{Step: v1alpha1.StepBuild}, {Step: v1alpha1.StepDiscard}}
	recordBuild(&attempt{rel: rel}, cloudbuild.Handle{ID: "7", LogURL: "https://log"})
	if build, discard := rel.Status.Timeline[0].URL, rel.Status.Timeline[1].URL; build != "https://log" || discard != "" {
		t.Errorf("the build step links to %q, discard to %q", build, discard)
	}
}
