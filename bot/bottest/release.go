package bottest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// Case is the data behind one golden file.
type Case struct {
	App    v1alpha1.BlueGreen
	Rel    *v1alpha1.Release
	Around report.Around
}

// At is a time of the reported releases.
func At(seconds int) *metav1.Time {
	t := metav1.NewTime(time.Date(2026, 11, 22, 12, 0, seconds, 0, time.UTC))
	return &t
}

// Entry is a step of a timeline, between two seconds; it is still running if to is 0.
func Entry(step v1alpha1.Step, from, to int, message string) v1alpha1.TimelineEntry {
	e := v1alpha1.TimelineEntry{Step: step, StartedAt: metav1.NewMicroTime(At(from).Time), Message: message}
	if to > 0 {
		end := metav1.NewMicroTime(At(to).Time)
		e.FinishedAt = &end
	}
	return e
}

// BuildLog is the address of a build's log.
const BuildLog = "https://console.cloud.google.com/cloud-build/builds/1"

// DeployOf is a deploy of a commit that was just pushed.
func DeployOf(commit string, attempt int32) *v1alpha1.Release {
	app := Shop()
	rel := command.NewDeploy(&app, commit, attempt,
		v1alpha1.Cause{Kind: v1alpha1.CausePush, Actor: "ada", URL: "https://github.com/acme/shop/commit/" + commit})
	rel.UID, rel.CreationTimestamp = types.UID("uid-"+rel.Name), *At(0)
	rel.Status.Phase = v1alpha1.ReleaseQueued
	return rel
}

// Happening is something that happens to a release.
type Happening func(*v1alpha1.Release)

// Reported is a deploy of NewCommit after OldCommit, with changes.
func Reported(changes ...Happening) Case {
	rel := DeployOf(NewCommit, 1)
	for _, happen := range changes {
		happen(rel)
	}
	c := Case{App: Shop(), Rel: rel}
	if rel.Status.Milestones.Previous != nil {
		c.App.Status.WayBack = &v1alpha1.WayBack{Color: v1alpha1.Blue, Ready: 3, Needed: 3}
	}
	return c
}

// With changes the case.
func (c Case) With(fn func(*Case)) Case {
	fn(&c)
	return c
}

// Among adds other releases to the record.
func (c Case) Among(others ...*v1alpha1.Release) Case {
	for _, other := range others {
		c.Around.Releases = append(c.Around.Releases, *other)
	}
	c.Around.Releases = append(c.Around.Releases, *c.Rel)
	return c
}

// Claimed begins the release: its build is queued.
func Claimed(r *v1alpha1.Release) {
	r.Status.Phase, r.Status.Step = v1alpha1.ReleaseRunning, v1alpha1.StepBuild
	r.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green, Previous: OldVersion.DeepCopy(), ClaimedAt: At(0)}
	r.Status.Build = &v1alpha1.BuildStatus{LogURL: BuildLog, CreatedAt: At(2)}
	r.Status.Timeline = []v1alpha1.TimelineEntry{Entry(v1alpha1.StepBuild, 0, 0, "queued in Cloud Build")}
}

// Building begins the build.
func Building(r *v1alpha1.Release) {
	Claimed(r)
	r.Status.Build.StartedAt = At(12)
	r.Status.Timeline[0].Message = "building"
}

// Built ends the build.
func Built(r *v1alpha1.Release) {
	Building(r)
	image := "gcr.io/acme/shop@sha256:" + strings.Repeat("7e", 32)
	r.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: image, At: *At(72)}
	r.Status.Timeline = []v1alpha1.TimelineEntry{
		Entry(v1alpha1.StepBuild, 0, 72, "built "+image+" (queued 10 s, built in 1 min)"),
		Entry(v1alpha1.StepAttach, 72, 73, ""),
	}
}

// Verified lets the release pass its gate.
func Verified(r *v1alpha1.Release) {
	Built(r)
	r.Status.Timeline = append(r.Status.Timeline,
		Entry(v1alpha1.StepStage, 73, 95, "3 of 3 pods ready"), Entry(v1alpha1.StepWarm, 95, 145, "3 of 3 endpoints healthy"),
		Entry(v1alpha1.StepVerify, 145, 151, "GET /healthz on port 8080 passed 3 times on 3 pods"))
}

// forKubectl is a message that only kubectl shows: everything else uses the facts.
const forKubectl = "read by kubectl alone since 2026-11-22 11:50 UTC"

// Waits lets the release wait after its gate.
func Waits(w v1alpha1.Waiting) Happening {
	return func(r *v1alpha1.Release) {
		Verified(r)
		r.Status.Phase, r.Status.Step = v1alpha1.ReleaseWaiting, v1alpha1.StepPromote
		RestsOn(w)(r)
		r.Status.Timeline = append(r.Status.Timeline, Entry(v1alpha1.StepPromote, 151, 0, forKubectl))
	}
}

// RestsOn sets what the release waits for.
func RestsOn(w v1alpha1.Waiting) Happening {
	return func(r *v1alpha1.Release) { r.Status.Waiting, r.Status.Message = &w, forKubectl }
}

// About sets what the failure is about.
func About(because v1alpha1.FailureBecause, release, commit string) Happening {
	return func(r *v1alpha1.Release) {
		r.Status.Failure.Because, r.Status.Failure.Release, r.Status.Failure.Commit = because, release, commit
	}
}

// Manual lets the release wait for a person.
func Manual() Happening {
	return Waits(v1alpha1.Waiting{For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseManual})
}

// Divides gives the new version such weights, one after the other.
func Divides(weights ...int32) Happening {
	return func(r *v1alpha1.Release) {
		Verified(r)
		r.Status.Step, r.Status.Shift = v1alpha1.StepShift, &v1alpha1.ShiftStatus{
			Replicas: 3, Steps: []v1alpha1.CanaryStep{{Weight: 5}, {Weight: 25}, {Weight: 50}},
		}
		for i, w := range weights {
			at := metav1.NewMicroTime(At(151 + 100*i).Time)
			r.Status.Shift.Weights = append(r.Status.Shift.Weights, v1alpha1.ShiftedWeight{
				Weight: w, IntendedAt: at, Generation: int64(3 + i), EffectiveAt: &at,
			})
		}
		r.Status.Timeline = append(r.Status.Timeline, Entry(v1alpha1.StepShift, 151, 0, forKubectl))
	}
}

// Switched moves users.
func Switched(r *v1alpha1.Release) {
	Verified(r)
	m := &r.Status.Milestones
	m.SwitchIntendedAt, m.SwitchedAt = At(151), At(152)
	r.Status.Step = v1alpha1.StepConfirm
	r.Status.Timeline = append(r.Status.Timeline, Entry(v1alpha1.StepSwitch, 151, 152, ""))
}

// Confirmed lets the switch take effect and the soak begin.
func Confirmed(r *v1alpha1.Release) {
	Switched(r)
	r.Status.Milestones.ConfirmedAt, r.Status.Step = At(154), v1alpha1.StepSoak
	Proves(v1alpha1.ProofStatus{
		Result: v1alpha1.ProofConfirmed, Requests: 412, P99: &metav1.Duration{Duration: 34 * time.Millisecond},
		Message: "412 requests, 0 failed, p99 34 ms; new version after 1.2 s",
	})(r)
	r.Status.Timeline = append(r.Status.Timeline, Entry(v1alpha1.StepSoak, 154, 0, ""))
}

// Proves ends the confirmation with the result of the proof.
func Proves(p v1alpha1.ProofStatus) Happening {
	return func(r *v1alpha1.Release) {
		r.Status.Proof = &p
		r.Status.Timeline = slices.DeleteFunc(r.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepConfirm })
		said := fmt.Sprintf("%s: %s", p.Result, p.Message)
		i := slices.IndexFunc(r.Status.Timeline, func(e v1alpha1.TimelineEntry) bool { return e.Step == v1alpha1.StepSwitch })
		confirm := Entry(v1alpha1.StepConfirm, 152, 154, said)
		confirm.Proof = p.Result
		r.Status.Timeline = slices.Insert(r.Status.Timeline, i+1, confirm)
	}
}

// Ends ends the release.
func Ends(phase v1alpha1.ReleasePhase, second int) Happening {
	return func(r *v1alpha1.Release) {
		last := &r.Status.Timeline[len(r.Status.Timeline)-1]
		if last.FinishedAt == nil {
			end := metav1.NewMicroTime(At(second).Time)
			last.FinishedAt = &end
		}
		r.Status.Phase, r.Status.Step, r.Status.FinishedAt = phase, "", At(second)
	}
}

// Fails makes the release fail; it will be undone.
func Fails(class v1alpha1.FailureClass, step v1alpha1.Step, reason v1alpha1.FailureReason, message string) Happening {
	return func(r *v1alpha1.Release) {
		r.Status.Phase = v1alpha1.ReleaseUndoing
		r.Status.Failure = &v1alpha1.Failure{Class: class, Step: step, Reason: reason, Message: message}
		r.Status.Message = message
	}
}

// TookSteps adds to the timeline.
func TookSteps(entries ...v1alpha1.TimelineEntry) Happening {
	return func(r *v1alpha1.Release) {
		r.Status.Timeline = append(r.Status.Timeline, entries...)
		r.Status.Step = entries[len(entries)-1].Step
	}
}

// SucceededAt is a deploy of a commit that got the users at a second, and soaked.
func SucceededAt(commit string, second int) *v1alpha1.Release {
	rel := DeployOf(commit, 1)
	Confirmed(rel)
	rel.Status.Milestones.SwitchedAt = At(second)
	Ends(v1alpha1.ReleaseSucceeded, second+300)(rel)
	return rel
}

// GoesBack is a rollback from newCommit.
func GoesBack(changes ...Happening) Case {
	app := Shop()
	rel := command.NewRollback(&app, v1alpha1.RollbackSpec{From: NewVersion, To: OldVersion, Switch: "uid-new"},
		v1alpha1.Cause{
			Kind: v1alpha1.CauseComment, Actor: "wanda", PullRequest: 7, CommentID: 1,
			URL: "https://github.com/acme/shop/pull/7#issuecomment-1",
		})
	rel.UID, rel.CreationTimestamp = "uid-back", *At(600)
	rel.Status.Phase, rel.Status.Step, rel.Status.Milestones.ClaimedAt = v1alpha1.ReleaseRunning, v1alpha1.StepSize, At(600)
	rel.Status.Timeline = []v1alpha1.TimelineEntry{Entry(v1alpha1.StepSize, 600, 602, "still running")}
	for _, happen := range changes {
		happen(rel)
	}
	return Case{App: app, Rel: rel}
}

// ComesBack ends a rollback successfully.
func ComesBack(r *v1alpha1.Release) {
	r.Status.Milestones.SwitchedAt = At(603)
	r.Status.Timeline = append(r.Status.Timeline, Entry(v1alpha1.StepSwitch, 602, 603, ""), Entry(v1alpha1.StepConfirm, 603, 605, "Confirmed"))
	Ends(v1alpha1.ReleaseSucceeded, 605)(r)
}

// LockedBy locks the application.
func LockedBy(reason string) func(*Case) {
	return func(c *Case) {
		c.App.Status.Lock = &v1alpha1.Lock{By: "wanda", At: *At(-600), Reason: reason}
	}
}

// LaterCommit comes after NewCommit.
const LaterCommit = "2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c"
