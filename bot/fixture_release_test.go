package bot_test

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// reportCase is what one golden file is the report of.
type reportCase struct {
	app    v1alpha1.BlueGreen
	rel    *v1alpha1.Release
	around bot.Around
}

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

const buildLog = "https://console.cloud.google.com/cloud-build/builds/1"

// deployOf is a deploy of a commit that was just pushed.
func deployOf(commit string, attempt int32) *v1alpha1.Release {
	app := shop()
	rel := bot.NewDeploy(&app, commit, attempt,
		v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "ada", URL: "https://github.com/acme/shop/commit/" + commit})
	rel.UID, rel.CreationTimestamp = types.UID("uid-"+rel.Name), *at(0)
	rel.Status.Phase = v1alpha1.ReleaseQueued
	return rel
}

// happening is something that happens to a release.
type happening func(*v1alpha1.Release)

// reported is a deploy of newCommit after old, to which things happened.
func reported(changes ...happening) reportCase {
	rel := deployOf(newCommit, 1)
	for _, happen := range changes {
		happen(rel)
	}
	c := reportCase{app: shop(), rel: rel}
	if rel.Status.Milestones.Previous != nil {
		c.app.Status.WayBack = &v1alpha1.WayBack{Color: v1alpha1.Blue, Ready: 3, Needed: 3}
	}
	return c
}

func (c reportCase) with(fn func(*reportCase)) reportCase {
	fn(&c)
	return c
}

// among reports it with other releases in the record.
func (c reportCase) among(others ...*v1alpha1.Release) reportCase {
	for _, other := range others {
		c.around.Releases = append(c.around.Releases, *other)
	}
	c.around.Releases = append(c.around.Releases, *c.rel)
	return c
}

func claimed(r *v1alpha1.Release) {
	r.Status.Phase, r.Status.Step = v1alpha1.ReleaseRunning, v1alpha1.StepBuild
	r.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green, Previous: oldVersion.DeepCopy(), ClaimedAt: at(0)}
	r.Status.Build = &v1alpha1.BuildStatus{LogURL: buildLog, CreatedAt: at(2)}
	r.Status.Timeline = []v1alpha1.TimelineEntry{entry(v1alpha1.StepBuild, 0, 0, "queued in Cloud Build")}
}

func building(r *v1alpha1.Release) {
	claimed(r)
	r.Status.Build.StartedAt = at(12)
	r.Status.Timeline[0].Message = "building"
}

func built(r *v1alpha1.Release) {
	building(r)
	image := "gcr.io/acme/shop@sha256:" + strings.Repeat("7e", 32)
	r.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: image, At: *at(72)}
	r.Status.Timeline = []v1alpha1.TimelineEntry{
		entry(v1alpha1.StepBuild, 0, 72, "built "+image+" (queued 10 s, built in 1 min)"),
		entry(v1alpha1.StepAttach, 72, 73, ""),
	}
}

func verified(r *v1alpha1.Release) {
	built(r)
	r.Status.Timeline = append(r.Status.Timeline,
		entry(v1alpha1.StepStage, 73, 95, "3 of 3 pods ready"), entry(v1alpha1.StepWarm, 95, 145, "3 of 3 endpoints healthy"),
		entry(v1alpha1.StepVerify, 145, 151, "GET /healthz on port 8080 passed 3 times on 3 pods"))
}

// forKubectl is a message that only kubectl shows: everything else has the facts.
const forKubectl = "read by kubectl alone since 2026-11-22 11:50 UTC"

func waits(w v1alpha1.Waiting) happening {
	return func(r *v1alpha1.Release) {
		verified(r)
		r.Status.Phase, r.Status.Step = v1alpha1.ReleaseWaiting, v1alpha1.StepPromote
		restsOn(w)(r)
		r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepPromote, 151, 0, forKubectl))
	}
}

func restsOn(w v1alpha1.Waiting) happening {
	return func(r *v1alpha1.Release) { r.Status.Waiting, r.Status.Message = &w, forKubectl }
}

// about says in facts what the failure is about.
func about(because v1alpha1.FailureBecause, release, commit string) happening {
	return func(r *v1alpha1.Release) {
		r.Status.Failure.Because, r.Status.Failure.Release, r.Status.Failure.Commit = because, release, commit
	}
}

func manual() happening {
	return waits(v1alpha1.Waiting{For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseManual})
}

// switched moves users.
func switched(r *v1alpha1.Release) {
	verified(r)
	m := &r.Status.Milestones
	m.SwitchIntendedAt, m.SwitchedAt = at(151), at(152)
	r.Status.Step = v1alpha1.StepConfirm
	r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSwitch, 151, 152, ""))
}

func confirmed(r *v1alpha1.Release) {
	switched(r)
	r.Status.Milestones.ConfirmedAt, r.Status.Step = at(154), v1alpha1.StepSoak
	proves(v1alpha1.ProofStatus{
		Result: v1alpha1.ProofConfirmed, Requests: 412, P99: &metav1.Duration{Duration: 34 * time.Millisecond},
		Message: "412 requests, 0 failed, p99 34 ms; new version after 1.2 s",
	})(r)
	r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSoak, 154, 0, ""))
}

// proves ends the confirmation with what was seen from outside.
func proves(p v1alpha1.ProofStatus) happening {
	return func(r *v1alpha1.Release) {
		r.Status.Proof = &p
		r.Status.Timeline = slices.DeleteFunc(r.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepConfirm })
		said := fmt.Sprintf("%s: %s", p.Result, p.Message)
		i := slices.IndexFunc(r.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepSwitch })
		confirm := entry(v1alpha1.StepConfirm, 152, 154, said)
		confirm.Proof = p.Result
		r.Status.Timeline = slices.Insert(r.Status.Timeline, i+1, confirm)
	}
}

func ends(phase v1alpha1.ReleasePhase, second int) happening {
	return func(r *v1alpha1.Release) {
		last := &r.Status.Timeline[len(r.Status.Timeline)-1]
		if last.FinishedAt == nil {
			end := metav1.NewMicroTime(at(second).Time)
			last.FinishedAt = &end
		}
		r.Status.Phase, r.Status.Step, r.Status.FinishedAt = phase, "", at(second)
	}
}

func fails(class v1alpha1.FailureClass, step v1alpha1.Step, reason, message string) happening {
	return func(r *v1alpha1.Release) {
		r.Status.Phase = v1alpha1.ReleaseUndoing
		r.Status.Failure = &v1alpha1.Failure{Class: class, Step: step, Reason: v1alpha1.FailureReason(reason), Message: message}
		r.Status.Message = message
	}
}

func tookSteps(entries ...v1alpha1.TimelineEntry) happening {
	return func(r *v1alpha1.Release) {
		r.Status.Timeline = append(r.Status.Timeline, entries...)
		r.Status.Step = entries[len(entries)-1].Step
	}
}

// succeeded is a deploy of a commit that users got at a second, and that soaked.
func succeededAt(commit string, second int) *v1alpha1.Release {
	rel := deployOf(commit, 1)
	confirmed(rel)
	rel.Status.Milestones.SwitchedAt = at(second)
	ends(v1alpha1.ReleaseSucceeded, second+300)(rel)
	return rel
}

// goesBack is a rollback from newCommit.
func goesBack(changes ...happening) reportCase {
	app := shop()
	rel := bot.NewRollback(&app, v1alpha1.RollbackSpec{From: newVersion, To: oldVersion, Switch: "uid-new"},
		v1alpha1.Cause{
			Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: 7, CommentID: 1,
			URL: "https://github.com/acme/shop/pull/7#issuecomment-1",
		})
	rel.UID, rel.CreationTimestamp = "uid-back", *at(600)
	rel.Status.Phase, rel.Status.Step, rel.Status.Milestones.ClaimedAt = v1alpha1.ReleaseRunning, v1alpha1.StepSize, at(600)
	rel.Status.Timeline = []v1alpha1.TimelineEntry{entry(v1alpha1.StepSize, 600, 602, "still running")}
	for _, happen := range changes {
		happen(rel)
	}
	return reportCase{app: app, rel: rel}
}

func comesBack(r *v1alpha1.Release) {
	r.Status.Milestones.SwitchedAt = at(603)
	r.Status.Timeline = append(r.Status.Timeline, entry(v1alpha1.StepSwitch, 602, 603, ""), entry(v1alpha1.StepConfirm, 603, 605, "Confirmed"))
	ends(v1alpha1.ReleaseSucceeded, 605)(r)
}

func lockedBy(reason string) func(*reportCase) {
	return func(c *reportCase) {
		c.app.Status.Lock = &v1alpha1.Lock{By: "wanda", At: *at(-600), Reason: reason}
	}
}

const laterCommit = "2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c"
