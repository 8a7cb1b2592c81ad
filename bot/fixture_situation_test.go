package bot_test

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// stage is where the release of pull request 7 stands.
type stage int

const (
	nothing    stage = iota // old is live, new has no release
	running                 // before the gate passed
	waitsFor                // for a person
	switching               // intended, not confirmed
	soaking                 // confirmed, not finished
	held                    // succeeded; the old colour still runs
	shrunk                  // succeeded; hold is over
	rolledBack              // a rollback has ended, old is live
	failed                  // the release failed, old is live
	cancelled               // it was cancelled, old is live
)

// situation builds the data of a row.
func situation(at stage) bot.Situation {
	s := bot.Situation{
		PullRequest: bot.PullRequest{Number: 7, Base: "main", Merged: true, MergeCommit: newCommit},
		By:          "wanda", Asked: asked, Now: asked.Add(time.Second), App: shop(), AgainstLive: bot.OrderNewer,
		Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: 7, CommentID: 1},
	}
	s.App.Status = v1alpha1.BlueGreenStatus{Live: oldVersion.DeepCopy()}
	if at == nothing {
		return s
	}
	rel := *bot.NewDeploy(&s.App, newCommit, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})
	rel.UID = "uid-new"
	m, now := &rel.Status.Milestones, metav1.NewTime(asked.Add(-time.Minute))
	m.Target, m.Previous, m.Staged = v1alpha1.Green, oldVersion.DeepCopy(), &v1alpha1.StagedMilestone{Image: newVersion.Image}
	phases := map[stage]v1alpha1.ReleasePhase{
		waitsFor: v1alpha1.ReleaseWaiting, failed: v1alpha1.ReleaseFailed, cancelled: v1alpha1.ReleaseCancelled,
		held: v1alpha1.ReleaseSucceeded, shrunk: v1alpha1.ReleaseSucceeded, rolledBack: v1alpha1.ReleaseSucceeded,
	}
	if rel.Status.Phase = phases[at]; rel.Status.Phase == "" {
		rel.Status.Phase = v1alpha1.ReleaseRunning
	}
	switch at {
	case switching, soaking, held, shrunk, rolledBack:
		m.SwitchIntendedAt = &now
		s.App.Status.WayBack = &v1alpha1.WayBack{Color: v1alpha1.Blue, Ready: 3, Needed: 3}
	default:
	}
	switch at {
	case soaking, held, shrunk, rolledBack:
		m.SwitchedAt, m.ConfirmedAt = &now, &now
		s.AgainstLive = bot.OrderSame
		s.App.Status.Live, s.App.Status.Previous = newVersion.DeepCopy(), oldVersion.DeepCopy()
		s.App.Status.LastSwitch = &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: "uid-new", Kind: "Deploy", From: oldVersion, To: newVersion, Shrunk: at == shrunk,
		}
	default:
	}
	if at == failed {
		rel.Status.Failure = &v1alpha1.Failure{Message: "pod crashed"}
	}
	rel.Status.GitHub = &v1alpha1.GitHubStatus{PullRequests: []int{7}, PullRequestsKnown: true}
	if !rel.Status.Phase.Finished() {
		s.App.Status.Active = &v1alpha1.Claim{Release: rel.Name, UID: "uid-new"}
	}
	s.Releases = []v1alpha1.Release{rel}
	if at == rolledBack {
		s.AgainstLive = bot.OrderNewer
		s.App.Status.Live, s.App.Status.Previous = oldVersion.DeepCopy(), nil
		s.App.Status.LastSwitch = &v1alpha1.SwitchRecord{
			Release: "shop-rollback-1", UID: "uid-back", Kind: "Rollback", From: newVersion,
			To: oldVersion,
		}
		s.App.Status.RolledBack = []v1alpha1.RolledBack{{
			Commit: newCommit, Release: "shop-rollback-1", By: "otto",
			At: metav1.NewTime(asked.Add(-time.Hour)),
		}}
	}
	return s
}

// kind says which one of a decision's answers is set, and its text.
func kind(d bot.Decision) (string, string) {
	text := bot.Say(d.Fact).String()
	switch {
	case d.Submit != nil && d.Submit.Spec.Rollback != nil:
		return "rollback", text
	case d.Submit != nil && d.Submit.Spec.Approval != nil:
		return "deploy approved", text
	case d.Submit != nil:
		return "deploy", text
	case d.Approve != nil:
		return "approve", text
	case d.Cancel != nil:
		return "cancel", text
	case d.Lock != nil:
		return "lock", text
	case d.Unlock != nil:
		return "unlock", text
	case d.Refused:
		return "refuse", text
	}
	return "answer", text
}
