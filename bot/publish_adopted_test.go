package bot_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

// After a rollback to the version before Turnout's first release, the environment has an
// active deployment if the commit is known. Otherwise the comment says that it has none.
func TestRollbackToTheAdoptedVersionHasADeploymentOrSaysWhyNot(t *testing.T) {
	const none = "The Deployments tab shows no active deployment to `production`"
	for name, tt := range map[string]struct {
		tag     func(commit string) string
		active  bool
		says    string
		mustNot string
		digits  int // of the ref
	}{
		"tagged with its commit":    {func(c string) string { return c }, true, "is live on blue again", "Deployments tab", 40},
		"tagged with the short one": {func(c string) string { return "sha-" + c[:7] }, true, "is live on blue again", "Deployments tab", 7},
		"tagged with a version":     {func(string) string { return "v1.0.0" }, false, none, "", 0},
		"by digest alone":           {func(string) string { return "" }, false, none, "", 0},
		"of another repository": {
			func(string) string { return strings.Repeat("d", 40) }, false,
			"GitHub refused to show this release in the Deployments tab: No ref found", none, 0,
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			first, err := w.repo.Head("main")
			check(t, err)
			tag := tt.tag(first)
			if strings.HasPrefix(tag, "sha-") && !strings.ContainsAny(tag[4:], "abcdef") {
				tag, tt.digits = first, 40 // one hash in 26 begins with seven digits and may be a number
			}
			pr, deployed := ended(w)
			p := w.publisher()
			untilPublished(t, w, p, deployed.Name)
			app := bottest.Shop()
			to := v1alpha1.Version{Color: v1alpha1.Blue, Image: "gcr.io/acme/shop@sha256:" + strings.Repeat("1", 64), Tag: tag, Replicas: 3}
			back := command.NewRollback(&app, v1alpha1.RollbackSpec{
				From: v1alpha1.Version{Color: v1alpha1.Green, Commit: deployed.Spec.Deploy.Commit, Release: deployed.Name}, To: to,
				Switch: string(deployed.UID),
			}, v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: pr.Number})
			_, _, err = w.record.Submit(t.Context(), back)
			check(t, err)
			later := metav1.NewTime(time.Now().Add(time.Minute))
			w.record.change(back.Name, func(r *v1alpha1.Release) {
				r.Status.Phase, r.Status.FinishedAt = v1alpha1.ReleaseSucceeded, &later
				r.Status.Milestones.SwitchedAt, r.Status.Milestones.Target = &later, v1alpha1.Blue
			})
			untilPublished(t, w, p, back.Name)
			var active []string
			for _, d := range w.repo.Deployments() {
				if d.State() == "success" {
					active = append(active, d.Task+" "+d.Ref)
				}
			}
			want := ""
			if tt.active {
				want = "rollback " + first[:tt.digits]
			}
			if got := strings.Join(active, ", "); got != want {
				t.Errorf("active are %q, want %q", got, want)
			}
			comment := strings.Join(w.answers(pr.Number), "\n")
			if !strings.Contains(comment, tt.says) || tt.mustNot != "" && strings.Contains(comment, tt.mustNot) {
				t.Errorf("the comment says\n%s\nwant %q, and not %q", comment, tt.says, tt.mustNot)
			}
			made := len(w.repo.Deployments())
			w.record.change(back.Name, func(r *v1alpha1.Release) { r.Status.GitHub.DeploymentID = 0 }) // as if GitHub's answer was lost
			untilPublished(t, w, w.publisher(), back.Name)
			if again := len(w.repo.Deployments()); again != made {
				t.Errorf("%d deployments became %d", made, again)
			}
			n := len(w.github.Requests())
			untilPublished(t, w, w.publisher(), back.Name)
			for _, r := range w.github.Requests()[n:] {
				if r.Method != "GET" && !strings.Contains(r.Route, "access_tokens") {
					t.Errorf("published again: %s %s", r.Method, r.Route)
				}
			}
		})
	}
}
