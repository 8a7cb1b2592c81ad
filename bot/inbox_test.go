package bot_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// waiting merges a pull request and lets its release wait for a person.
func waiting(w *world) (*githubtest.PullRequest, v1alpha1.Release) {
	w.t.Helper()
	pr, commit := w.merge("feature")
	w.record.change(v1alpha1.DeployName("shop", commit, 1), func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseWaiting) })
	return pr, w.only()
}

func TestPromoteByReaderIsRefusedWithBothPermissions(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	c := w.say(pr.Number, w.reader, "/promote")
	if rel := w.only(); rel.Spec.Approval != nil {
		t.Errorf("approved by %s, who may only read", rel.Spec.Approval.By)
	}
	if got := reactions(c); got != "-1" {
		t.Errorf("reactions %q, want -1 alone", got)
	}
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "*write*") || !strings.Contains(answers[0], "*read*") ||
		!strings.Contains(answers[0], "#issuecomment-") {
		t.Errorf("answers %q, want one that names both permissions and links the command", answers)
	}
}

func TestPromoteByWriterApproves(t *testing.T) {
	w := newWorld(t)
	pr, rel := waiting(w)
	c := w.say(pr.Number, w.writer, "Looks good.\n\n/promote "+rel.Spec.Deploy.Commit[:8]+"\n")
	approval := w.only().Spec.Approval
	if approval == nil || approval.By != "wanda" || approval.Commit != rel.Spec.Deploy.Commit || approval.Cause.CommentID != c.ID {
		t.Errorf("approval %+v, want one by wanda of the commit, with its cause", approval)
	}
	if got := reactions(c); got != "rocket" {
		t.Errorf("reactions %q, want rocket alone", got)
	}
	if answers := w.answers(pr.Number); len(answers) != 0 {
		t.Errorf("answers %q, want none: the reaction is the answer", answers)
	}
}

// released merges a pull request, lets its release succeed, and returns the versions before
// and after the switch.
func released(w *world) (pr *githubtest.PullRequest, before, after v1alpha1.Version) {
	w.t.Helper()
	pr, commit := w.merge("feature")
	name := v1alpha1.DeployName("shop", commit, 1)
	rel := w.record.change(name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseSucceeded) })
	before = v1alpha1.Version{Color: v1alpha1.Blue, Image: "gcr.io/acme/shop:v1.0.0"}
	after = v1alpha1.Version{Color: v1alpha1.Green, Image: "gcr.io/acme/shop@sha256:1", Commit: commit, Release: name}
	app := bottest.Shop()
	app.Status = v1alpha1.BlueGreenStatus{Live: &after, Previous: &before, LastSwitch: &v1alpha1.SwitchRecord{
		Release: name, UID: string(rel.UID), Kind: "Deploy", From: before, To: after,
	}}
	w.record.add(app)
	return pr, before, after
}

func TestRollbackThatEndedInErrorIsAskedForAgain(t *testing.T) {
	w := newWorld(t)
	pr, _, _ := released(w)
	w.say(pr.Number, w.writer, "/rollback")
	first := w.all()[0]
	w.record.change(first.Name, func(r *v1alpha1.Release) { r.Status.Phase = v1alpha1.ReleaseError })
	w.say(pr.Number, w.writer, "/rollback")
	w.say(pr.Number, w.writer, "/rollback") // somebody else's command, a moment later
	all := w.all()
	if len(all) != 3 || all[0].Spec.Rollback == nil || all[0].Spec.Rollback.Attempt != 2 || all[0].Name != first.Name+"-2" {
		t.Fatalf("%d releases, the newest %s; want the deploy, %s and its second attempt; answers %q",
			len(all), all[0].Name, first.Name, w.answers(pr.Number))
	}
}

func TestRollbackSubmitsOnceAndThenChangesNothing(t *testing.T) {
	w := newWorld(t)
	pr, before, after := released(w)
	c := w.say(pr.Number, w.writer, "/rollback")
	all := w.all()
	rollback, rel := all[0], all[1]
	want := v1alpha1.RollbackSpec{From: after, To: before, Switch: string(rel.UID), Attempt: 1}
	if rollback.Spec.Rollback == nil || *rollback.Spec.Rollback != want {
		t.Fatalf("rollback %+v, want %+v", rollback.Spec.Rollback, want)
	}
	if got := reactions(c); got != "eyes" {
		t.Errorf("reactions %q, want eyes until it has ended", got)
	}
	w.say(pr.Number, w.writer, "/rollback")
	if n := len(w.all()); n != 2 {
		t.Errorf("%d releases after a second /rollback, want the deploy and one rollback", n)
	}

	done := w.record.change(rollback.Name, func(r *v1alpha1.Release) {
		advance(r, v1alpha1.ReleaseSucceeded)
		r.Status.Milestones.Previous, r.Status.Milestones.Target = &after, v1alpha1.Blue
	})
	app := bottest.Shop()
	app.Status = v1alpha1.BlueGreenStatus{Live: &before, LastSwitch: &v1alpha1.SwitchRecord{
		Release: rollback.Name, UID: string(rollback.UID), Kind: "Rollback", From: after, To: before,
	}}
	w.record.add(app)
	_, err := w.publisher().Publish(t.Context(), done)
	check(t, err)
	comments := w.repo.Comments(pr.Number)
	asked := slices.IndexFunc(comments, func(now githubtest.Comment) bool { return now.ID == c.ID })
	if got := reactions(comments[asked]); got != "rocket" {
		t.Errorf("reactions %q after the rollback, want rocket alone", got)
	}
	w.say(pr.Number, w.writer, "/rollback")
	answers := w.answers(pr.Number)
	if last := answers[len(answers)-1]; !strings.Contains(last, "`v1.0.0` is live") || !strings.Contains(last, "Nothing was changed") {
		t.Errorf("answer to the third /rollback %q, want the live version and that nothing changed", last)
	}
	if n := len(w.all()); n != 2 {
		t.Errorf("%d releases after the third /rollback, want 2", n)
	}
}

func TestStatusAnswersAReader(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	c := w.say(pr.Number, w.reader, "/status")
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "`v1.0.0` is live on blue") || !strings.Contains(answers[0], "waits on green") {
		t.Errorf("answers %q, want the live version and the waiting release", answers)
	}
	if got := reactions(c); got != "rocket" {
		t.Errorf("reactions %q, want rocket", got)
	}
}

func TestAmbiguousCommandIsAnsweredWithTheList(t *testing.T) {
	w := newWorld(t)
	other := bottest.Shop()
	other.Namespace, other.Name, other.UID = "staging", "shop-two", "app-2"
	w.record.add(other)
	pr, _ := w.merge("feature")
	w.say(pr.Number, w.writer, "/promote")
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "`/promote shop-two`: production of namespace `staging`") ||
		!strings.Contains(answers[0], "`/promote shop`: ") {
		t.Errorf("answers %q, want both applications", answers)
	}
}

func TestCommentsThatAreIgnoredReachNobody(t *testing.T) {
	tests := []struct {
		name string
		asks bool // whether the author's permission is read before parsing
		say  func(w *world, pr *githubtest.PullRequest) (number int)
	}{
		{"command in a code block", true, func(w *world, pr *githubtest.PullRequest) int {
			w.say(pr.Number, w.writer, "```\n/promote\n```")
			return pr.Number
		}},
		{"command in a quote", false, func(w *world, pr *githubtest.PullRequest) int {
			w.say(pr.Number, w.writer, "> /promote\n\nno")
			return pr.Number
		}},
		{"somebody else's command", false, func(w *world, pr *githubtest.PullRequest) int {
			w.say(pr.Number, w.writer, "/lgtm")
			return pr.Number
		}},
		{"command on an issue", false, func(w *world, _ *githubtest.PullRequest) int {
			number := w.repo.OpenIssue(w.writer, "an issue", "")
			w.say(number, w.writer, "/promote")
			return number
		}},
		{"command of a namespace without the grant", false, func(w *world, pr *githubtest.PullRequest) int {
			w.record.granted["shop"] = false
			w.say(pr.Number, w.writer, "/promote")
			return pr.Number
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			pr, _ := waiting(w)
			before := len(w.github.Requests())
			number := tt.say(w, pr)
			for _, r := range w.github.Requests()[before:] {
				if !tt.asks || r.Method != "GET" && !strings.HasSuffix(r.Route, "/access_tokens") {
					t.Errorf("turnout sent GitHub %s %s", r.Method, r.Path)
				}
			}
			if rel := w.only(); rel.Spec.Approval != nil {
				t.Error("the release was approved")
			}
			if answers := w.answers(number); len(answers) != 0 {
				t.Errorf("answers %q, want none", answers)
			}
		})
	}
}

func TestMistypedCommandIsAnsweredWithItsUsage(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	c := w.say(pr.Number, w.writer, "/promote $(touch /tmp/x)")
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "`/promote [application] [sha] [100]`") || strings.Contains(answers[0], "touch") {
		t.Errorf("answers %q, want the usage without what was typed", answers)
	}
	if got := reactions(c); got != "-1" {
		t.Errorf("reactions %q, want -1", got)
	}
}

func TestRollbackByCommitFindsTheApplicationWhereItIsLive(t *testing.T) {
	w := newWorld(t)
	next := bottest.Shop()
	next.Name, next.UID, next.Spec.Branch = "next", "app-2", "next"
	next.Status = v1alpha1.BlueGreenStatus{
		Live: bottest.NewVersion.DeepCopy(), Previous: bottest.OldVersion.DeepCopy(),
		LastSwitch: &v1alpha1.SwitchRecord{
			Release: bottest.NewVersion.Release, UID: "uid-new", Kind: "Deploy", From: bottest.OldVersion, To: bottest.NewVersion,
		},
	}
	w.record.add(next)
	pr := w.open("feature") // into main, and not merged
	w.say(pr.Number, w.writer, "/rollback "+bottest.NewCommit[:10])
	w.record.mu.Lock()
	defer w.record.mu.Unlock()
	if n := len(w.record.releases); n != 1 || w.record.releases[0].Spec.Application != "next" {
		t.Fatalf("%d releases, want one rollback of next; answers %q", n, w.answers(pr.Number))
	}
}

// TestACommandWhoseGrantIsGoneReachesNobody: the grant existed when the comment arrived.
func TestACommandWhoseGrantIsGoneReachesNobody(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.typed(pr, "/promote")
	w.record.granted["shop"] = false
	before := len(w.github.Requests())
	if !w.try(w.delivery("/promote")) {
		t.Error("the command is tried again")
	}
	for _, r := range w.github.Requests()[before:] {
		t.Errorf("turnout sent GitHub %s %s", r.Method, r.Path)
	}
	w.record.granted["shop"] = true
	if w.only().Spec.Approval != nil {
		t.Error("the release was approved")
	}
}

// divides lets the last of such weights be the one that a canary has.
func divides(weights ...int32) func(*v1alpha1.Release) {
	return func(r *v1alpha1.Release) { bottest.Divides(weights...)(r) }
}

// A comment takes one step, however often GitHub delivers it and however far the canary has
// gone meanwhile.
func TestACommentPromotesACanaryByOneStep(t *testing.T) {
	w := newWorld(t)
	pr, rel := waiting(w)
	w.record.change(rel.Name, divides(5))
	c := w.say(pr.Number, w.writer, "/promote")
	w.record.change(rel.Name, divides(5, 25))
	w.forgetDeliveries()
	w.deliverAgain(c, bytes.Clone)
	got := w.only().Spec.Promotions
	if len(got) != 1 || got[0].Weight != 25 || got[0].By != "wanda" || got[0].Cause.CommentID != c.ID || got[0].At.IsZero() {
		t.Errorf("after a redelivery the promotions are %+v, want one to 25 by wanda with its cause", got)
	}
	w.say(pr.Number, w.writer, "/promote 100")
	if got := &w.all()[0].Spec; got.Promoted() != 100 || len(got.Promotions) != 2 {
		t.Errorf("after /promote 100 the promotions are %+v", got.Promotions)
	}
	w.expectSaid(pr.Number, w.writer, "/promote", "+1", "was promoted by wanda already")
}

// A rollback waits for GitHub as seldom as possible: for the permission of who asks, and for the pull
// request. It does not wait for the reaction that shows that it was read.
func TestRollbackAsksGitHubTwiceAndWaitsForNoReaction(t *testing.T) {
	w := newWorld(t)
	pr, _, _ := released(w)
	react := "/repos/{owner}/{repo}/issues/comments/{comment_id}/reactions"
	w.github.Inject(githubtest.Fault{Kind: githubtest.Hang, Method: http.MethodPost, Route: react})
	w.app.SetWebhookURL("")
	check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, "/rollback")))
	before := len(w.github.Requests())
	ctx, stop := context.WithCancel(t.Context())
	submitted, ended := make(chan bool, 1), make(chan struct{})
	over := &noticing{text: "reaction not set"}
	w.inbox.Log = slog.New(slog.NewTextHandler(over, nil))
	w.inbox.Record = &announcing{w.record, over, submitted}
	go func() {
		defer close(ended)
		w.work(ctx)
	}()
	select {
	case late := <-submitted:
		if late {
			t.Error("the rollback was made only once the reaction was given up")
		}
	case <-ended:
		t.Error("the rollback was not made")
	}
	stop()
	<-ended
	var reads []string
	for _, r := range w.github.Requests()[before:] {
		if r.Method == http.MethodGet && r.Route != "/repos/{owner}/{repo}/installation" { // that one is asked once
			reads = append(reads, r.Route)
		}
	}
	want := []string{"/repos/{owner}/{repo}/collaborators/{username}/permission", "/repos/{owner}/{repo}/pulls/{pull_number}"}
	if diff := cmp.Diff(want, reads); diff != "" {
		t.Errorf("what was read (-want +got):\n%s", diff)
	}
}

// noticing is a log that notices a text.
type noticing struct {
	text string
	seen atomic.Bool
}

func (n *noticing) Write(line []byte) (int, error) {
	if bytes.Contains(line, []byte(n.text)) {
		n.seen.Store(true)
	}
	return len(line), nil
}

// announcing is a record that says whether something was noticed before a release came.
type announcing struct {
	*memoryRecord
	over      *noticing
	submitted chan bool
}

func (s *announcing) Submit(ctx context.Context, rel *v1alpha1.Release) (*v1alpha1.Release, bool, error) {
	s.submitted <- s.over.seen.Load()
	return s.memoryRecord.Submit(ctx, rel)
}

// The cache may lack what has just been made. A command does nothing only if all releases say so.
func TestNoCommandIsRefusedForWhatTheCacheLacks(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.inbox.Record = &behind{memoryRecord: w.record, cache: true}
	w.expectSaid(pr.Number, w.writer, "/cancel", "rocket", "is being cancelled")
	if w.only().Spec.Cancel == nil {
		t.Error("the release that the cache lacks is not cancelled")
	}
}
