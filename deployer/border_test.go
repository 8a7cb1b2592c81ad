package deployer

import (
	"context"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

// spy records which repositories are accessed with the App's rights.
type spy struct {
	*history
	mu    sync.Mutex
	asked []string
	read  int // accesses beyond existence and ID
}

func (s *spy) note(repository string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, repository)
}

func (s *spy) reads() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.read++
}

// contents counts accesses to a repository's content.
func (s *spy) contents() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read
}

func (s *spy) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.asked)
}

func (s *spy) Closed(ctx context.Context, repository string) (string, error) {
	s.note(repository)
	return s.history.Closed(ctx, repository)
}

func (s *spy) HasBranch(ctx context.Context, repository, branch string) (bool, error) {
	s.note(repository)
	return s.history.HasBranch(ctx, repository, branch)
}

func (s *spy) File(ctx context.Context, repository, commit, path string) ([]byte, error) {
	s.note(repository)
	s.reads()
	return s.history.File(ctx, repository, commit, path)
}

func (s *spy) Archive(ctx context.Context, repository, commit string) (io.ReadCloser, error) {
	s.note(repository)
	s.reads()
	return s.history.Archive(ctx, repository, commit)
}

func (s *spy) HasCommit(ctx context.Context, repository, commit string) (bool, error) {
	s.note(repository)
	s.reads()
	return s.history.HasCommit(ctx, repository, commit)
}

func (s *spy) IsAncestor(ctx context.Context, repository, ancestor, descendant string) (bool, error) {
	s.note(repository)
	s.reads()
	return s.history.IsAncestor(ctx, repository, ancestor, descendant)
}

func (s *spy) BranchContains(ctx context.Context, repository, branch, commit string) (bool, error) {
	s.note(repository)
	s.reads()
	return s.history.BranchContains(ctx, repository, branch, commit)
}

func (s *spy) RepositoryID(ctx context.Context, repository string) (int64, error) {
	s.note(repository)
	return s.history.RepositoryID(ctx, repository)
}

// open is a control plane without admission policies: only the deployer itself refuses.
var open struct {
	sync.Mutex
	plane *controlplane.ControlPlane
	node  *controlplanetest.Kubelet
}

func newOpenWorld(t *testing.T, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	open.Lock()
	defer open.Unlock()
	if open.plane == nil {
		var err error
		background := context.WithoutCancel(t.Context()) // other tests use it, too
		open.plane, err = controlplane.Start(background, controlplane.Options{CRDs: []string{"../config/crd", "testdata/gke"}})
		check(t, err)
		open.node, err = controlplanetest.StartKubelet(background, open.plane, nodeName, runInPod)
		check(t, err)
	}
	return newWorldOn(t, open.plane.Config, change...)
}

// stopOpen stops it, if a test started it.
func stopOpen() {
	open.Lock()
	defer open.Unlock()
	if open.node != nil {
		open.node.Stop()
	}
	if open.plane != nil {
		open.plane.Stop()
	}
}

// user is a client with only a ClusterRole of config/, in the world's namespace.
func (w *world) user(name, file string) client.Client {
	w.t.Helper()
	data, err := os.ReadFile("../config/rbac/" + file)
	check(w.t, err)
	var role rbacv1.ClusterRole
	check(w.t, yaml.Unmarshal(data, &role))
	role.Name = w.namespace + "-" + name
	w.create(&role)
	w.create(&rbacv1.RoleBinding{
		ObjectMeta: w.meta(name), RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: role.Name},
		Subjects: []rbacv1.Subject{{Kind: rbacv1.UserKind, APIGroup: rbacv1.GroupName, Name: name}},
	})
	c := w.impersonate(name)
	w.until(name+" to have the role", func() bool { return w.may(c, "get", "releases", "") }, func() string { return "" })
	return c
}

func (w *world) impersonate(name string) client.Client {
	w.t.Helper()
	cfg := rest.CopyConfig(w.cfg)
	cfg.Impersonate = rest.ImpersonationConfig{UserName: name}
	c, err := client.New(cfg, client.Options{Scheme: scheme()})
	check(w.t, err)
	return c
}

func (w *world) may(c client.Client, verb, resource, subresource string) bool {
	w.t.Helper()
	r := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: w.namespace, Group: "turnout.dev", Resource: resource,
			Subresource: subresource, Verb: verb,
		},
	}}
	check(w.t, c.Create(w.t.Context(), r))
	return r.Status.Allowed
}

// byHand is a deploy of a commit as a user's command line writes it.
func (w *world) byHand(user, commit string) *v1alpha1.Release {
	rel := &v1alpha1.Release{ObjectMeta: w.meta("my-python-app-by-hand-" + commit), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Deploy, Application: "my-python-app",
		Deploy: &v1alpha1.DeploySpec{Repository: repository, Branch: "main", Commit: w.source.sha(commit), Attempt: 1},
		Cause:  v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: user},
	}}
	rel.Labels = map[string]string{v1alpha1.ApplicationLabel: "my-python-app"}
	rel.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(w.application(), v1alpha1.GroupVersion.WithKind("BlueGreen"))}
	return rel
}

func (w *world) awaitRefused(rel *v1alpha1.Release, reason string, parts ...string) *v1alpha1.Release {
	w.t.Helper()
	done := w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := done.Status.Failure; f == nil || f.Reason != v1alpha1.FailureReason(reason) {
		w.t.Errorf("the failure is %+v, want the reason %s", f, reason)
	}
	w.expectMessage(done, parts...)
	return done
}

func (w *world) countBuilds() int { return len(w.builds.Builds("acme-prod", "global")) }

func TestReleaseOfAnotherRepositoryIsRefusedBeforeAnyCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	s := &spy{history: w.source}
	ci := w.user("ci", "release.yaml")
	w.run(func(d *Deployer) { d.Source = s })
	rel := w.byHand("ci", "a")
	rel.Spec.Deploy.Repository = "acme/another-teams-secrets"
	check(t, ci.Create(t.Context(), rel))
	w.awaitRefused(rel, "Repository", "acme/another-teams-secrets", "releases only acme/my-python-app", "release a commit of that one")
	asked := slices.DeleteFunc(s.all(), func(name string) bool { return name == repository }) // whether it can be read
	if n := w.source.asked(); len(asked) > 0 || n > 0 {
		t.Errorf("GitHub got %q, and %d requests for a commit", asked, n)
	}
	if n := w.countBuilds(); n != 0 {
		t.Errorf("%d builds", n)
	}
	// Names on GitHub are case-insensitive.
	other := w.byHand("ci", "a")
	other.Name, other.Spec.Deploy.Repository = "other-case", "Acme/My-Python-App"
	check(t, ci.Create(t.Context(), other))
	w.awaitPhase(other, v1alpha1.ReleaseSucceeded)
	if got := slices.Compact(slices.Sorted(slices.Values(s.all()))); !slices.Equal(got, []string{repository}) {
		t.Errorf("the requests are %q, want %s alone", got, repository)
	}
}

// A trigger may build other branches with other rights.
func TestBranchOfABuildIsTheApplications(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	rel := w.byHand("ci", "a")
	rel.Spec.Deploy.Branch = "production"
	w.create(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	builds := w.builds.Builds("acme-prod", "global")
	if len(builds) != 1 {
		t.Errorf("there are %d builds, want 1", len(builds))
	}
	for _, b := range builds {
		if got := b.GetSubstitutions()["BRANCH_NAME"]; got == "production" || strings.Contains(b.String(), "production") {
			t.Errorf("the build has the release's branch: %v", b)
		}
	}
}

const anyImage = "evil.example/miner@sha256:1111111111111111111111111111111111111111111111111111111111111111"

func TestForgedRollbackMovesNobody(t *testing.T) {
	t.Parallel()
	right := func(w *world) v1alpha1.RollbackSpec {
		last := w.application().Status.LastSwitch
		return v1alpha1.RollbackSpec{From: last.To, To: last.From, Switch: last.UID, Attempt: 1}
	}
	for name, c := range map[string]struct {
		forge func(*v1alpha1.RollbackSpec)
		says  string
	}{
		"another image":            {func(r *v1alpha1.RollbackSpec) { r.To.Image = anyImage }, "spec.rollback.to is " + anyImage},
		"another colour":           {func(r *v1alpha1.RollbackSpec) { r.To.Color = v1alpha1.Green }, "spec.rollback.to is "},
		"another release":          {func(r *v1alpha1.RollbackSpec) { r.To.Release = "x" }, "of release x"},
		"another version to leave": {func(r *v1alpha1.RollbackSpec) { r.From.Image = anyImage }, "spec.rollback.from is " + anyImage},
		"another switch":           {func(r *v1alpha1.RollbackSpec) { r.Switch = "whatever" }, "spec.rollback.switch is whatever"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.pretendDeployed()
			w.lock("freeze")
			ci := w.user("ci", "release.yaml")
			before := w.blueImage()
			stop := w.run()
			rel := w.byHand("ci", "a")
			asked := right(w)
			c.forge(&asked)
			rel.Name, rel.Spec.Kind, rel.Spec.Deploy, rel.Spec.Rollback = "forged", v1alpha1.Rollback, nil, &asked
			check(t, ci.Create(t.Context(), rel))
			w.awaitRefused(rel, "NotRecorded", c.says, "turnout rollback my-python-app")
			stop()
			w.expectLive(v1alpha1.Green)
			if got := w.blueImage(); got != before {
				t.Errorf("blue runs %s, it ran %s", got, before)
			}
		})
	}
}

// A rollback is not taken back by another one, even if that matches the record in every word.
func TestForgedRollbackOfARollbackMovesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.run()
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	last := w.application().Status.LastSwitch
	rel := w.byHand("ci", "a")
	rel.Name, rel.Spec.Kind, rel.Spec.Deploy = "forged", v1alpha1.Rollback, nil
	rel.Spec.Rollback = &v1alpha1.RollbackSpec{From: last.To, To: last.From, Switch: last.UID, Attempt: 1}
	w.create(rel)
	w.awaitRefused(rel, "NotRecorded", "went back to ")
	w.expectLive(v1alpha1.Blue)
}

func TestForgedRollbackBeforeAnySwitchMovesNobody(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t, manual)
	running := w.running(v1alpha1.Blue)
	ci := w.user("ci", "release.yaml")
	stop := w.run()
	waiting := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	rel := w.byHand("ci", "a")
	rel.Name, rel.Spec.Kind, rel.Spec.Deploy = "forged", v1alpha1.Rollback, nil
	rel.Spec.Rollback = &v1alpha1.RollbackSpec{
		Switch: "whatever", Attempt: 1, From: running,
		To: v1alpha1.Version{Color: v1alpha1.Green, Image: anyImage},
	}
	rel.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "alice"}
	check(t, ci.Create(t.Context(), rel))
	w.awaitRefused(rel, "NotRecorded", "has not switched bluegreen my-python-app yet")
	// A second one that names the current release ends neither that release nor anything else.
	second := rel.DeepCopy()
	second.ResourceVersion, second.Name, second.Spec.Rollback.Switch = "", "forged-2", string(waiting.UID)
	check(t, ci.Create(t.Context(), second))
	w.await(second, "to wait", func(r *v1alpha1.Release) bool { return r.Status.Message == "waits for "+waiting.Name })
	w.expectLive(v1alpha1.Blue)
	w.approve(waiting)
	w.awaitRefused(second, "NotRecorded", "spec.rollback.from is ")
	w.awaitPhase(waiting, v1alpha1.ReleaseSucceeded)
	stop()
	w.expectLive(v1alpha1.Green)
	green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(green)
	if got := green.Spec.Template.Spec.Containers[0].Image; got == anyImage {
		t.Errorf("green runs %s", got)
	}
}

// Only a rollback that matches the recorded switch takes it back.
func TestForgedRollbackDoesNotEndASoak(t *testing.T) {
	t.Parallel()
	w := newWorld(t, soaks(time.Hour))
	w.run()
	a := w.await(w.submit("a"), "soak", func(r *v1alpha1.Release) bool { return r.Status.Step == v1alpha1.StepSoak })
	last := w.application().Status.LastSwitch
	forged := &v1alpha1.Release{ObjectMeta: w.meta("forged"), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Application: "my-python-app", Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI},
		Rollback: &v1alpha1.RollbackSpec{From: last.To, To: v1alpha1.Version{Color: v1alpha1.Blue, Image: anyImage}, Switch: last.UID},
	}}
	_, _, err := w.record().Submit(t.Context(), forged)
	check(t, err)
	w.awaitRefused(forged, "NotRecorded", anyImage)
	w.get(a)
	if a.Status.Phase.Finished() || w.live() != v1alpha1.Green {
		t.Errorf("the deploy is %s: %s; live is %s", a.Status.Phase, a.Status.Message, w.live())
	}
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectMessage(w.awaitPhase(a, v1alpha1.ReleaseSuperseded), "rolled back by "+back.Name)
}

// The version that it left is not live any more.
func TestRollbackOfASwitchThatAnotherFollowedIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.source.commit("b", "a")
	w.run()
	last := w.application().Status.LastSwitch
	old := &v1alpha1.Release{ObjectMeta: w.meta("late"), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Application: "my-python-app", Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "alice"},
		Rollback: &v1alpha1.RollbackSpec{From: last.To, To: last.From, Switch: last.UID, Attempt: 1},
	}}
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	_, _, err := w.record().Submit(t.Context(), old)
	check(t, err)
	w.awaitRefused(old, "NotRecorded", "the last switch was made by "+b.Name)
	w.expectLive(v1alpha1.Blue)
}

func TestCommitOfNoBranchIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "b")
	w.source.commit("f", "c") // a fork's, on top of everything that waits
	w.lock("until all wait")
	stop := w.run()
	merged := w.submit("c")
	w.awaitLocked(merged, "until all wait")
	forked := w.byHand("ci", "f")
	w.create(forked)
	w.awaitRefused(forked, "NotOnBranch", "branch main of acme/my-python-app does not contain fffffff", "merge it")
	w.unlock()
	// The forged release replaced nobody, and a signed push is not checked.
	done := w.awaitPhase(merged, v1alpha1.ReleaseSucceeded)
	if by := done.Status.Milestones.OnBranch; by == nil || by.By != v1alpha1.BranchByPush || by.Branch != "main" {
		t.Errorf("the push's evidence is %+v", by)
	}
	if n := w.source.askedBranch(); n != 1 {
		t.Errorf("%d compares with main, want one, for the commit of no branch", n)
	}
	stop()
	if n := w.countBuilds(); n != 1 {
		t.Errorf("%d builds, want the merged commit's", n)
	}
}

func TestBranchIsAskedOnceAndWaitedFor(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.fail(context.DeadlineExceeded)
	w.run()
	rel := w.byHand("ci", "a")
	w.create(rel)
	w.await(rel, "waiting for the repository", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.ReleaseQueued &&
			strings.Contains(r.Status.Message, "will try again: asking for the number of acme/my-python-app")
	})
	w.source.fail(nil)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseWaiting)
	if by := rel.Status.Milestones.OnBranch; by == nil || by.By != v1alpha1.BranchByRepository {
		t.Errorf("it counts as %+v", by)
	}
	w.approve(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if n := w.source.askedBranch(); n != 1 {
		t.Errorf("%d compares with main, want one", n)
	}
	var steps []v1alpha1.Step
	for _, e := range rel.Status.Timeline {
		steps = append(steps, e.Step)
	}
	if diff := cmp.Diff([]v1alpha1.Step{"build", "attach", "stage", "warm", "verify", "promote"}, steps); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
}

// A signed push is evidence of the branch that was pushed. The application may follow another one now.
func TestPushToAnotherBranchIsNoEvidence(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("f", "a") // of no branch that the application follows
	w.run()
	pushed := w.submit("f", func(r *v1alpha1.Release) { r.Spec.Deploy.Branch = "feature" })
	w.awaitRefused(pushed, "NotOnBranch", "branch main of acme/my-python-app does not contain fffffff")
	if n := w.countBuilds(); n != 0 {
		t.Errorf("%d builds were started", n)
	}
}

// Without the policy, anybody may claim a push, so it is no evidence.
func TestPushIsNoEvidenceWhereAnybodyMayClaimIt(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t)
	w.source.commit("f", "a")
	ci := w.user("ci", "release.yaml")
	w.run()
	forged := w.byHand("ci", "f")
	forged.Spec.Cause = v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice", Delivery: "d", URL: "https://github.com/acme/x"}
	check(t, ci.Create(t.Context(), forged))
	done := w.awaitRefused(forged, "NotOnBranch")
	if got := done.Status.Attestation; got != v1alpha1.CausesClaimed {
		t.Errorf("its causes are %q", got)
	}
	done = w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if by := done.Status.Milestones.OnBranch; by == nil || by.By != v1alpha1.BranchByRepository {
		t.Errorf("the push's evidence is %+v", by)
	}
}

func TestReleaseWhoseLabelIsNotItsApplicationIsNeverDriven(t *testing.T) {
	t.Parallel()
	w := newOpenWorld(t)
	w.source.commit("b", "a")
	newer := w.byHand("ci", "a") // a newer version may know whose it is
	newer.Name, newer.Labels = "newer", nil
	w.create(newer)
	newer.Status.Format = v1alpha1.Format + 1
	check(t, w.kube.Status().Update(t.Context(), newer))
	w.run()
	mismatch := w.byHand("ci", "a")
	mismatch.Name, mismatch.Spec.Application = "mismatch", "somebody-else"
	w.create(mismatch)
	w.awaitRefused(mismatch, "Label", `label turnout.dev/application is "my-python-app"`, `spec.application is "somebody-else"`)
	bare := w.byHand("ci", "b")
	bare.Name, bare.Labels = "bare", nil
	w.create(bare)
	w.awaitRefused(bare, "Label", `label turnout.dev/application is ""`)
	w.settled()
	w.expectLive(v1alpha1.Blue)
	if n := w.countBuilds(); n != 0 {
		t.Errorf("%d builds", n)
	}
	if w.application().Status.Active != nil {
		t.Error("one of the forged releases holds the claim")
	}
	w.expectUnwritten(newer)
}

func TestWithoutTheGrantNothingIsBuiltAhead(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	s := &spy{history: w.source}
	w.run(func(d *Deployer) { d.Source = s })
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.grant("")
	w.awaitReason(v1alpha1.ReasonNotGranted)
	asked := len(s.all())
	b := w.submit("b")
	w.await(b, "waiting for the grant", func(r *v1alpha1.Release) bool {
		return r.Status.Phase == v1alpha1.ReleaseQueued && strings.Contains(r.Status.Message, "waits: namespace "+w.namespace+" is not granted")
	})
	if n := w.countBuilds(); n != 1 {
		t.Errorf("%d builds, want only the earlier one", n)
	}
	if now := s.all(); len(now) != asked {
		t.Errorf("without the grant these were asked: %q", now[asked:])
	}
	w.grant(repository)
	w.awaitPhase(b, v1alpha1.ReleaseWaiting)
	w.awaitPhase(a, v1alpha1.ReleaseSuperseded)
}

func TestWithoutTheGrantARunningBuildIsNotUsed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.source.commit("b", "a")
	finish := w.holdBuilds("b")
	s := &spy{history: w.source}
	w.run(func(d *Deployer) { d.Source = s })
	b := w.await(w.submit("b"), "a build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	w.grant("")
	w.await(b, "waiting for the grant", func(r *v1alpha1.Release) bool { return strings.Contains(r.Status.Message, "is not granted") })
	finish()
	asked := len(s.all())
	// A rollback needs no grant.
	back := w.rollback()
	w.awaitPhase(back, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
	if built := w.await(b, "an end",
		func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() }).Status.Milestones.Built; built != nil {
		t.Errorf("the build was used: %+v", built)
	}
	if now := s.all(); len(now) != asked {
		t.Errorf("without the grant these were asked: %q", now[asked:])
	}
}

func TestBuildIsStoppedWithItsGrantAndMadeAnewWhenThatIsBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	finish := w.holdBuilds("a")
	w.run()
	a := w.await(w.submit("a"), "a build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	w.grant("")
	a = w.await(a, "its build stopped", func(r *v1alpha1.Release) bool {
		return r.Status.Build.CancelledAt != nil && strings.Contains(r.Status.Message, "is not granted")
	})
	if want := "its build was stopped: namespace " + w.namespace + " is not granted"; !strings.Contains(findingsOf(a), want) {
		t.Errorf("the findings are %q, want %q", a.Status.Findings, want)
	}
	if got := w.builds.Builds("acme-prod", "global")[0].Status; got != cloudbuildpb.Build_CANCELLED {
		t.Errorf("the build is %s", got)
	}
	finish()
	w.grant(repository)
	w.awaitPhase(a, v1alpha1.ReleaseSucceeded)
	if n := w.countBuilds(); n != 2 {
		t.Errorf("%d builds, want the stopped one and a new one", n)
	}
}

// This also holds for the build of a release that waits behind another, or whose build cannot be
// stopped.
func TestBuildAheadIsStoppedWithItsGrant(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	finish := w.holdBuilds("b")
	defer finish()
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	b := w.await(w.submit("b"), "a build", func(r *v1alpha1.Release) bool { return r.Status.Build != nil && r.Status.Build.ID != "" })
	w.annotate(map[string]string{v1alpha1.ProjectsAnnotation: ""})
	w.await(b, "word of a build that cannot be stopped", func(r *v1alpha1.Release) bool {
		return r.Status.Build.CancelledAt == nil && strings.Contains(findingsOf(r), "the build was not stopped: ")
	})
	w.annotate(map[string]string{v1alpha1.ProjectsAnnotation: "acme-prod", v1alpha1.RepositoriesAnnotation: ""})
	w.await(b, "its build stopped", func(r *v1alpha1.Release) bool { return r.Status.Build.CancelledAt != nil })
}

func TestAnotherRepositoryUnderTheNameIsNotAsked(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.source.commit("c", "b")
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	pin := w.application().Status.Repository
	if pin == nil || pin.ID != 4711 || pin.Name != repository {
		t.Fatalf("pinned to %+v", pin)
	}
	w.source.replace(666)
	b := w.submit("b")
	w.awaitReason(v1alpha1.ReasonRepositoryChanged)
	w.await(b, "waiting", func(r *v1alpha1.Release) bool {
		return slices.Contains(r.Status.Commands,
			v1alpha1.ShellCommand("kubectl annotate --overwrite namespace "+w.namespace+" turnout.dev/repin="+repository+"=666"))
	})
	if n := w.countBuilds(); n != 1 {
		t.Errorf("%d builds", n)
	}
	w.annotate(map[string]string{v1alpha1.RepinAnnotation: repository + "=666"})
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	if pin := w.application().Status.Repository; pin.ID != 666 || pin.Found != 0 {
		t.Errorf("pinned to %+v", pin)
	}
	// The annotation may stay: it pins only that repository.
	w.source.replace(999)
	w.submit("c")
	w.awaitReason(v1alpha1.ReasonRepositoryChanged)
}

// A repository that gets its name back is recognised by its ID, without a new pin.
func TestRepositoryThatComesBackIsMetAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.source.replace(666)
	b := w.submit("b")
	w.awaitReason(v1alpha1.ReasonRepositoryChanged)
	if n := w.countBuilds(); n != 1 {
		t.Errorf("%d builds", n)
	}
	w.source.replace(4711)
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
	if pin := w.application().Status.Repository; pin.ID != 4711 || pin.Found != 0 {
		t.Errorf("pinned to %+v", pin)
	}
}
