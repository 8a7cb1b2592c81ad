package bottest

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// Stage is a state of pull request 7's release.
type Stage int

// The stages, in the order of a release's life.
const (
	Nothing    Stage = iota // old is live, new has no release
	Running                 // before the gate passed
	WaitsFor                // for a person
	Switching               // intended, not confirmed
	Soaking                 // confirmed, not finished
	Held                    // succeeded; the old colour still runs
	Shrunk                  // succeeded; hold is over
	RolledBack              // a rollback has ended, old is live
	Failed                  // the release failed, old is live
	Cancelled               // it was cancelled, old is live
)

// Situation builds the data of a row.
func Situation(at Stage) command.Situation {
	s := command.Situation{
		PullRequest: command.PullRequest{Number: 7, Base: "main", Merged: true, MergeCommit: NewCommit},
		By:          "wanda", Asked: Asked, Now: Asked.Add(time.Second), App: Shop(), AgainstLive: command.OrderNewer,
		Cause: v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: 7, CommentID: 1},
	}
	s.App.Status = v1alpha1.BlueGreenStatus{Live: OldVersion.DeepCopy()}
	if at == Nothing {
		return s
	}
	rel := *command.NewDeploy(&s.App, NewCommit, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})
	rel.UID = "uid-new"
	m, now := &rel.Status.Milestones, metav1.NewTime(Asked.Add(-time.Minute))
	m.Target, m.Previous, m.Staged = v1alpha1.Green, OldVersion.DeepCopy(), &v1alpha1.StagedMilestone{Image: NewVersion.Image}
	phases := map[Stage]v1alpha1.ReleasePhase{
		WaitsFor: v1alpha1.ReleaseWaiting, Failed: v1alpha1.ReleaseFailed, Cancelled: v1alpha1.ReleaseCancelled,
		Held: v1alpha1.ReleaseSucceeded, Shrunk: v1alpha1.ReleaseSucceeded, RolledBack: v1alpha1.ReleaseSucceeded,
	}
	if rel.Status.Phase = phases[at]; rel.Status.Phase == "" {
		rel.Status.Phase = v1alpha1.ReleaseRunning
	}
	switch at {
	case Switching, Soaking, Held, Shrunk, RolledBack:
		m.SwitchIntendedAt = &now
		s.App.Status.WayBack = &v1alpha1.WayBack{Color: v1alpha1.Blue, Ready: 3, Needed: 3}
	default:
	}
	switch at {
	case Soaking, Held, Shrunk, RolledBack:
		m.SwitchedAt, m.ConfirmedAt = &now, &now
		s.AgainstLive = command.OrderSame
		s.App.Status.Live, s.App.Status.Previous = NewVersion.DeepCopy(), OldVersion.DeepCopy()
		s.App.Status.LastSwitch = &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: "uid-new", Kind: "Deploy", From: OldVersion, To: NewVersion, Shrunk: at == Shrunk,
		}
	default:
	}
	if at == Failed {
		rel.Status.Failure = &v1alpha1.Failure{Message: "pod crashed"}
	}
	rel.Status.GitHub = &v1alpha1.GitHubStatus{PullRequests: []int{7}, PullRequestsKnown: true}
	if !rel.Status.Phase.Finished() {
		s.App.Status.Active = &v1alpha1.Claim{Release: rel.Name, UID: "uid-new"}
	}
	s.Releases = []v1alpha1.Release{rel}
	if at == RolledBack {
		s.AgainstLive = command.OrderNewer
		s.App.Status.Live, s.App.Status.Previous = OldVersion.DeepCopy(), nil
		s.App.Status.LastSwitch = &v1alpha1.SwitchRecord{
			Release: "shop-rollback-1", UID: "uid-back", Kind: "Rollback", From: NewVersion,
			To: OldVersion,
		}
		s.App.Status.RolledBack = []v1alpha1.RolledBack{{
			Commit: NewCommit, Release: "shop-rollback-1", By: "otto",
			At: metav1.NewTime(Asked.Add(-time.Hour)),
		}}
	}
	return s
}

// Kind returns which change a decision makes, and its text.
func Kind(d command.Decision) (string, string) {
	text := report.Say(d.Fact).String()
	switch {
	case d.Submit != nil && d.Submit.Spec.Rollback != nil:
		return "rollback", text
	case d.Submit != nil && d.Submit.Spec.Contract != nil:
		return "contract", text
	case d.Submit != nil && d.Submit.Spec.Approval != nil:
		return "deploy approved", text
	case d.Submit != nil:
		return "deploy", text
	case d.Approve != nil:
		return "approve", text
	case d.Promote != nil:
		return "promote", text
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
