package main

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

var (
	shaA = strings.Repeat("a", 40)
	shaB = strings.Repeat("b", 40)
)

// history makes a request about an application where A is live, after a version that
// Turnout found.
func history(releases ...v1alpha1.Release) *request {
	live := v1alpha1.Version{Color: v1alpha1.Green, Commit: shaA, Image: "img@sha256:aa", Release: v1alpha1.DeployName("shop", shaA, 1)}
	before := v1alpha1.Version{Color: v1alpha1.Blue, Image: "img@sha256:00", Replicas: 3}
	app := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "shop"}}
	app.Spec = v1alpha1.BlueGreenSpec{Repository: "acme/shop", Branch: "main", Environment: "production"}
	app.Status.Live, app.Status.Previous = &live, &before
	app.Status.WayBack = &v1alpha1.WayBack{Color: v1alpha1.Blue, Ready: 3, Needed: 3}
	app.Status.LastSwitch = &v1alpha1.SwitchRecord{Release: live.Release, UID: "uid-a", Kind: "Deploy", From: before, To: live}
	return &request{
		app: app, releases: releases, cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "carol"},
		now: time.Unix(1700000000, 0),
	}
}

// deployed is a release of a commit in a phase.
func deployed(commit string, attempt int32, phase v1alpha1.ReleasePhase, change ...func(*v1alpha1.Release)) v1alpha1.Release {
	rel := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{
		Namespace: "ns", Name: v1alpha1.DeployName("shop", commit, attempt),
		UID: types.UID("uid-" + commit[:1]),
	}}
	rel.Spec = v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Deploy, Application: "shop",
		Deploy: &v1alpha1.DeploySpec{Repository: "acme/shop", Commit: commit, Attempt: attempt},
	}
	rel.Spec.Cause.Actor = "alice"
	rel.Status.Phase = phase
	for _, f := range change {
		f(&rel)
	}
	return rel
}

func goingBack(phase v1alpha1.ReleasePhase) v1alpha1.Release {
	rel := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "shop-rollback-1"}}
	rel.Spec = v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback, Application: "shop", Rollback: &v1alpha1.RollbackSpec{
		From: v1alpha1.Version{Color: v1alpha1.Green, Commit: shaA, Image: "img@sha256:aa", Release: v1alpha1.DeployName("shop", shaA, 1)},
		To:   v1alpha1.Version{Color: v1alpha1.Blue, Image: "img@sha256:00"}, Switch: "uid-a", Attempt: 1,
	}}
	rel.Status.Phase = phase
	return rel
}

func intended(rel *v1alpha1.Release) {
	now := metav1.Now()
	rel.Status.Milestones.SwitchIntendedAt = &now
}

// summary is a plan in one line.
func summary(p plan) string {
	switch {
	case p.Refused:
		return "refused: " + terminal(history().app).Say(p.Fact).String()
	case p.Submit != nil:
		return fmt.Sprintf("submit %s approved=%v", p.release, p.Submit.Spec.Approval != nil)
	case p.Approve != nil:
		return "approve " + p.release
	case p.Cancel != nil:
		return "cancel " + p.release
	}
	return "answer " + p.release + ": " + terminal(history().app).Say(p.Fact).String()
}

func TestWhatARequestComesTo(t *testing.T) {
	a1, b1, b2 := v1alpha1.DeployName("shop", shaA, 1), v1alpha1.DeployName("shop", shaB, 1), v1alpha1.DeployName("shop", shaB, 2)
	deploy := func(commit string, retry bool) func(*request) plan {
		return func(r *request) plan { return r.deploy(commit, retry) }
	}
	promote := func(release, commit string) func(*request) plan {
		return func(r *request) plan { return r.promote(release, commit, 0) }
	}
	rollback := func(from string) func(*request) plan { return func(r *request) plan { return r.rollback(from) } }
	cancel := func(release string) func(*request) plan {
		return func(r *request) plan { return r.cancel(release, "no") }
	}
	const (
		running, waiting     = v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting
		failed, broke, ended = v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseSucceeded
	)
	tests := []struct {
		name     string
		releases []v1alpha1.Release
		ask      func(*request) plan
		want     string // a regular expression
	}{
		{"deploy of a new commit", nil, deploy(shaB, false), `^submit ` + b1 + ` approved=false$`},
		{
			"deploy joins what is under way",
			[]v1alpha1.Release{deployed(shaB, 1, running)},
			deploy(shaB, false),
			`^answer ` + b1 + `: .* under way already, asked for by alice`,
		},
		{"retry joins what is under way", []v1alpha1.Release{deployed(shaB, 1, running)}, deploy(shaB, true), `^answer ` + b1},
		{
			"deploy of what failed needs --retry",
			[]v1alpha1.Release{deployed(shaB, 1, failed)},
			deploy(shaB, false),
			`^refused: .* ended as Failed\. Nothing was started\. .*--commit ` + shaB + ` --retry`,
		},
		{"retry is the next attempt", []v1alpha1.Release{deployed(shaB, 1, failed)}, deploy(shaB, true), `^submit ` + b2},
		{
			"retry of what is live",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			deploy(shaA, true),
			`^refused: .*already live\. .*There is nothing to retry`,
		},
		{"deploy behind a lock says so", nil, func(r *request) plan {
			r.app.Status.Lock = &v1alpha1.Lock{By: "dora", At: metav1.Unix(1700000000, 0), Reason: "audit"}
			p := r.deploy(shaB, false)
			return plan{Decision: command.Decision{Fact: p.Fact}, release: p.release}
		}, `^answer ` + b1 + `: .*locked by dora`},
		{
			"deploy of what is live",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			deploy(shaA, false),
			`^answer ` + a1 + `: aaaaaaa is already live`,
		},
		{"deploy of what is live, whose release is no longer kept", nil, deploy(shaA, false), `^answer : aaaaaaa is already live`},
		{"deploy of what was live", []v1alpha1.Release{deployed(shaB, 1, ended)}, deploy(shaB, false), `^refused: .* ended as Succeeded`},

		{
			"promote takes the one that waits",
			[]v1alpha1.Release{deployed(shaB, 1, waiting), deployed(shaA, 1, running)},
			promote("", ""),
			`^approve ` + b1,
		},
		{"promote takes the only one", []v1alpha1.Release{deployed(shaB, 1, running)}, promote("", ""), `^approve ` + b1},
		{
			"promote of nothing",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			promote("", ""),
			`^refused: No release of shop waits\. Name the commit`,
		},
		{
			"promote of one of several",
			[]v1alpha1.Release{deployed(shaB, 1, running), deployed(shaA, 1, running)},
			promote("", ""),
			`^refused: .* several releases under way: ` + b1 + `, ` + a1,
		},
		{"promote by name", []v1alpha1.Release{deployed(shaB, 1, waiting)}, promote(b1, ""), `^approve ` + b1},
		{
			"promote of an older attempt",
			[]v1alpha1.Release{deployed(shaB, 2, waiting), deployed(shaB, 1, broke)},
			promote(b1, ""),
			`^refused: ` + b1 + ` is not the newest release of bbbbbbb`,
		},
		{"promote of a rollback", []v1alpha1.Release{goingBack(running)}, promote("shop-rollback-1", ""), `^refused: .* is a rollback`},
		{
			"promote of an unknown name", nil, promote("shop-x-1", ""),
			`^refused: shop has no release shop-x-1\. List them: .turnout releases shop.`,
		},
		{"promote of a new commit", nil, promote("", shaB), `^submit ` + b1 + ` approved=true$`},
		{
			"promote of what is live",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			promote("", shaA),
			`^answer ` + a1 + `: .*already live.*turnout rollback shop`,
		},
		{"promote of what is switching follows it", []v1alpha1.Release{deployed(shaB, 1, running, intended)}, promote("", shaB), `^answer ` + b1},

		{
			"rollback of what is live",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			rollback(""),
			`^submit ` + v1alpha1.RollbackName("shop", "uid-a", 1),
		},
		{
			"rollback by commit",
			[]v1alpha1.Release{deployed(shaA, 1, ended)},
			rollback("aaaaaaa"),
			`^submit ` + v1alpha1.RollbackName("shop", "uid-a", 1),
		},
		{"rollback joins what is under way", []v1alpha1.Release{goingBack(running)}, rollback(""), `^answer shop-rollback-1`},
		{"rollback by commit joins what is under way", []v1alpha1.Release{goingBack(running)}, rollback("aaaaaaa"), `^answer shop-rollback-1`},
		{
			"rollback after one that moved nobody",
			[]v1alpha1.Release{goingBack(broke)},
			rollback(""),
			`^submit ` + v1alpha1.RollbackName("shop", "uid-a", 2),
		},
		{"rollback of a deploy before its switch", []v1alpha1.Release{deployed(shaB, 1, running)}, rollback(shaB), `^cancel ` + b1},
		{
			"rollback of something else", nil, rollback("ccccccc"),
			`^refused: .*ccccccc.* is not live.*turnout rollback shop --from aaaaaaa`,
		},

		{"cancel of the only one", []v1alpha1.Release{deployed(shaB, 1, running)}, cancel(""), `^cancel ` + b1},
		{"cancel by name", []v1alpha1.Release{deployed(shaB, 1, running), deployed(shaA, 1, running)}, cancel(b1), `^cancel ` + b1},
		{
			"cancel of one of several",
			[]v1alpha1.Release{deployed(shaB, 1, running), deployed(shaA, 1, running)},
			cancel(""),
			`^refused: .* several releases`,
		},
		{"cancel of nothing", nil, cancel(""), `^refused: No release of shop is under way`},
		{
			"cancel too late",
			[]v1alpha1.Release{deployed(shaB, 1, running, intended)},
			cancel(""),
			`^refused: It is too late to cancel .*turnout rollback shop`,
		},
		{
			"cancel of what has ended",
			[]v1alpha1.Release{deployed(shaB, 1, failed)},
			cancel(b1),
			`^answer ` + b1 + `: The release of .*bbbbbbb.* has ended \(failed\): there is nothing to cancel`,
		},
		{
			"cancel of an earlier attempt",
			[]v1alpha1.Release{deployed(shaB, 2, running), deployed(shaB, 1, failed)},
			cancel(b1),
			`^refused: ` + b1 + ` has ended already: Failed`,
		},
		{"cancel of what is live", []v1alpha1.Release{deployed(shaA, 1, ended)}, cancel(a1), `^refused: It is too late`},
		{"cancel of a rollback", []v1alpha1.Release{goingBack(running)}, cancel(""), `^refused: .* is a rollback, which cannot be cancelled`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := summary(tt.ask(history(tt.releases...)))
			if !regexp.MustCompile(tt.want).MatchString(got) {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
			if strings.Contains(got, "`/") {
				t.Errorf("the text names a pull request's command: %s", got)
			}
		})
	}
}

func TestARollbackIsTheOneThatTheBotMakes(t *testing.T) {
	r := history(deployed(shaA, 1, v1alpha1.ReleaseSucceeded))
	byHand := r.rollback("").Submit
	comment := command.Decide(command.Situation{
		Command:     command.Command{Verb: command.Rollback},
		PullRequest: command.PullRequest{Number: 1, Merged: true, Base: "main", MergeCommit: shaA},
		By:          "alice", Asked: r.now, Now: r.now, App: *r.app, Releases: r.releases,
	}).Submit
	if byHand == nil || comment == nil || byHand.Name != comment.Name || !v1alpha1.SameRequest(byHand, comment) {
		t.Errorf("by hand %+v\nby comment %+v", byHand, comment)
	}
	if byHand.Spec.Cause.Kind != v1alpha1.CauseCLI || byHand.Spec.Cause.Actor != "carol" {
		t.Errorf("the cause is %+v", byHand.Spec.Cause)
	}
}

func TestARollbackWithoutACommitToLeaveSaysWhy(t *testing.T) {
	r := history()
	r.app.Status.Live.Commit = ""
	if got := summary(r.rollback("")); !strings.Contains(got, "sha256:aa is live on green, which Turnout did not release") {
		t.Error(got)
	}
	r.app.Status.Live = nil
	if got := summary(r.rollback("")); !strings.Contains(got, "`turnout status shop --namespace ns` shows why") {
		t.Error(got)
	}
	r.app.Status.Mixed = &v1alpha1.MixedStatus{}
	if got := summary(r.rollback("")); !strings.Contains(got, "Users are on both colours of `shop`") {
		t.Error(got)
	}
}

// Users are on both colours: nothing is live, and one rollback is admitted.
func TestARollbackBringsTogetherUsersWhoAreOnBothColours(t *testing.T) {
	r := history(deployed(shaA, 1, v1alpha1.ReleaseError))
	back := v1alpha1.RollbackSpec{
		From: v1alpha1.Version{Color: v1alpha1.Green, Commit: shaA, Image: "a"}, To: v1alpha1.Version{Color: v1alpha1.Blue, Image: "b"},
		Switch: "uid-a",
	}
	r.app.Status.Live, r.app.Status.Mixed = nil, &v1alpha1.MixedStatus{Back: &back}
	for _, from := range []string{"", shaA[:7]} {
		made := r.rollback(from).Submit
		if made == nil {
			t.Fatalf("from %q: %s", from, summary(r.rollback(from)))
		}
		want := back
		want.Attempt = 1
		if diff := cmp.Diff(&want, made.Spec.Rollback); diff != "" {
			t.Errorf("from %q (-want +got):\n%s", from, diff)
		}
	}
	if got := summary(r.rollback("ccccccc")); !strings.Contains(got, "refused") || !strings.Contains(got, "--from aaaaaaa") {
		t.Error(got)
	}
}

func TestWhatIsInTheWayIsSaid(t *testing.T) {
	notGranted := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotGranted,
		Message: "grant it",
	}
	mixed := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonMixedRoutes,
		Message: "both",
	}
	tests := []struct {
		name      string
		condition *metav1.Condition
		ask       func(*request) plan
		err, warn string
	}{
		{
			"without the grant nothing is written", &notGranted, func(r *request) plan { return r.deploy(shaB, false) },
			"NotGranted), so nothing was asked for: grant it\n    kubectl annotate namespace shop a=b", "",
		},
		{
			"a rollback needs no grant", &notGranted, func(r *request) plan { return r.rollback("") }, "",
			"blocked (NotGranted): grant it\n    kubectl annotate namespace shop a=b",
		},
		{"another condition is told", &mixed, func(r *request) plan { return r.deploy(shaB, false) }, "", "shop is blocked (MixedRoutes): both"},
		{"a refusal says enough", &notGranted, func(r *request) plan { return r.rollback("ccccccc") }, "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := history()
			if tt.condition != nil {
				r.app.Status.Conditions = []metav1.Condition{*tt.condition}
				if tt.condition == &notGranted {
					r.app.Status.SetCommands(v1alpha1.ConditionReady, []v1alpha1.ShellCommand{"kubectl annotate namespace shop a=b"})
				}
			}
			var warned strings.Builder
			err := r.obstacle(tt.ask(r), func(text string) { warned.WriteString(text) })
			if got := fmt.Sprint(err); (err != nil) != (tt.err != "") || !strings.Contains(got, tt.err) {
				t.Errorf("the error is %v, want %q", err, tt.err)
			}
			if got := warned.String(); (got != "") != (tt.warn != "") || !strings.Contains(got, tt.warn) {
				t.Errorf("the warning is %q, want %q", got, tt.warn)
			}
		})
	}
}

// statusRow is a row of the table of exit statuses in docs/command-line.md.
var statusRow = regexp.MustCompile("(?m)^\\| `(\\d)` \\| ([^|]*) \\|$")

func TestTheExitStatusesAreThoseOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	if err != nil {
		t.Fatal(err)
	}
	phases := map[v1alpha1.ReleasePhase]int{}
	all := []v1alpha1.ReleasePhase{
		"", v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseUndoing,
		v1alpha1.ReleaseSucceeded, v1alpha1.ReleaseFailed, v1alpha1.ReleaseError, v1alpha1.ReleaseCancelled, v1alpha1.ReleaseSuperseded,
	}
	for _, phase := range all {
		rel := deployed(shaB, 1, phase)
		phases[phase] = exitCode(verdict(&rel))
	}
	rows := statusRow.FindAllStringSubmatch(string(page), -1)
	if len(rows) != 6 {
		t.Fatalf("the page has %d rows, want 6", len(rows))
	}
	for _, row := range rows {
		code, err := strconv.Atoi(row[1])
		if err != nil {
			t.Fatal(err)
		}
		for phase, got := range phases {
			if phase == "" {
				continue
			}
			if named := strings.Contains(row[2], "*"+string(phase)+"*"); named != (got == code) {
				t.Errorf("%s exits with %d; the page's row for %d is: %s", phase, got, code, row[2])
			}
		}
	}
	if got := exitCode(errors.New("any")); got != exitTrouble {
		t.Errorf("another error exits with %d", got)
	}
}
