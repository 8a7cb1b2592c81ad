package deployer

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
)

func manual(bg *v1alpha1.BlueGreen) { bg.Spec.Promotion.Mode = v1alpha1.PromotionManual }

// soaks sets a release's soak.
func soaks(d time.Duration) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) { bg.Spec.Soak = duration(d) }
}

func (w *world) approve(rel *v1alpha1.Release) {
	w.t.Helper()
	check(w.t, w.record().Approve(w.t.Context(), client.ObjectKeyFromObject(rel), v1alpha1.Approval{
		By: "hubot", At: metav1.Now(), Commit: rel.Spec.Deploy.Commit, Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment},
	}))
}

func (w *world) promoteTo(rel *v1alpha1.Release, weight int32) {
	w.t.Helper()
	check(w.t, w.record().Promote(w.t.Context(), client.ObjectKeyFromObject(rel), v1alpha1.Promotion{
		Weight: weight, By: "hubot", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment},
	}))
}

func (w *world) cancel(rel *v1alpha1.Release) {
	w.t.Helper()
	check(w.t, w.record().Cancel(w.t.Context(), client.ObjectKeyFromObject(rel), v1alpha1.Cancel{
		By: "hubot", At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment},
	}))
}

// holdBuilds keeps builds of a commit running until the returned function is called or they are
// cancelled.
func (w *world) holdBuilds(commit string) (release func()) {
	held := make(chan struct{})
	sha := w.source.sha(commit)
	w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
		if b.GetSubstitutions()["COMMIT_SHA"] == sha || strings.Contains(b.String(), sha) {
			select {
			case <-held:
			case <-ctx.Done():
			}
		}
		return cloudbuildtest.Digests(ctx, b)
	}
	return func() { close(held) }
}

// expectMessage expects parts of a release's message, or of its commands.
func (w *world) expectMessage(rel *v1alpha1.Release, parts ...string) {
	w.t.Helper()
	got := saidOf(rel)
	for _, part := range parts {
		if !strings.Contains(got, part) {
			w.t.Errorf("the message is %q, want in it %q", got, part)
		}
	}
}

// saidOf is a release's message, with each command on its own line.
func saidOf(rel *v1alpha1.Release) string {
	commands := rel.Status.Commands
	if f := rel.Status.Failure; f != nil {
		commands = f.Commands
	}
	return v1alpha1.Advice{Text: rel.Status.Message, Commands: commands}.Lines()
}

// findingsOf are a release's findings, with each command on its own line.
func findingsOf(rel *v1alpha1.Release) string {
	var lines []string
	for _, f := range rel.Status.Findings {
		lines = append(lines, f.Lines())
	}
	return strings.Join(lines, "\n")
}

func (w *world) expectLive(c v1alpha1.Color) {
	w.t.Helper()
	if got := w.live(); got != c {
		w.t.Errorf("live is %s, want %s", got, c)
	}
}

// awaitShrunk waits until a colour's Deployment has size 0.
func (w *world) awaitShrunk(c v1alpha1.Color) {
	w.t.Helper()
	w.until(string(c)+" to be shrunk", func() bool { return w.size(c) == 0 }, func() string { return "" })
}

func TestManualPromotionWaitsForApproval(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.expectMessage(rel, "/promote", "spec.promotion.mode")
	if rel.Status.Milestones.Verified == nil {
		t.Error("the release waits before the gate has passed")
	}
	w.expectLive(v1alpha1.Blue)
	w.approve(rel)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	if by := rel.Status.Milestones.Approved.By; by != "hubot" {
		t.Errorf("approved by %s", by)
	}
}

func TestApprovalBeforeTheGateSwitchesWhenItPasses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.kubelet.hold("@sha256:")
	w.run()
	rel := w.await(w.submit("a"), "stage", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepStage })
	w.approve(rel)
	w.until("a pod is held", func() bool { return w.kubelet.starts("@sha256:") }, func() string { return "" })
	w.expectLive(v1alpha1.Blue)
	w.kubelet.release(t, "@sha256:")
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	promoted := slices.IndexFunc(rel.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepPromote })
	if promoted < 0 || rel.Status.Timeline[promoted].Message != "approved by hubot" {
		t.Errorf("the timeline does not name the approver: %+v", rel.Status.Timeline)
	}
	for _, e := range rel.Status.Timeline {
		if strings.Contains(e.Message, "waits for /promote") {
			t.Errorf("the release waits although it was approved: %s", e.Message)
		}
	}
}

func TestReleaseThatNobodyApprovesIsDiscarded(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual, func(bg *v1alpha1.BlueGreen) { bg.Spec.Promotion.Timeout.Duration = 500 * time.Millisecond })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseCancelled)
	w.expectMessage(rel, "nobody approved", "spec.promotion.timeout")
	w.expectLive(v1alpha1.Blue)
	w.awaitShrunk(v1alpha1.Green)
}

func TestCancelWhileBuildingStopsTheBuild(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	release := w.holdBuilds("a")
	defer release()
	w.run()
	rel := w.await(w.submit("a"), "a build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	w.cancel(rel)
	w.expectMessage(w.awaitPhase(rel, v1alpha1.ReleaseCancelled), "cancelled by hubot")
	builds := w.builds.Builds("acme-prod", "global")
	if len(builds) != 1 || builds[0].GetStatus() != cloudbuildpb.Build_CANCELLED {
		t.Errorf("the builds are %v", builds)
	}
	w.expectSizes(1, 1) // green did not belong to this release
}

func TestCancelWhileWaitingForAPersonDiscards(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.expectLive(v1alpha1.Blue)
	w.awaitShrunk(v1alpha1.Green)
}

func TestCancelOfAQueuedReleaseWithoutAnIngressIsACancel(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	check(t, w.kube.Delete(t.Context(), w.ingress()))
	rel := w.submit("a")
	w.cancel(rel)
	w.run()
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
}

func TestCancelAfterTheSwitchIsTooLate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, soaks(time.Second))
	w.run()
	rel := w.await(w.submit("a"), "the switch", func(r *v1alpha1.Release) bool { return r.Status.Milestones.SwitchedAt != nil })
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
}

func TestQueuedReleasesCollapseToTheNewestByAncestry(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, parentOfA, parentOfB, wins, loses string }{
		{"in the order of the branch", "", "a", "b", "a"},
		{"the newer commit came first", "b", "", "a", "b"},
		{"diverged: the later one", "", "", "b", "a"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.source.commit("a", tt.parentOfA)
			w.source.commit("b", tt.parentOfB)
			rels := map[string]*v1alpha1.Release{"a": w.submit("a"), "b": w.submit("b")}
			w.run()
			w.expectMessage(w.awaitPhase(rels[tt.loses], v1alpha1.ReleaseSuperseded), "superseded by "+rels[tt.wins].Name)
			w.awaitPhase(rels[tt.wins], v1alpha1.ReleaseSucceeded)
			if n := len(w.builds.Builds("acme-prod", "global")); n != 1 {
				t.Errorf("%d builds were created", n)
			}
		})
	}
}

func TestCommitBehindTheLiveOneIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.expectMessage(w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSuperseded), "aaaaaaa is behind the live version bbbbbbb", "/rollback")
	again := w.submit("b", func(r *v1alpha1.Release) {
		r.Spec.Deploy.Attempt = 2
		r.Name = v1alpha1.DeployName("my-python-app", r.Spec.Deploy.Commit, 2)
	})
	w.expectMessage(w.awaitPhase(again, v1alpha1.ReleaseSuperseded), "bbbbbbb is already live")
	w.expectLive(v1alpha1.Green)
}

func TestRewrittenHistoryFollowsTheBranchAndSaysSo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "a") // force-pushed over b
	w.run()
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	c := w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
	if !strings.Contains(findingsOf(c), "history of main was rewritten: ccccccc does not contain bbbbbbb") {
		t.Errorf("the findings are only %q", c.Status.Findings)
	}
}

// Somebody else, such as the bot, writes the release just before the deployer does.
func TestRewrittenHistoryIsSaidAfterALostRace(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "a")
	name := v1alpha1.DeployName("my-python-app", w.source.sha("c"), 1)
	var races atomic.Int32
	cfg := rest.CopyConfig(plane.Config)
	cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			if req.Method != http.MethodGet && strings.HasSuffix(req.URL.Path, "/releases/"+name+"/status") {
				if n := races.Add(1); n%2 == 1 { // retries get through
					c := &v1alpha1.Release{ObjectMeta: w.meta(name)}
					w.patch(c, fmt.Sprintf(`{"metadata":{"annotations":{"somebody":"else %d"}}}`, n))
				}
			}
			return next.RoundTrip(req)
		})
	})
	w.runWith(cfg)
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	c := w.awaitPhase(w.submit("c"), v1alpha1.ReleaseSucceeded)
	if c.Name != name || races.Load() < 2 {
		t.Fatalf("release %s was written %d times, and not as %s", c.Name, races.Load(), name)
	}
	if !strings.Contains(findingsOf(c), "history of main was rewritten: ccccccc does not contain bbbbbbb") {
		t.Errorf("the findings are only %q", c.Status.Findings)
	}
}

func TestWaitingReleaseIsSupersededOnceANewerOneIsBuilt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	release := w.holdBuilds("b")
	w.run()
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b := w.await(w.submit("b"), "its build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	if w.get(a); a.Status.Phase != v1alpha1.ReleaseWaiting {
		t.Errorf("the waiting release is %s before the newer one is built", a.Status.Phase)
	}
	release()
	w.expectMessage(w.awaitPhase(a, v1alpha1.ReleaseSuperseded), "superseded by "+b.Name)
	w.awaitPhase(b, v1alpha1.ReleaseWaiting)
	w.expectLive(v1alpha1.Blue)
}

func TestNextReleaseBuildsDuringTheSoakAndTouchesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, soaks(time.Hour))
	w.source.commit("b", "a")
	w.run()
	a := w.await(w.submit("a"), "soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
	b := w.await(w.submit("b"), "its build", func(r *v1alpha1.Release) bool {
		return r.Status.Milestones.Built != nil && r.Status.Phase == v1alpha1.ReleaseQueued
	})
	w.expectMessage(b, "built", "waits for "+a.Name)
	if b.Status.Milestones.Target != "" {
		t.Errorf("the release has a target while another one soaks: %s", b.Status.Milestones.Target)
	}
	w.expectSizes(1, 1)
	if w.get(a); a.Status.Phase.Finished() {
		t.Errorf("the soak ended: %s", a.Status.Message)
	}
}

func TestBuildThatFailsAheadEndsItsReleaseAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	w.run()
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.source.write("b", "steps: 7")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseFailed)
	if w.get(a); a.Status.Phase != v1alpha1.ReleaseWaiting {
		t.Errorf("the waiting release is %s", a.Status.Phase)
	}
}
