package bot_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func containsAny(s string, parts ...string) bool {
	for _, part := range parts {
		if strings.Contains(s, part) {
			return true
		}
	}
	return false
}

const commentsRoute = "/repos/{owner}/{repo}/issues/{issue_number}/comments"

// TestAReplyOfUnknownOutcomeIsPostedOnce: either GitHub posted it and the answer was lost,
// or GitHub did not.
func TestAReplyOfUnknownOutcomeIsPostedOnce(t *testing.T) {
	for _, fault := range []githubtest.FaultKind{githubtest.ReplyLost, githubtest.BadGateway} {
		for _, body := range []string{"/promote", "/status", "/promote $(x)"} {
			w := newWorld(t)
			pr, _ := waiting(w)
			w.github.Inject(githubtest.Fault{Kind: fault, Method: "POST", Route: commentsRoute})
			w.say(pr.Number, w.reader, body)
			if n := len(w.pending()); n != 1 {
				t.Errorf("%s, %s: %d deliveries are pending, want 1: the answer may or may not have been sent", fault, body, n)
			}
			w.inbox = w.process()
			w.work(t.Context())
			if n := len(w.answers(pr.Number)); n != 1 || len(w.pending()) != 0 {
				t.Errorf("%s, %s: %d answers, %d pending; want one and none", fault, body, n, len(w.pending()))
			}
		}
	}
}

// TestAReplyIsLookedForOnlyWhenItMayBeListed: GitHub need not list a new comment at once.
func TestAReplyIsLookedForOnlyWhenItMayBeListed(t *testing.T) {
	w := newWorld(t)
	w.inbox.Grace = time.Hour
	pr, _ := waiting(w)
	w.github.Inject(githubtest.Fault{Kind: githubtest.BadGateway, Method: "POST", Route: commentsRoute})
	w.say(pr.Number, w.reader, "/promote")
	w.work(t.Context())
	if n := len(w.answers(pr.Number)); n != 0 {
		t.Errorf("%d answers within the grace, want none yet", n)
	}
	if next := w.pending()[0].Status.NextAt; next == nil || time.Until(next.Time) < 50*time.Minute {
		t.Errorf("the next try is at %v, want the end of the grace", next)
	}
}

// TestSomebodyElsesMarkerIsNoReply: anybody can type a marker.
func TestSomebodyElsesMarkerIsNoReply(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.github.Inject(githubtest.Fault{Kind: githubtest.BadGateway, Method: "POST", Route: commentsRoute})
	c := w.say(pr.Number, w.reader, "/promote")
	w.say(pr.Number, w.reader, fmt.Sprintf("<!-- turnout:reply:%d -->\nmine", c.ID))
	w.work(t.Context())
	if n := len(w.answers(pr.Number)); n != 1 {
		t.Errorf("%d answers, want the bot's own", n)
	}
}

// TestACommentOfAStrangerCostsFewWrites: and none before the author's permission is known.
func TestACommentOfAStrangerCostsFewWrites(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	for body, want := range map[string]int{
		"/status": 2, "/help": 2, "/promote": 2, "/promote $(x)": 2, "/promtoe": 0,
		"```\n/promote\n```": 0,
	} {
		before := len(w.github.Requests())
		w.say(pr.Number, w.reader, body)
		if n := total(w.arrived(before)); n != want {
			t.Errorf("%q costs %d writes, want %d", body, n, want)
		}
	}
}

// TestStrangersAreAnsweredSoOften: strangers have a quota, people who may command have
// none.
func TestStrangersAreAnsweredSoOften(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	other := w.open("other")
	for range 12 {
		w.say(pr.Number, w.reader, "/status")
	}
	if n := len(w.answers(pr.Number)); n != 10 {
		t.Errorf("%d answers to 12 comments of a stranger, want 10", n)
	}
	asked := len(w.github.Requests())
	w.say(pr.Number, w.reader, "/promote")
	for _, r := range w.github.Requests()[asked:] {
		if !strings.HasSuffix(r.Route, "/permission") { // cached for a minute
			t.Errorf("GitHub is asked for %s because of a comment that gets no answer", r.Path)
		}
	}
	w.say(other.Number, w.reader, "/status")
	if n := len(w.answers(other.Number)); n != 1 {
		t.Errorf("%d answers on another pull request, want 1", n)
	}
	for range 12 {
		w.say(pr.Number, w.writer, "/status")
	}
	if n := len(w.answers(pr.Number)); n != 22 {
		t.Errorf("%d answers after 12 comments of a user who may command, want 10 and 12", n)
	}
	w.say(pr.Number, w.writer, "/promote")
	if w.only().Spec.Approval == nil {
		t.Error("a command is not executed because strangers got many answers")
	}
}

// TestWhatOneMayIsAskedAnewForWhatIsExecuted: a permission that was just removed no longer
// counts.
func TestWhatOneMayIsAskedAnewForWhatIsExecuted(t *testing.T) {
	w := newWorld(t)
	pr, _ := waiting(w)
	w.say(pr.Number, w.writer, "/status")
	check(t, w.repo.SetRole(w.writer, "read"))
	w.say(pr.Number, w.writer, "/promote")
	if w.only().Spec.Approval != nil {
		t.Error("the approval counts, though its author lost the permission")
	}
}

// TestALimitOfOneInstallationStopsNoOther: GitHub counts installations separately.
func TestALimitOfOneInstallationStopsNoOther(t *testing.T) {
	w := newWorld(t)
	pr, _, _ := released(w)
	public, err := w.github.AddRepository("stranger/public", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	w.app.InstallOn(public, nil)
	other := bottest.Shop()
	other.Namespace, other.Name, other.UID, other.Spec.Repository = "public", "public", "app-9", "stranger/public"
	w.record.add(other)
	_, err = public.CommitFiles(githubtest.Commit{
		Branch: "x", Message: "m", Author: w.reader,
		Files: githubtest.Text(map[string]string{"a": "2"}),
	})
	check(t, err)
	theirs, err := public.OpenPullRequest(githubtest.NewPullRequest{Title: "t", Head: "x", Author: w.reader})
	check(t, err)
	w.github.Inject(githubtest.Fault{Kind: githubtest.SecondaryRateLimit, Method: "POST", Route: commentsRoute, RetryAfter: time.Minute})
	_, err = public.Comment(theirs.Number, w.reader, "/status")
	check(t, err)
	w.delivered("issue_comment", func(d githubtest.Delivery) bool { return strings.Contains(string(d.Payload), "/status") })
	if pending := w.pending(); len(pending) != 1 || !pending[0].Status.Limited || time.Until(pending[0].Status.NextAt.Time) < 50*time.Second {
		t.Fatalf("pending %+v, want the comment, due after the minute that GitHub asks for", pending)
	}
	w.say(pr.Number, w.writer, "/rollback")
	if w.all()[0].Spec.Rollback == nil {
		t.Errorf("a /rollback in another installation was not executed; pending %+v", w.pending())
	}
}

// TestACommandUnderARateLimitIsExecutedAfterIt: its answer names the command line, which
// does not need GitHub.
func TestACommandUnderARateLimitIsExecutedAfterIt(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusTooManyRequests} {
		w := newWorld(t)
		pr, _, _ := released(w)
		w.github.Inject(githubtest.Fault{
			Kind: githubtest.SecondaryRateLimit, Status: status, RetryAfter: 6 * time.Second, // longer than a call itself waits
			Method: "GET", Route: "/repos/{owner}/{repo}/collaborators/{username}/permission",
		})
		w.say(pr.Number, w.writer, "/rollback")
		pending := w.pending()
		if len(pending) != 1 || len(w.all()) != 1 {
			t.Fatalf("%d: %d deliveries are pending, want the command", status, len(pending))
		}
		if in := time.Until(pending[0].Status.NextAt.Time); in < 4*time.Second || in > 6*time.Second {
			t.Errorf("%d: the next try is in %s, want when GitHub allows it", status, in)
		}
		// Another process, later, which does not know the limit.
		w.client = w.newClient()
		w.inbox = w.process()
		d := pending[0]
		d.Status.NextAt = nil
		check(t, w.record.Update(t.Context(), &d))
		w.work(t.Context())
		last := w.lastAnswer(pr.Number)
		if w.all()[0].Spec.Rollback == nil || !strings.Contains(last, "rate limit") || !strings.Contains(last, "`turnout rollback`") {
			t.Errorf("%d: the newest release is %s, answered %q; want a rollback and the command line", status, w.all()[0].Name, last)
		}
	}
}

// TestALockIsNotCarriedOutTwice: a second attempt does not undo what somebody did after the
// first.
func TestALockIsNotCarriedOutTwice(t *testing.T) {
	app := bottest.Shop()
	for _, verb := range []string{"/lock", "/unlock"} {
		w := newWorld(t)
		pr, _ := waiting(w)
		w.app.SetWebhookURL("")
		if verb == "/unlock" {
			check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "otto"}))
		}
		check(t, w.inbox.Handle(t.Context(), commentOf(w, pr.Number, w.writer, verb)))
		w.live(&life{effects: effects{nth: 4, crash: true, with: true}}) // attempt, eyes, intent, act
		want := verb == "/unlock"
		if want {
			check(t, w.record.Lock(t.Context(), keyOf(&app), v1alpha1.Lock{By: "olga", At: *now()}))
		} else {
			_, err := w.record.Unlock(t.Context(), keyOf(&app), "olga")
			check(t, err)
		}
		w.live(&life{})
		if locked := w.lock() != nil; locked != want {
			t.Errorf("%s, after another person undid it: locked %v, want %v", verb, locked, want)
		}
	}
}
