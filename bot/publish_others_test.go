package bot_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// live is a release that has had the users since some minutes after now.
func live(phase v1alpha1.ReleasePhase, minutes int) bottest.Happening {
	return func(r *v1alpha1.Release) {
		advance(r, v1alpha1.ReleaseSucceeded)
		at := metav1.NewTime(time.Now().Add(time.Duration(minutes) * time.Minute))
		r.Status.Phase, r.Status.Milestones.SwitchedAt, r.Status.FinishedAt = phase, &at, &at
	}
}

// TestEveryPullRequestOfABatchHearsWhatBecameOfIt: the last of three merges includes the
// others.
func TestEveryPullRequestOfABatchHearsWhatBecameOfIt(t *testing.T) {
	for _, tt := range []struct {
		name string
		end  bottest.Happening
		want string
	}{
		{"shipped", live(v1alpha1.ReleaseSucceeded, 1), "✅ Shipped with [`VERSION`]"},
		{"failed", func(r *v1alpha1.Release) {
			advance(r, v1alpha1.ReleaseFailed)
			bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate", "GET /healthz answered 500")(r)
			r.Status.Phase, r.Status.FinishedAt = v1alpha1.ReleaseFailed, now()
		}, "❌ Its successor [`VERSION`]"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld(t)
			p := w.publisher()
			var prs []*githubtest.PullRequest
			var names []string
			var last string
			for _, branch := range []string{"one", "two", "three"} {
				pr, commit := w.merge(branch)
				prs, names, last = append(prs, pr), append(names, v1alpha1.DeployName("shop", commit, 1)), commit
			}
			for i, name := range names[:2] {
				w.record.change(name, func(r *v1alpha1.Release) {
					bottest.Fails(v1alpha1.FaultSuperseded, "", "Superseded", "superseded by "+names[i+1])(r)
					r.Status.Phase, r.Status.SupersededBy, r.Status.FinishedAt = v1alpha1.ReleaseSuperseded, names[i+1], now()
				})
				untilPublished(t, w, p, name)
				if got := states(w.repo.Deployments()[i]); got != "inactive" {
					t.Errorf("the superseded deployment of %s is %q, want inactive", name, got)
				}
			}
			w.record.change(names[2], func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseWaiting) })
			untilPublished(t, w, p, names[2])
			for _, pr := range prs[:2] {
				if body := w.answers(pr.Number)[0]; !strings.Contains(body, "which waits") {
					t.Errorf("#%d does not show its successor's state:\n%s", pr.Number, body)
				}
			}

			w.record.change(names[2], tt.end)
			untilPublished(t, w, p, names[2])
			want := strings.ReplaceAll(tt.want, "VERSION", v1alpha1.ShortCommit(last))
			for _, pr := range prs[:2] {
				answers := w.answers(pr.Number)
				if len(answers) != 1 || !strings.Contains(answers[0], want) {
					t.Errorf("#%d does not report %q:\n%s", pr.Number, want, answers)
				}
			}

			// Whatever happened to it, its next attempt counts.
			app := bottest.Shop()
			retried := command.NewDeploy(&app, last, 2, v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "wanda"})
			_, _, err := w.record.Submit(t.Context(), retried)
			check(t, err)
			w.record.change(retried.Name, live(v1alpha1.ReleaseSucceeded, 2))
			untilPublished(t, w, p, retried.Name)
			for _, pr := range prs[:2] {
				if body := w.answers(pr.Number)[0]; !strings.Contains(body, "✅ Shipped with [`"+v1alpha1.ShortCommit(last)+"`]") {
					t.Errorf("#%d does not report that the retried successor is live:\n%s", pr.Number, body)
				}
			}
			before := len(w.github.Requests())
			for _, name := range append(names, retried.Name) {
				untilPublished(t, w, w.publisher(), name) // by another process
			}
			if requests := w.github.Requests()[before:]; len(requests) != 0 {
				t.Errorf("requests though everything is published:\n%s", count(requests))
			}
		})
	}
}

// TestFailureThatKeptTheTrafficTakesTheEarlierSuccess: users have left the earlier version,
// whatever became of the later one.
func TestFailureThatKeptTheTrafficTakesTheEarlierSuccess(t *testing.T) {
	w := newWorld(t)
	pr, first := ended(w)
	p := w.publisher()
	untilPublished(t, w, p, first.Name)
	_, commit := w.merge("second")
	second := v1alpha1.DeployName("shop", commit, 1)
	w.record.change(second, func(r *v1alpha1.Release) {
		live(v1alpha1.ReleaseFailed, 1)(r)
		r.Status.Milestones.KeptAt = now()
		r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Step: v1alpha1.StepSoak, Reason: "Gate", Message: "blue fails as well"}
	})
	untilPublished(t, w, p, second)
	if got := states(w.repo.Deployments()[0]) + " / " + states(w.repo.Deployments()[1]); got != "success inactive / failure" {
		t.Errorf("deployments %q, want the earlier one inactive and the later one a failure", got)
	}
	if body := w.answers(pr.Number)[0]; !strings.Contains(body, "Users were moved on to `"+v1alpha1.ShortCommit(commit)+"`") {
		t.Errorf("the earlier comment still says that users have it:\n%s", body)
	}
}

// TestThirdReleaseSaysNothingMoreAboutTheFirst: the cost of a release must not grow with
// the number of earlier ones.
func TestThirdReleaseSaysNothingMoreAboutTheFirst(t *testing.T) {
	w := newWorld(t)
	p := w.publisher()
	var prs []*githubtest.PullRequest
	var commits []string
	for i, branch := range []string{"one", "two", "three"} {
		pr, commit := w.merge(branch)
		prs, commits = append(prs, pr), append(commits, commit)
		name := v1alpha1.DeployName("shop", commit, 1)
		w.record.change(name, live(v1alpha1.ReleaseSucceeded, i))
		untilPublished(t, w, p, name)
	}
	var got []string
	for _, d := range w.repo.Deployments() {
		got = append(got, states(d))
	}
	if all := strings.Join(got, " / "); all != "success inactive / success inactive / success" {
		t.Errorf("deployments %q", all)
	}
	if body := w.answers(prs[0].Number)[0]; !strings.Contains(body, "Users were moved on to `"+v1alpha1.ShortCommit(commits[1])+"`") {
		t.Errorf("the first comment no longer reports the second release:\n%s", body)
	}
}

// TestEndedConversationIsNotWordedAnew: a change of settings, such as the application's
// address, is no reason to edit the comment of an ended release.
func TestEndedConversationIsNotWordedAnew(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	untilPublished(t, w, w.publisher(), rel.Name)
	app := bottest.Shop()
	app.Spec.URL, app.Spec.Environment = "https://new.example.com", "live"
	w.record.add(app)
	before := len(w.github.Requests())
	untilPublished(t, w, w.publisher(), rel.Name)
	if requests := w.github.Requests()[before:]; len(requests) != 0 {
		t.Errorf("requests:\n%s\nwant none", count(requests))
	}
}

// TestApplicationsOfOneRepositoryHaveEnvironmentsOfTheirOwn: and their commands name the
// application.
func TestApplicationsOfOneRepositoryHaveEnvironmentsOfTheirOwn(t *testing.T) {
	w := newWorld(t)
	basket, staging := bottest.Shop(), bottest.Shop()
	basket.Name, basket.UID = "basket", "app-2"
	staging.Namespace, staging.UID, staging.Spec.Environment = "staging", "app-3", "staging"
	w.record.add(basket)
	w.record.add(staging)
	pr, _ := w.merge("feature")
	p := w.publisher()
	for _, rel := range w.record.releases {
		advance(rel, v1alpha1.ReleaseWaiting)
		_, err := p.Publish(t.Context(), rel.DeepCopy())
		check(t, err)
	}
	want := map[string]string{
		"production/basket": "`/promote basket` moves",
		"production/shop":   "`/promote shop/shop` moves", // staging/shop has its name
		"staging":           "`/promote staging/shop` moves",
	}
	answers := strings.Join(w.answers(pr.Number), "\n")
	deployments := w.repo.Deployments()
	if len(deployments) != len(want) {
		t.Errorf("there are %d deployments, want one in each environment", len(deployments))
	}
	for _, d := range deployments {
		next, found := want[d.Environment]
		if !found || !strings.Contains(answers, next) {
			t.Errorf("environment %q, and no comment says %q:\n%s", d.Environment, next, answers)
		}
		delete(want, d.Environment)
	}
	if len(want) > 0 {
		t.Errorf("no deployment to %v", want)
	}
}
