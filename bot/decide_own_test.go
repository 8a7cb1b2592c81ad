package bot_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// batch is pull request 9, which came in with pull request 7 in one push: the
// release of the push is of 7's commit, which contains 9's.
func batch(s *bot.Situation) {
	elsewhere(s)
	s.AgainstLive = bot.OrderNewer
	s.Releases[0].Status.GitHub.PullRequests = []int{7, otherPull}
}

func TestDecideTakesTheReleaseOfThePushForEveryPullRequestInIt(t *testing.T) {
	tests := []struct {
		verb bot.Verb
		at   stage
		want string
		says string
	}{
		{bot.Promote, waitsFor, approved, ""},
		{bot.Cancel, waitsFor, stopped, "The release of `1b1b1b1` is being cancelled"},
		{bot.Rollback, waitsFor, stopped, "`1b1b1b1`"},
		{bot.Retry, waitsFor, refused, "still running"},
		{bot.Retry, cancelled, again, ""},
		{bot.Promote, failed, refused, "The release of `1b1b1b1` failed"},
	}
	for _, tt := range tests {
		s := in(tt.at, batch)()
		s.Command.Verb = tt.verb
		d := bot.Decide(s)
		if got, text := kind(d); got != tt.want || !strings.Contains(text, tt.says) {
			t.Errorf("/%s, stage %d: decided %s, %q; want %s, …%s…", tt.verb, tt.at, got, text, tt.want, tt.says)
		}
		if d.Submit != nil && (d.Submit.Spec.Deploy.Commit != newCommit || d.Submit.Spec.Deploy.Attempt != 2) {
			t.Errorf("/%s: submitted %s, want attempt 2 of the push's commit", tt.verb, d.Submit.Name)
		}
		if d.Approve != nil && d.Approve.Approval.Commit != newCommit {
			t.Errorf("/%s: approved %s, want the push's commit", tt.verb, d.Approve.Approval.Commit)
		}
	}
	live := in(held, batch)()
	live.AgainstLive = bot.OrderOlder // what is live contains it
	for verb, want := range map[bot.Verb]string{bot.Promote: answered, bot.Retry: refused, bot.Cancel: refused, bot.Rollback: wentBack} {
		live.Command.Verb = verb
		if got, text := kind(bot.Decide(live)); got != want || strings.Contains(text, "older") {
			t.Errorf("/%s, live with the push: decided %s, %q; want %s", verb, got, text, want)
		}
	}
}

func TestDecideRefusesACommitThatIsNotThePullRequests(t *testing.T) {
	for verb, at := range map[bot.Verb]stage{bot.Promote: waitsFor, bot.Cancel: waitsFor, bot.Retry: cancelled} {
		for commit, want := range map[string]bool{newCommit[:7]: true, newCommit: true, oldCommit[:7]: false, newCommit[:39] + "c": false} {
			s := in(at)()
			s.Command = bot.Command{Verb: verb, Commit: commit}
			d := bot.Decide(s)
			got, text := kind(d)
			if executed := !d.Refused; executed != want {
				t.Errorf("/%s %s: decided %s, %q; want it executed: %v", verb, commit, got, text, want)
			}
			if !want && (!strings.Contains(text, "`"+commit+"` is not this pull request's commit, which is `1b1b1b1`") ||
				!strings.Contains(text, "`/"+string(verb)+"` alone")) {
				t.Errorf("/%s %s is answered %q", verb, commit, text)
			}
		}
	}
	s := in(waitsFor, open)()
	s.PullRequest.Number = otherPull
	s.Command = bot.Command{Verb: bot.Cancel, Commit: newCommit[:7]}
	if got, text := kind(bot.Decide(s)); got != refused || !strings.Contains(text, "it is not merged") {
		t.Errorf("another release's commit on an open pull request: decided %s, %q; want a refusal", got, text)
	}
}

func TestDecideSaysWhatToTypeWithTheApplicationsName(t *testing.T) {
	for _, p := range phases {
		for _, verb := range []bot.Verb{bot.Promote, bot.Rollback, bot.Cancel, bot.Retry, bot.Lock, bot.Unlock, bot.Status, bot.Help} {
			s := p.situation()
			s.App.Namespace, s.Command = "staging", bot.Command{Verb: verb, Application: "staging/shop"}
			s.Applications = []v1alpha1.BlueGreen{shop(), s.App}
			_, text := kind(bot.Decide(s))
			for rest := text; ; {
				_, after, found := strings.Cut(rest, "`/")
				if !found {
					break
				}
				typed, _, _ := strings.Cut(after, "`")
				if !strings.Contains(typed, " staging/shop") {
					t.Errorf("/%s, %s: the answer has `/%s`, which does not say which application: %s", verb, p.name, typed, text)
				}
				rest = after
			}
		}
	}
}

func TestDecideDoesNotCallAnAdoptedVersionCancellable(t *testing.T) {
	s := in(nothing)()
	s.App.Status.Live = &v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1", Commit: newCommit} // by somebody else's annotation
	s.Command.Verb = bot.Cancel
	if got, text := kind(bot.Decide(s)); got != answered || !strings.Contains(text, "nothing to cancel") {
		t.Errorf("decided %s, %q; want that there is nothing to cancel", got, text)
	}
}

func TestDecideRetriesTheFirstTimeWhatHasNoReleaseLeft(t *testing.T) {
	s := in(nothing)()
	s.Command.Verb = bot.Retry
	d := bot.Decide(s)
	if d.Submit == nil || d.Submit.Spec.Deploy.Attempt != 1 || d.Submit.Spec.Approval != nil {
		t.Errorf("decided %+v, want attempt 1, not approved", d)
	}
	for order, want := range map[bot.Order]string{
		bot.OrderOlder: refused, bot.OrderDiverged: refused, bot.OrderSame: refused,
		bot.OrderUnknown: again,
	} {
		s.AgainstLive = order
		if got, text := kind(bot.Decide(s)); got != want {
			t.Errorf("against live %q: decided %s, %q; want %s", order, got, text, want)
		}
	}
}

func TestDecideNamesTheWayOfARetriedRollback(t *testing.T) {
	s := in(rolledBack, behindLock)()
	s.Command.Verb = bot.Retry
	d := bot.Decide(s)
	for _, part := range []string{
		"Attempt 2", "waits for `/promote`, whatever the mode", "rolled back by otto", "locked by otto",
		"`/unlock` lets it go on",
	} {
		if note := bot.Say(d.Fact).Says; !strings.Contains(note, part) {
			t.Errorf("noted %q, want …%s…", note, part)
		}
	}
	if d.Submit == nil || d.Submit.Spec.Approval != nil {
		t.Errorf("decided %+v, want a release that is not approved", d)
	}
	// The retried attempt is promoted as any other that waits.
	rel := *d.Submit
	rel.UID, rel.Status.Phase = "uid-2", v1alpha1.ReleaseWaiting
	s.Releases = append([]v1alpha1.Release{rel}, s.Releases...)
	s.App.Status.Lock = nil
	s.Command.Verb, s.Cause.CommentID = bot.Promote, 5
	if d := bot.Decide(s); d.Approve == nil || d.Approve.Release != rel.Name {
		t.Errorf("decided %+v, want the approval of the second attempt", d)
	}
}

func TestDecideKeepsTheCommentOfEveryWriteApart(t *testing.T) {
	// Each write leaves its comment in the record: the same comment again finds it.
	comment := v1alpha1.Cause{Kind: v1alpha1.CauseComment, CommentID: 1}
	tests := map[bot.Verb]func(*bot.Situation){
		bot.Promote:  func(s *bot.Situation) { s.Releases[0].Spec.Approval = &v1alpha1.Approval{By: "wanda", Cause: comment} },
		bot.Cancel:   func(s *bot.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "wanda", Cause: comment} },
		bot.Rollback: func(s *bot.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "wanda", Cause: comment} },
		bot.Retry:    func(s *bot.Situation) { s.Releases[0].Spec.Cause = comment },
		bot.Lock: func(s *bot.Situation) {
			s.App.Status.Lock = &v1alpha1.Lock{By: "wanda", At: metav1.NewTime(asked), Cause: comment}
		},
	}
	for verb, executed := range tests {
		for _, p := range []v1alpha1.ReleasePhase{v1alpha1.ReleaseWaiting, v1alpha1.ReleaseCancelled} {
			s := in(waitsFor, executed, going(p))()
			s.Command.Verb = verb
			for _, late := range []time.Duration{time.Second, time.Hour} { // a sweep may read it again
				s.Now = s.Asked.Add(late)
				if got, text := kind(bot.Decide(s)); got != answered || !strings.Contains(text, "That was asked before") ||
					!strings.Contains(text, "Nothing was changed") {
					t.Errorf("/%s again, %s, after %s: decided %s, %q; want that it was asked before", verb, p, late, got, text)
				}
			}
			s.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "wanda"} // no comment: never the same
			if _, text := kind(bot.Decide(s)); strings.Contains(text, "asked before") {
				t.Errorf("/%s by the command line: %q", verb, text)
			}
		}
	}
}
