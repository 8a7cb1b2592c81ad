package bot_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

var update = flag.Bool("update", false, "rewrite testdata/*.golden")

// at is a time of the reported releases.
func at(seconds int) *metav1.Time {
	t := metav1.NewTime(time.Date(2026, 11, 22, 12, 0, seconds, 0, time.UTC))
	return &t
}

func entry(step v1alpha1.Step, from, to int, message string) v1alpha1.TimelineEntry {
	e := v1alpha1.TimelineEntry{Step: step, StartedAt: metav1.NewMicroTime(at(from).Time), Message: message}
	if to > 0 {
		end := metav1.NewMicroTime(at(to).Time)
		e.FinishedAt = &end
	}
	return e
}

// reported is a deploy of newCommit after old, changed by fn.
func reported(phase v1alpha1.ReleasePhase, fn func(*v1alpha1.Release)) *v1alpha1.Release {
	app := shop()
	rel := bot.NewDeploy(&app, newCommit, 1, v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "ada", URL: "https://github.com/acme/shop/commit/" + newCommit})
	rel.UID, rel.Status.Phase = "uid-new", phase
	rel.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green, Previous: oldVersion.DeepCopy()}
	rel.Status.Build = &v1alpha1.BuildStatus{LogURL: "https://console.cloud.google.com/cloud-build/builds/1"}
	rel.Status.Timeline = []v1alpha1.TimelineEntry{
		entry(v1alpha1.StepBuild, 0, 72, "image app@sha256:new"), entry(v1alpha1.StepAttach, 72, 73, ""),
		entry(v1alpha1.StepStage, 73, 95, "3 of 3 pods ready"), entry(v1alpha1.StepVerify, 95, 101, "GET /healthz on port 8080 passed 3 times on 3 pods"),
	}
	if fn != nil {
		fn(rel)
	}
	return rel
}

// switched moves users, before fn.
func switched(fn func(*v1alpha1.Release)) func(*v1alpha1.Release) {
	return func(r *v1alpha1.Release) {
		m := &r.Status.Milestones
		m.SwitchIntendedAt, m.SwitchedAt, m.ConfirmedAt = at(101), at(102), at(104)
		r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSwitch, 101, 102, ""), entry(v1alpha1.StepConfirm, 102, 104, "seen 5 times"))
		r.Status.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofConfirmed, Message: "412 requests, 0 failed; new version after 1.2 s"}
		if fn != nil {
			fn(r)
		}
	}
}

func reports() map[string]*v1alpha1.Release {
	exit := int32(1)
	app := shop()
	rollback := bot.NewRollback(&app, v1alpha1.RollbackSpec{From: newVersion, To: oldVersion, Switch: "uid-new"},
		v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: 7, CommentID: 1, URL: "https://github.com/acme/shop/pull/7#issuecomment-1"})
	rollback.UID, rollback.Status.Phase = "uid-back", v1alpha1.ReleaseSucceeded
	rollback.Status.Milestones.SwitchedAt = at(203)
	rollback.Status.Timeline = []v1alpha1.TimelineEntry{entry(v1alpha1.StepSize, 200, 202, "still running"), entry(v1alpha1.StepSwitch, 202, 203, "")}
	stuck := rollback.DeepCopy()
	stuck.Status.Phase, stuck.Status.Milestones.SwitchedAt = v1alpha1.ReleaseError, nil
	stuck.Status.Timeline = stuck.Status.Timeline[:1]
	stuck.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultWorld, Step: v1alpha1.StepSize, Reason: "Unschedulable", Message: "no node has room for pod shop-blue-7c4"}
	return map[string]*v1alpha1.Release{
		"queued": reported(v1alpha1.ReleaseQueued, func(r *v1alpha1.Release) { r.Status = v1alpha1.ReleaseStatus{} }),
		"running": reported(v1alpha1.ReleaseRunning, func(r *v1alpha1.Release) {
			r.Status.Timeline = append(r.Status.Timeline[:2], entry(v1alpha1.StepStage, 73, 0, "1 of 3 pods ready"))
		}),
		"waiting": reported(v1alpha1.ReleaseWaiting, func(r *v1alpha1.Release) {
			r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepPromote, 101, 0, "waits for /promote until 12:00 tomorrow"))
		}),
		"soaking": reported(v1alpha1.ReleaseRunning, switched(func(r *v1alpha1.Release) {
			r.Status.Step = v1alpha1.StepSoak
			r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSoak, 104, 0, ""))
		})),
		"succeeded": reported(v1alpha1.ReleaseSucceeded, switched(func(r *v1alpha1.Release) {
			r.Spec.Approval = &v1alpha1.Approval{By: "wanda"}
			r.Status.Findings = []string{"no gate is configured: the readiness probe's path /healthz was asked instead"}
		})),
		"crashed": reported(v1alpha1.ReleaseFailed, func(r *v1alpha1.Release) {
			r.Status.Timeline = append(r.Status.Timeline[:2], entry(v1alpha1.StepStage, 73, 80, "container app ends as soon as it starts"))
			r.Status.Failure = &v1alpha1.Failure{
				Class: v1alpha1.FaultRelease, Step: v1alpha1.StepStage, Reason: "CrashLoopBackOff", Message: "container app of deployment shop-green ends with exit code 1 as soon as it starts",
				Evidence: []v1alpha1.Evidence{{Pod: "shop-green-5d9", Container: "app", Reason: "CrashLoopBackOff", ExitCode: &exit, Log: "Traceback (most recent call last):\n  File \"app.py\", line 1\nModuleNotFoundError: No module named 'flask'\n"}},
			}
		}),
		"hostile": reported(v1alpha1.ReleaseFailed, func(r *v1alpha1.Release) {
			r.Spec.Cause.Actor = "ada</summary>@everyone"
			r.Status.Failure = &v1alpha1.Failure{
				Class: v1alpha1.FaultRelease, Step: v1alpha1.StepVerify, Reason: "Gate|<b>", Message: "GET /healthz: 500 @acme/admins #1 ![x](https://evil.example/a.png) </details> <script>alert(1)</script> `code` | cell\n\n# heading",
				Evidence: []v1alpha1.Evidence{{
					Pod: "p</summary></details>@root", Request: "GET /`healthz`", Message: "*bold* _it_ ~~no~~ [a](javascript:alert(1)) GH-12 www.evil.example",
					Body: "```\n</details>\n@everyone\n````\n# out", Log: "\x1b[31mred\x1b[0m\n`````````\n</details>\n@root \u202eevil\n",
				}},
			}
			r.Status.Timeline[3].Message = "| a | `b` \\| @root"
			r.Status.Timeline[3].URL = "javascript:alert(1)"
			r.Status.Findings = []string{"</details>\n- @root"}
		}),
		"restored": reported(v1alpha1.ReleaseFailed, switched(func(r *v1alpha1.Release) {
			r.Status.Milestones.RestoredAt = at(130)
			r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Step: v1alpha1.StepSoak, Reason: "Restarts", Message: "2 of 3 pods restarted under live traffic"}
			r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSoak, 104, 128, ""), entry(v1alpha1.StepRestore, 128, 130, ""))
		})),
		"kept": reported(v1alpha1.ReleaseFailed, switched(func(r *v1alpha1.Release) {
			r.Status.Milestones.KeptAt = at(130)
			r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease, Step: v1alpha1.StepSoak, Reason: "Gate", Message: "the database refuses connections, on blue as well"}
			r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSoak, 104, 128, ""))
		})),
		"error": reported(v1alpha1.ReleaseError, func(r *v1alpha1.Release) {
			r.Status.Timeline = r.Status.Timeline[:1]
			r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultWorld, Step: v1alpha1.StepBuild, Reason: "Quota", Message: "Cloud Build did not start the build for 30 minutes: quota of project acme-prod; raise it at the console"}
		}),
		"cancelled": reported(v1alpha1.ReleaseCancelled, func(r *v1alpha1.Release) {
			r.Spec.Cancel = &v1alpha1.Cancel{By: "wanda"}
			r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultCancelled, Reason: "Cancelled", Message: "wanda: /rollback before the switch"}
		}),
		"superseded":     reported(v1alpha1.ReleaseSuperseded, func(r *v1alpha1.Release) { r.Status.Message = "2c2c2c2 is newer" }),
		"rolled-back":    rollback,
		"rollback-error": stuck,
	}
}

func TestReportGolden(t *testing.T) {
	for name, rel := range reports() {
		t.Run(name, func(t *testing.T) {
			app := shop()
			r := bot.Report(&app, rel, "https://github.com")
			d := r.Deployment
			got := fmt.Sprintf("deployment: %s %s to %s is %s\n%s\nlog: %s\naddress: %s\n\n### %s\n\n%s\n",
				d.Task, d.Ref, d.Environment, d.State, d.Description, d.LogURL, d.EnvironmentURL, r.Headline, r.Comment)
			if n := utf8.RuneCountInString(d.Description); n > 140 {
				t.Errorf("the description has %d characters, GitHub takes 140", n)
			}
			file := filepath.Join("testdata", name+".golden")
			if *update {
				check(t, os.WriteFile(file, []byte(got), 0o644))
			}
			want, err := os.ReadFile(file)
			check(t, err)
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Errorf("report (-want +got), rewrite with -update:\n%s", diff)
			}
		})
	}
}

// TestNothingHostileBreaksOut renders the hostile report as GitHub does, without
// its sanitizer, and looks for what must not be there.
func TestNothingHostileBreaksOut(t *testing.T) {
	app := shop()
	r := bot.Report(&app, reports()["hostile"], "https://github.com")
	var page strings.Builder
	md := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe()))
	check(t, md.Convert([]byte("### "+r.Headline+"\n\n"+r.Comment), &page))
	out := page.String()
	if opened, closed := strings.Count(out, "<details>"), strings.Count(out, "</details>"); opened != 1 || closed != 1 {
		t.Errorf("%d folds opened and %d closed, want 1 and 1", opened, closed)
	}
	for _, bad := range []string{"<script", "<img", "<h1", "href=\"javascript:", "<strong>bold", "<del>", "href=\"http://www", "\x1b", "\u202e", "</summary></details>"} {
		if strings.Contains(out, bad) {
			t.Errorf("%q broke out:\n%s", bad, out)
		}
	}
	for block := out; ; { // mentions are made outside of code only
		i := strings.IndexByte(block, '@')
		if i < 0 {
			break
		}
		before := out[:len(out)-len(block)+i]
		inCode := strings.Count(before, "<code") > strings.Count(before, "</code>")
		if !inCode && !strings.HasPrefix(block[i:], "@\u200b") && !strings.HasPrefix(block[i:], "@&#8203;") {
			t.Errorf("a mention: …%s", block[max(0, i-20):min(len(block), i+20)])
		}
		block = block[i+1:]
	}
}

func TestVersionWithoutCommitHasNoDeployment(t *testing.T) {
	app := shop()
	rel := bot.NewRollback(&app, v1alpha1.RollbackSpec{
		From: newVersion, To: v1alpha1.Version{Color: v1alpha1.Blue, Image: "app:v1"}, Switch: "uid-new",
	}, v1alpha1.Cause{})
	if d := bot.Report(&app, rel, "https://github.com").Deployment; d != nil {
		t.Errorf("deployment %+v of a version that GitHub does not know", d)
	}
}
