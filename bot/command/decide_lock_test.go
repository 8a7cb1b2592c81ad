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

func TestALockIsSetAsItWasAsked(t *testing.T) {
	s := in(bottest.WaitsFor)()
	s.Command = command.Command{Verb: command.Lock, Reason: strings.Repeat("x", 600)}
	l := command.Decide(s).Lock
	if l == nil || l.By != "wanda" || !l.At.Time.Equal(bottest.Asked) || len([]rune(l.Reason)) != 500 || l.Cause != s.Cause {
		t.Errorf("lock %+v, want wanda's with its request's time, 500 characters of reason and the cause", l)
	}
}

// TestALockMeansTheOrderInWhichPeopleTyped executes commands in another order than people
// wrote them.
func TestALockMeansTheOrderInWhichPeopleTyped(t *testing.T) {
	later := metav1.NewTime(bottest.Asked.Add(time.Minute))
	s := in(bottest.WaitsFor)()
	s.Now = later.Add(time.Minute)
	s.App.Status.UnlockedAt = &later
	s.Command = command.Command{Verb: command.Lock, Reason: "the `sale`"}
	if got, text := bottest.Kind(command.Decide(s)); got != refused ||
		!strings.Contains(text, "unlocked at 22 Nov 12:01 UTC, after this was written") ||
		!strings.Contains(text, "`` /lock the `sale` ``") {
		t.Errorf("/lock from before the last /unlock: decided %s, %q; want a refusal with what to type again", got, text)
	}
	s.App.Status.UnlockedAt = &metav1.Time{Time: bottest.Asked.Add(-time.Minute)}
	if got, text := bottest.Kind(command.Decide(s)); got != locked {
		t.Errorf("/lock after an /unlock: decided %s, %q; want the lock", got, text)
	}

	s.App.Status.Lock = &v1alpha1.Lock{By: "otto", At: later}
	s.Command = command.Command{Verb: command.Unlock}
	if got, text := bottest.Kind(command.Decide(s)); got != refused ||
		!strings.Contains(text, "was locked after this was written: it is locked by otto since 22 Nov 12:01 UTC") {
		t.Errorf("/unlock from before the lock: decided %s, %q; want a refusal", got, text)
	}
	s.App.Status.Lock.At = metav1.NewTime(bottest.Asked)
	if got, text := bottest.Kind(command.Decide(s)); got != unlocked || strings.Contains(text, "UTC: ") {
		t.Errorf("/unlock of a lock of the same second, without a reason: decided %s, %q; want it unlocked", got, text)
	}
}

func TestUnlockSaysWhatGoesOn(t *testing.T) {
	tests := []struct {
		name      string
		situation func() command.Situation
		says      string
	}{
		{"nothing", in(bottest.Nothing, behindLock), "Nothing waited for it."},
		{"to be approved", in(bottest.Running, queued, behindLock), "`1b1b1b1` goes on, and then waits for `/promote`."},
		{
			"approved", in(bottest.WaitsFor, behindLock,
				func(s *command.Situation) { s.Releases[0].Spec.Approval = &v1alpha1.Approval{By: "otto"} }),
			"`1b1b1b1` goes on.",
		},
		{
			"automatic", in(bottest.WaitsFor, behindLock, func(s *command.Situation) { s.App.Spec.Promotion.Mode = v1alpha1.PromotionAutomatic }),
			"`1b1b1b1` goes on.",
		},
		{
			"cancelled", in(bottest.WaitsFor, behindLock, func(s *command.Situation) { s.Releases[0].Spec.Cancel = &v1alpha1.Cancel{By: "otto"} }),
			"Nothing waited for it.",
		},
		{"soaking", in(bottest.Soaking, behindLock), "Nothing waited for it."},
		{"ended", in(bottest.Failed, behindLock), "Nothing waited for it."},
	}
	for _, tt := range tests {
		s := tt.situation()
		s.Command.Verb = command.Unlock
		d := command.Decide(s)
		if d.Unlock == nil || !strings.HasSuffix(report.Say(d.Fact).Says, tt.says) ||
			!strings.Contains(report.Say(d.Fact).Says, "It was locked by otto since 22 Nov 11:00 UTC: the database moves. ") {
			t.Errorf("%s: decided %+v, want it unlocked, the lock's owner, and …%s", tt.name, d, tt.says)
		}
	}
}

// Whoever locks by hand writes the time themselves. One that cannot be right keeps nobody from
// locking and unlocking; one that may be right, with clocks apart, does.
func TestATimeInTheFutureKeepsNobodyFromLockingOrUnlocking(t *testing.T) {
	for _, tt := range []struct {
		name   string
		ahead  time.Duration
		kind   v1alpha1.CauseKind
		unlock string
	}{
		{"a year ahead", 365 * 24 * time.Hour, v1alpha1.CauseCLI, unlocked},
		{"a minute ahead", time.Minute, v1alpha1.CauseCLI, refused},
		{"a comment of a clock ahead", time.Hour, v1alpha1.CauseComment, refused},
	} {
		s := in(bottest.WaitsFor)()
		at := metav1.NewTime(s.Now.Add(tt.ahead))
		s.Command = command.Command{Verb: command.Unlock}
		s.App.Status.Lock = &v1alpha1.Lock{By: "dora", At: at, Cause: v1alpha1.Cause{Kind: tt.kind}}
		if got, text := bottest.Kind(command.Decide(s)); got != tt.unlock {
			t.Errorf("%s: /unlock is decided %s, %q; want %s", tt.name, got, text, tt.unlock)
		}
		s.App.Status.Lock, s.App.Status.UnlockedAt = nil, &at
		s.Command = command.Command{Verb: command.Lock}
		want := refused
		if tt.ahead > 5*time.Minute {
			want = locked
		}
		if got, text := bottest.Kind(command.Decide(s)); got != want {
			t.Errorf("%s: /lock is decided %s, %q; want %s", tt.name, got, text, want)
		}
	}
}
