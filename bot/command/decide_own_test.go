package command_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// batch makes it pull request 9, pushed together with pull request 7. The push's release is
// of 7's commit, which contains 9's.
func batch(s *command.Situation) {
	elsewhere(s)
	s.AgainstLive = command.OrderNewer
	s.Releases[0].Status.GitHub.PullRequests = []int{7, otherPull}
}

func TestDecideTakesTheReleaseOfThePushForEveryPullRequestInIt(t *testing.T) {
	tests := []struct {
		verb command.Verb
		at   bottest.Stage
		want string
		says string
	}{
		{command.Promote, bottest.WaitsFor, approved, ""},
		{command.Cancel, bottest.WaitsFor, stopped, "The release of `1b1b1b1` is being cancelled"},
		{command.Rollback, bottest.WaitsFor, stopped, "`1b1b1b1`"},
		{command.Retry, bottest.WaitsFor, refused, "still running"},
		{command.Retry, bottest.Cancelled, again, ""},
		{command.Promote, bottest.Failed, refused, "The release of `1b1b1b1` failed"},
	}
	for _, tt := range tests {
		s := in(tt.at, batch)()
		s.Command.Verb = tt.verb
		d := command.Decide(s)
		if got, text := bottest.Kind(d); got != tt.want || !strings.Contains(text, tt.says) {
			t.Errorf("/%s, stage %d: decided %s, %q; want %s, …%s…", tt.verb, tt.at, got, text, tt.want, tt.says)
		}
		if d.Submit != nil && (d.Submit.Spec.Deploy.Commit != bottest.NewCommit || d.Submit.Spec.Deploy.Attempt != 2) {
			t.Errorf("/%s: submitted %s, want attempt 2 of the push's commit", tt.verb, d.Submit.Name)
		}
		if d.Approve != nil && d.Approve.Approval.Commit != bottest.NewCommit {
			t.Errorf("/%s: approved %s, want the push's commit", tt.verb, d.Approve.Approval.Commit)
		}
	}
	live := in(bottest.Held, batch)()
	live.AgainstLive = command.OrderOlder // the live version contains it
	for verb, want := range map[command.Verb]string{
		command.Promote: answered, command.Retry: refused, command.Cancel: refused,
		command.Rollback: wentBack,
	} {
		live.Command.Verb = verb
		if got, text := bottest.Kind(command.Decide(live)); got != want || strings.Contains(text, "older") {
			t.Errorf("/%s, while the push's commit is live: decided %s, %q; want %s", verb, got, text, want)
		}
	}
}

func TestDecideRefusesACommitThatIsNotThePullRequests(t *testing.T) {
	for verb, at := range map[command.Verb]bottest.Stage{
		command.Promote: bottest.WaitsFor, command.Cancel: bottest.WaitsFor,
		command.Retry: bottest.Cancelled,
	} {
		for commit, want := range map[string]bool{
			bottest.NewCommit[:7]: true, bottest.NewCommit: true, bottest.OldCommit[:7]: false,
			bottest.NewCommit[:39] + "c": false,
		} {
			s := in(at)()
			s.Command = command.Command{Verb: verb, Commit: commit}
			d := command.Decide(s)
			got, text := bottest.Kind(d)
			if executed := !d.Refused; executed != want {
				t.Errorf("/%s %s: decided %s, %q; want executed: %v", verb, commit, got, text, want)
			}
			if !want && (!strings.Contains(text, "`"+commit+"` is not this pull request's commit, which is `1b1b1b1`") ||
				!strings.Contains(text, "`/"+string(verb)+"` alone")) {
				t.Errorf("/%s %s is answered %q", verb, commit, text)
			}
		}
	}
	s := in(bottest.WaitsFor, open)()
	s.PullRequest.Number = otherPull
	s.Command = command.Command{Verb: command.Cancel, Commit: bottest.NewCommit[:7]}
	if got, text := bottest.Kind(command.Decide(s)); got != refused || !strings.Contains(text, "it is not merged") {
		t.Errorf("another release's commit on an open pull request: decided %s, %q; want a refusal", got, text)
	}
}

func TestDecideSaysWhatToTypeWithTheApplicationsName(t *testing.T) {
	for _, p := range phases {
		for _, verb := range []command.Verb{
			command.Promote, command.Rollback, command.Cancel, command.Retry, command.Lock, command.Unlock,
			command.Status, command.Help,
		} {
			s := p.situation()
			s.App.Namespace, s.Command = "staging", command.Command{Verb: verb, Application: "staging/shop"}
			s.Applications = []v1alpha1.BlueGreen{bottest.Shop(), s.App}
			_, text := bottest.Kind(command.Decide(s))
			for rest := text; ; {
				_, after, found := strings.Cut(rest, "`/")
				if !found {
					break
				}
				typed, _, _ := strings.Cut(after, "`")
				if !strings.Contains(typed, " staging/shop") {
					t.Errorf("/%s, %s: the answer has `/%s` without naming the application: %s", verb, p.name, typed, text)
				}
				rest = after
			}
		}
	}
}

func TestDecideDoesNotCallAnAdoptedVersionCancellable(t *testing.T) {
	s := in(bottest.Nothing)()
	s.App.Status.Live = &v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1", Commit: bottest.NewCommit} // somebody else's annotation
	s.Command.Verb = command.Cancel
	if got, text := bottest.Kind(command.Decide(s)); got != answered || !strings.Contains(text, "nothing to cancel") {
		t.Errorf("decided %s, %q; want that there is no release to cancel", got, text)
	}
}

func TestDecideRetriesTheFirstTimeWhatHasNoReleaseLeft(t *testing.T) {
	s := in(bottest.Nothing)()
	s.Command.Verb = command.Retry
	d := command.Decide(s)
	if d.Submit == nil || d.Submit.Spec.Deploy.Attempt != 1 || d.Submit.Spec.Approval != nil {
		t.Errorf("decided %+v, want attempt 1, not approved", d)
	}
	for order, want := range map[command.Order]string{
		command.OrderOlder: refused, command.OrderDiverged: refused, command.OrderSame: refused,
		command.OrderUnknown: again,
	} {
		s.AgainstLive = order
		if got, text := bottest.Kind(command.Decide(s)); got != want {
			t.Errorf("against live %q: decided %s, %q; want %s", order, got, text, want)
		}
	}
}

func TestDecideNamesTheWayOfARetriedRollback(t *testing.T) {
	s := in(bottest.RolledBack, behindLock)()
	s.Command.Verb = command.Retry
	d := command.Decide(s)
	for _, part := range []string{
		"Attempt 2", "waits for `/promote`, in either mode", "rolled back by otto", "locked by otto",
		"`/unlock` lets it go on",
	} {
		if note := report.Say(d.Fact).Says; !strings.Contains(note, part) {
			t.Errorf("noted %q, want …%s…", note, part)
		}
	}
	if d.Submit == nil || d.Submit.Spec.Approval != nil {
		t.Errorf("decided %+v, want a release that is not approved", d)
	}
	// A retried attempt is promoted like any other that waits.
	rel := *d.Submit
	rel.UID, rel.Status.Phase = "uid-2", v1alpha1.ReleaseWaiting
	s.Releases = append([]v1alpha1.Release{rel}, s.Releases...)
	s.App.Status.Lock = nil
	s.Command.Verb, s.Cause.CommentID = command.Promote, 5
	if d := command.Decide(s); d.Approve == nil || d.Approve.Release != rel.Name {
		t.Errorf("decided %+v, want the approval of the second attempt", d)
	}
}

func TestDecideKeepsTheCommentOfEveryWriteApart(t *testing.T) {
	// Each write leaves its comment in the record. The same comment again finds it.
	comment := v1alpha1.Cause{Kind: v1alpha1.CauseComment, CommentID: 1}
	tests := map[command.Verb]func(*command.Situation){
		command.Promote: func(s *command.Situation) {
			s.Releases[0].Spec.Approval = &v1alpha1.Approval{By: "wanda", Cause: comment}
		},
		command.Cancel:   func(s *command.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "wanda", Cause: comment} },
		command.Rollback: func(s *command.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "wanda", Cause: comment} },
		command.Retry:    func(s *command.Situation) { s.Releases[0].Spec.Cause = comment },
		command.Lock: func(s *command.Situation) {
			s.App.Status.Lock = &v1alpha1.Lock{By: "wanda", At: metav1.NewTime(bottest.Asked), Cause: comment}
		},
	}
	for verb, executed := range tests {
		for _, p := range []v1alpha1.ReleasePhase{v1alpha1.ReleaseWaiting, v1alpha1.ReleaseCancelled} {
			s := in(bottest.WaitsFor, executed, going(p))()
			s.Command.Verb = verb
			for _, late := range []time.Duration{time.Second, time.Hour} { // a sweep may read it again
				s.Now = s.Asked.Add(late)
				if got, text := bottest.Kind(command.Decide(s)); got != answered || !strings.Contains(text, "That was asked before") ||
					!strings.Contains(text, "Nothing was changed") {
					t.Errorf("/%s again, %s, after %s: decided %s, %q; want the answer for a repeated request", verb, p, late, got, text)
				}
			}
			s.Cause = v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: "wanda"} // no comment: never the same
			if _, text := bottest.Kind(command.Decide(s)); strings.Contains(text, "asked before") {
				t.Errorf("/%s by the command line: %q", verb, text)
			}
		}
	}
}
