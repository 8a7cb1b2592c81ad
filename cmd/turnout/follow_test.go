package main

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

func TestDeployIsRecordedAndFollowedToItsEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	build, soak := took(v1alpha1.StepBuild, 0, 4, "built img@sha256:bb"), took(v1alpha1.StepSoak, 4, 6, "held under live traffic")
	s.serve(name,
		phase(v1alpha1.ReleaseRunning, "", took(v1alpha1.StepBuild, 0, 0, "build 42 is WORKING")),
		phase(v1alpha1.ReleaseRunning, "", build),
		phase(v1alpha1.ReleaseSucceeded, "users have bbbbbbb", build, soak),
	)
	got := s.run("deploy", "shop", "--commit", shaB)
	if got.err != nil {
		t.Fatal(got.err, got.stderr)
	}
	for _, want := range []string{
		name + ": shop deploys bbbbbbb\n", "  build         4.0 s  built img@sha256:bb\n", "  soak          6.0 s  held under live traffic\n",
		name + ": Succeeded — users have bbbbbbb\n",
	} {
		if strings.Count(got.stdout, want) != 1 {
			t.Errorf("%q does not occur once in\n%s", want, got.stdout)
		}
	}
	rel := s.release(name)
	if diff := cmp.Diff(v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "carol"}, rel.Spec.Cause); diff != "" {
		t.Errorf("cause (-want +got):\n%s", diff)
	}
	if rel.Spec.Approval != nil || rel.Spec.Deploy.Commit != shaB || !metav1.IsControlledBy(rel, s.app) {
		t.Errorf("recorded was %+v", rel)
	}
}

func TestTheExitStatusTellsHowAReleaseEnded(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	tests := []struct {
		phase v1alpha1.ReleasePhase
		want  int
		says  string
	}{
		{v1alpha1.ReleaseSucceeded, exitSuccess, ""},
		{v1alpha1.ReleaseFailed, exitFailed, "Failed"},
		{v1alpha1.ReleaseError, exitError, "Error"},
		{v1alpha1.ReleaseCancelled, exitStopped, "Cancelled"},
		{v1alpha1.ReleaseSuperseded, exitStopped, "Superseded by shop-newer-1"},
		{v1alpha1.ReleaseWaiting, exitPending, "waits for a person: turnout promote shop --namespace " + s.app.Namespace},
	}
	for i, tt := range tests {
		commit := strings.Repeat(string(rune('0'+i)), 40)
		s.serve(v1alpha1.DeployName("shop", commit, 1), phase(v1alpha1.ReleaseRunning, ""), func(st *v1alpha1.ReleaseStatus) {
			phase(tt.phase, "why")(st)
			if tt.phase == v1alpha1.ReleaseSuperseded {
				st.SupersededBy = "shop-newer-1"
			}
		})
		got := s.run("deploy", "shop", "--commit", commit, "--by", "dora")
		if got.code != tt.want || got.err != nil && !strings.Contains(got.err.Error(), tt.says) {
			t.Errorf("%s: exit status %d, %v, want %d, %q", tt.phase, got.code, got.err, tt.want, tt.says)
		}
		if by := s.release(v1alpha1.DeployName("shop", commit, 1)).Spec.Cause; by.Actor != "carol" || by.Claims != "dora" {
			t.Errorf("--by dora was recorded as %+v", by)
		}
	}
}

func TestPromoteApprovesWhatWaitsAndFollowsItOn(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	rel := command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})
	check(t, s.admin.Create(t.Context(), rel))
	phase(v1alpha1.ReleaseWaiting, "waits for /promote")(&rel.Status)
	check(t, s.admin.Status().Update(t.Context(), rel))

	// The approval is an event like any other: the release still says Waiting.
	approved := func(rel *v1alpha1.Release) bool { return rel.Spec.Approval != nil }
	s.serveWhen(name, approved, phase(v1alpha1.ReleaseRunning, ""), phase(v1alpha1.ReleaseSucceeded, "users have bbbbbbb"))
	got := s.run("promote", "shop")
	if got.err != nil {
		t.Fatal(got.err, got.stderr)
	}
	if a := s.release(name).Spec.Approval; a == nil || a.By != "carol" || a.Commit != shaB || a.Cause.Kind != v1alpha1.CauseCLI {
		t.Errorf("the approval is %+v", a)
	}
}

func TestALockedReleaseThatWasApprovedSaysWhoLocked(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Lock = &v1alpha1.Lock{By: "dora", At: metav1.Unix(1700000000, 0), Reason: "audit", Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	})
	s.serve(v1alpha1.DeployName("shop", shaB, 1), phase(v1alpha1.ReleaseWaiting, "waits: locked"))
	got := s.run("promote", "shop", "--commit", shaB)
	const want = "locked by dora since 2023-11-14 22:13 UTC: audit"
	if got.code != exitPending || !strings.Contains(got.err.Error(), want) || !strings.Contains(got.stderr, "locked by dora") {
		t.Errorf("exit status %d, %v\n%s", got.code, got.err, got.stderr)
	}
}

func TestALockEndsFollowingWhereOnlyAPersonHelps(t *testing.T) {
	bg := &v1alpha1.BlueGreen{}
	bg.Name, bg.Namespace = "shop", "prod"
	locked := bg.DeepCopy()
	locked.Status.Lock = &v1alpha1.Lock{By: "dora", At: metav1.Unix(1700000000, 0)}
	const unlock, promote = "waits: locked by dora since 2023-11-14 22:13 UTC", "waits for a person: turnout promote shop --namespace prod"
	tests := []struct {
		name  string
		app   *v1alpha1.BlueGreen
		phase v1alpha1.ReleasePhase
		spec  v1alpha1.ReleaseSpec
		want  string
	}{
		{"its turn comes", bg, v1alpha1.ReleaseQueued, v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy}, ""},
		{"queued behind a lock", locked, v1alpha1.ReleaseQueued, v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy}, unlock},
		{"no lock holds a rollback", locked, v1alpha1.ReleaseQueued, v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback}, ""},
		{"cancelled, not seen yet", locked, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Cancel: &v1alpha1.Cancel{}}, ""},
		{
			"approved behind a lock", locked, v1alpha1.ReleaseWaiting,
			v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Approval: &v1alpha1.Approval{}},
			unlock,
		},
		{"not approved", bg, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy}, promote},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			rel := &v1alpha1.Release{Spec: tt.spec}
			rel.Status.Phase = tt.phase
			if got := waitsFor(tt.app, rel); got != tt.want {
				t.Errorf("waitsFor = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestALockedQueueEndsFollowing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Lock = &v1alpha1.Lock{By: "dora", At: metav1.Unix(1700000000, 0), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment}}
	})
	s.serve(v1alpha1.DeployName("shop", shaB, 1), phase(v1alpha1.ReleaseQueued, "waits: locked"))
	got := s.run("deploy", "shop", "--commit", shaB, "--timeout", "20s")
	if got.code != exitPending || !strings.Contains(got.err.Error(), "locked by dora") {
		t.Errorf("exit status %d, %v\n%s", got.code, got.err, got.stderr)
	}
}

func TestARollbackByHandIsFollowedAndJoined(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	name := v1alpha1.RollbackName("shop", "uid-a", 1)
	if got := s.run("rollback", "shop", "--no-wait"); got.err != nil ||
		!strings.Contains(got.stdout, name+": shop goes back from aaaaaaa to sha256:00") {
		t.Fatalf("%v, %s", got.err, got.stdout)
	}
	again, joined := make(chan error, 1), &firstLine{seen: make(chan struct{})}
	go func() {
		again <- run(t.Context(), []string{"rollback", "shop", "--kubeconfig", s.kubeconfig, "-n", s.app.Namespace},
			func(string) string { return "" }, joined, io.Discard)
	}()
	<-joined.seen
	s.serve(name, phase(v1alpha1.ReleaseRunning, ""), phase(v1alpha1.ReleaseSucceeded, "users have it"))
	if err := <-again; err != nil {
		t.Error(err)
	}
	if got := s.releases(); got != name {
		t.Errorf("two rollbacks made %s", got)
	}
	back := s.release(name).Spec.Rollback
	if back.From.Commit != shaA || back.To.Image != "img@sha256:00" || back.Switch != "uid-a" {
		t.Errorf("it goes %+v", back)
	}
}

func TestCancelIsASuccessIfTheReleaseEndsCancelled(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	if got := s.run("deploy", "shop", "--commit", shaB, "--wait=false"); got.err != nil {
		t.Fatal(got.err)
	}
	cancelled := func(rel *v1alpha1.Release) bool { return rel.Spec.Cancel != nil }
	s.serveWhen(name, cancelled, phase(v1alpha1.ReleaseUndoing, "cancelled"), phase(v1alpha1.ReleaseCancelled, "cancelled by carol"))
	if got := s.run("cancel", "shop", "--reason", "wrong branch"); got.err != nil {
		t.Errorf("%v, %s", got.err, got.stderr)
	}
	if c := s.release(name).Spec.Cancel; c == nil || c.Reason != "wrong branch" || c.By != "carol" {
		t.Errorf("recorded was %+v", c)
	}
}

func TestTheTimeoutEndsFollowingAndNotTheRelease(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	s.serve(name, phase(v1alpha1.ReleaseRunning, ""))
	got := s.run("deploy", "shop", "--commit", shaB, "--timeout", "2s")
	if got.code != exitPending || !strings.Contains(got.err.Error(), "--timeout passed: "+name+" goes on (Running)") {
		t.Errorf("exit status %d, %v", got.code, got.err)
	}
	if rel := s.release(name); rel.Spec.Cancel != nil {
		t.Errorf("the release was cancelled: %+v", rel.Spec)
	}
}

// followed follows a release with little patience until some time after the first warning,
// and returns all warnings.
func (s *site) followed(rel *v1alpha1.Release) (warnings []string) {
	s.t.Helper()
	flags := clusterFlags{kubeconfig: s.kubeconfig, namespace: s.app.Namespace}
	c, err := flags.connect()
	check(s.t, err)
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	f := &follower{
		cluster: c, printer: &linePrinter{out: io.Discard}, patience: 30 * time.Millisecond, interval: 10 * time.Millisecond,
		warn: func(text string) {
			warnings = append(warnings, text)
			// It warns once, however long it waits.
			time.AfterFunc(100*time.Millisecond, cancel)
		},
	}
	if _, err := f.follow(ctx, rel); exitCode(err) != exitPending {
		s.t.Errorf("it ended with %v", err)
	}
	return warnings
}

func TestAReleaseThatNobodyTakesIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rel := command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CauseCLI})
	check(t, s.admin.Create(t.Context(), rel))
	warnings := s.followed(rel)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "no turnout serve has taken "+rel.Name) ||
		!strings.Contains(warnings[0], s.app.Namespace) {
		t.Errorf("the warnings are %q", warnings)
	}
}

func TestAClaimThatNobodyRenewsIsNoticedWithoutTheClustersClock(t *testing.T) {
	r := history()
	rel := deployed(shaB, 1, v1alpha1.ReleaseRunning)
	renew := func(seconds int) {
		at := noon.Add(time.Duration(seconds)*time.Second).AddDate(1, 0, 0) // a clock that is a year ahead
		r.app.Status.Active = &v1alpha1.Claim{UID: string(rel.UID), RenewedAt: metav1.NewMicroTime(at)}
	}
	var c claimWatch
	look := func(seconds int, want bool) {
		t.Helper()
		if got := c.stale(r.app, &rel, noon.Add(time.Duration(seconds)*time.Second), 10*time.Second); got != want {
			t.Errorf("after %d s the record is stale: %v, want %v", seconds, got, want)
		}
	}
	renew(0)
	look(0, false)
	look(29, false)
	renew(25)
	look(40, false)
	look(69, false)
	look(70, true)
	r.app.Status.Active.UID = "another"
	look(200, false)
	renew(25)
	look(210, false) // it holds the claim again: its time starts again
	look(240, true)
}

func TestAServeThatIsGoneIsTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	rel := command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CauseCLI})
	check(t, s.admin.Create(t.Context(), rel))
	phase(v1alpha1.ReleaseRunning, "")(&rel.Status)
	check(t, s.admin.Status().Update(t.Context(), rel))
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Active = &v1alpha1.Claim{Release: rel.Name, UID: string(rel.UID), Holder: "gone", RenewedAt: metav1.NowMicro()}
	})
	warnings := s.followed(rel)
	if len(warnings) != 1 || !strings.Contains(warnings[0], "no turnout serve has renewed its claim on "+rel.Name) {
		t.Errorf("the warnings are %q", warnings)
	}
}

func TestAReleaseThatIsDeletedEndsFollowing(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	seen := &firstLine{seen: make(chan struct{})}
	result := make(chan error, 1)
	go func() {
		result <- run(t.Context(), []string{"deploy", "shop", "--commit", shaB, "--kubeconfig", s.kubeconfig, "-n", s.app.Namespace},
			func(string) string { return "" }, seen, io.Discard)
	}()
	<-seen.seen
	check(t, s.admin.Delete(t.Context(), s.release(v1alpha1.DeployName("shop", shaB, 1))))
	if err := <-result; exitCode(err) != exitTrouble || !strings.Contains(err.Error(), "was deleted while it was followed") {
		t.Errorf("it ended with %v", err)
	}
}

// firstLine notices the first printed line.
type firstLine struct {
	once sync.Once
	seen chan struct{}
}

func (f *firstLine) Write(p []byte) (int, error) {
	f.once.Do(func() { close(f.seen) })
	return len(p), nil
}

func TestErrorsNameWhatThereIs(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	other := s.app.DeepCopy()
	other.ObjectMeta = metav1.ObjectMeta{Namespace: s.app.Namespace, Name: "cart"}
	check(t, s.admin.Create(t.Context(), other))
	if got := s.run("deploy", "shopp", "--commit", shaB); got.code != exitTrouble ||
		!strings.Contains(got.err.Error(), "has no application shopp; it has cart, shop") {
		t.Error(got.err)
	}
	if got := s.runWith(nil, "status", "-n", "default", "--kubeconfig", s.kubeconfig); got.code != exitTrouble ||
		!strings.Contains(got.err.Error(), "forbidden") {
		t.Error(got.err)
	}
	s.status(func(st *v1alpha1.BlueGreenStatus) {
		st.Conditions = []metav1.Condition{{
			Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotGranted,
			Message: "grant it", LastTransitionTime: metav1.Now(),
		}}
		st.SetCommands(v1alpha1.ConditionReady, []v1alpha1.ShellCommand{"kubectl annotate"})
	})
	if got := s.run("deploy", "shop", "--commit", shaB); got.code != exitTrouble ||
		!strings.Contains(got.err.Error(), "grant it\n    kubectl annotate") {
		t.Error(got.err)
	}
	if got := s.releases(); got != "" {
		t.Errorf("recorded was %s", got)
	}
}

func TestStatusAndReleasesAreTablesAndJSON(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.live(shaA)
	check(t, s.admin.Create(t.Context(), command.NewDeploy(s.app, shaB, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "alice"})))
	name := v1alpha1.DeployName("shop", shaB, 1)
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"status"}, []string{"APPLICATION", "shop", "aaaaaaa", "green"}},
		{
			[]string{"status", "shop"},
			[]string{"live         aaaaaaa on green", "waiting      " + name, "rollback     to sha256:00 on blue, at once"},
		},
		{[]string{"releases", "shop"}, []string{"RELEASE", name, "not taken yet", "alice"}},
	} {
		got := s.run(tt.args...)
		for _, want := range tt.want {
			if got.err != nil || !strings.Contains(got.stdout, want) {
				t.Errorf("%v: %v, no %q in\n%s", tt.args, got.err, want, got.stdout)
			}
		}
	}
	var state stateJSON
	check(t, json.Unmarshal([]byte(s.run("status", "-o", "json").stdout), &state))
	if state.Live.Commit != shaA || state.Rollback.To.Version != "sha256:00" || !state.Rollback.Instant || state.Waiting[0] != name ||
		state.URL != "https://shop.example.com" {
		t.Errorf("status -o json is %+v", state)
	}
	var listed releaseJSON
	check(t, json.Unmarshal([]byte(s.run("releases", "shop", "-o", "json").stdout), &listed))
	if listed.Release != name || listed.Commit != shaB || listed.Phase != "" {
		t.Errorf("releases -o json is %+v", listed)
	}
}

func TestJSONEndsWithTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	name := v1alpha1.DeployName("shop", shaB, 1)
	s.serve(name, phase(v1alpha1.ReleaseRunning, ""), phase(v1alpha1.ReleaseFailed, "why"))
	got := s.run("deploy", "shop", "--commit", shaB, "-o", "json")
	var last releaseJSON
	lines := 0
	for scanner := bufio.NewScanner(strings.NewReader(got.stdout)); scanner.Scan(); lines++ {
		check(t, json.Unmarshal(scanner.Bytes(), &last))
	}
	if got.code != exitFailed || lines == 0 || last.Phase != "Failed" || last.Message != "why" || last.Release != name {
		t.Errorf("exit status %d; the last of %d lines is %+v", got.code, lines, last)
	}
}
