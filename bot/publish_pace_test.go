package bot_test

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// direct passes requests to a server without a network, so that only the clock of the
// synctest bubble counts.
type direct struct{ server http.Handler }

func (d direct) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	got := req.Clone(req.Context())
	if got.Body == nil {
		got.Body = http.NoBody
	}
	answer := httptest.NewRecorder()
	d.server.ServeHTTP(answer, got)
	return answer.Result(), nil
}

// leader publishes as the controller does: after every change of a release, including its
// own writes, and when Publish asks for it. It runs in a synctest bubble, in a process that
// has not called GitHub yet.
type leader struct {
	t         *testing.T
	w         *world
	publisher *bot.Publisher
	again     map[string]time.Time
}

func (w *world) leader(t *testing.T) *leader {
	t.Helper()
	client, err := githubapp.New(githubapp.Config{
		URL: w.github.URL(), AppID: w.app.ID, PrivateKey: w.app.PrivateKeyPEM(), Transport: direct{w.github},
	})
	check(t, err)
	p := w.publisher()
	p.GitHub, p.Apart = client, 0
	return &leader{t: t, w: w, publisher: p, again: map[string]time.Time{}}
}

// look publishes every release until nothing is written any more.
func (l *leader) look() {
	l.t.Helper()
	for before := -1; before != l.w.record.writes; {
		before = l.w.record.writes
		for _, rel := range l.w.all() {
			again, err := l.publisher.Publish(l.t.Context(), &rel)
			check(l.t, err)
			delete(l.again, rel.Name)
			if again > 0 {
				l.again[rel.Name] = time.Now().Add(again)
			}
		}
	}
}

// pass lets time pass, and looks whenever Publish asked for it.
func (l *leader) pass(d time.Duration) {
	l.t.Helper()
	for end := time.Now().Add(d); ; {
		next := end
		for _, at := range l.again {
			if at.Before(next) {
				next = at
			}
		}
		time.Sleep(time.Until(next))
		if next.Equal(end) {
			return
		}
		l.look()
	}
}

// happens changes a release, then looks.
func (l *leader) happens(name string, changes ...bottest.Happening) {
	l.t.Helper()
	l.w.record.change(name, func(r *v1alpha1.Release) {
		for _, change := range changes {
			change(r)
		}
	})
	l.look()
}

// now is the bubble's time plus a few seconds.
func now() *metav1.Time {
	t := metav1.NewTime(time.Now())
	return &t
}

// enters ends the present step and begins another.
func enters(s v1alpha1.Step, message string) bottest.Happening {
	return func(r *v1alpha1.Release) {
		at := metav1.NewMicroTime(time.Now())
		if n := len(r.Status.Timeline); n > 0 {
			r.Status.Timeline[n-1].FinishedAt = &at
		}
		r.Status.Phase, r.Status.Step = v1alpha1.ReleaseRunning, s
		r.Status.Timeline = append(r.Status.Timeline, v1alpha1.TimelineEntry{Step: s, StartedAt: at, Message: message})
	}
}

func says(message string) bottest.Happening {
	return func(r *v1alpha1.Release) {
		r.Status.Message, r.Status.Timeline[len(r.Status.Timeline)-1].Message = message, message
	}
}

func endsNow(phase v1alpha1.ReleasePhase) bottest.Happening {
	return func(r *v1alpha1.Release) { r.Status.Phase, r.Status.Step, r.Status.FinishedAt = phase, "", now() }
}

func movesUsers(r *v1alpha1.Release) { r.Status.Milestones.SwitchedAt = now() }

// runThrough has the events of a release that nothing delays, with the time that each
// takes.
func runThrough() []struct {
	what bottest.Happening
	then time.Duration
} {
	type moment = struct {
		what bottest.Happening
		then time.Duration
	}
	claimedNow := func(r *v1alpha1.Release) {
		r.Status.Milestones = v1alpha1.Milestones{Target: v1alpha1.Green, Previous: bottest.OldVersion.DeepCopy(), ClaimedAt: now()}
	}
	moments := []moment{
		{func(r *v1alpha1.Release) { r.Status.Phase, r.Status.Version = v1alpha1.ReleaseQueued, "1b1b1b1" }, 300 * time.Millisecond},
		{func(r *v1alpha1.Release) { claimedNow(r); enters(v1alpha1.StepBuild, "")(r) }, time.Second},
		{func(r *v1alpha1.Release) {
			r.Status.Build = &v1alpha1.BuildStatus{CreatedAt: now(), State: "QUEUED"}
			says("building")(r)
		}, 2 * time.Second},
		{func(r *v1alpha1.Release) { r.Status.Build.LogURL = bottest.BuildLog; says("queued in Cloud Build")(r) }, 15 * time.Second},
		{func(r *v1alpha1.Release) { r.Status.Build.StartedAt = now(); says("building")(r) }, 3 * time.Minute},
		{func(r *v1alpha1.Release) {
			r.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: "app@sha256:new", At: *now()}
			enters(v1alpha1.StepAttach, "attaching")(r)
		}, 800 * time.Millisecond},
		{enters(v1alpha1.StepStage, "starting 3 pods of shop-green"), 9 * time.Second},
	}
	for ready := range 4 {
		moments = append(moments, moment{says(fmt.Sprintf("%d of 3 pods ready", ready)), 5 * time.Second})
	}
	moments = append(moments, moment{enters(v1alpha1.StepWarm, ""), 4 * time.Second})
	for healthy := range 4 {
		moments = append(moments, moment{says(fmt.Sprintf("%d of 3 endpoints healthy", healthy)), 12 * time.Second})
	}
	for range 3 {
		moments = append(moments, moment{enters(v1alpha1.StepVerify, "passed"), 2 * time.Second})
	}
	return append(moments,
		moment{func(r *v1alpha1.Release) {
			r.Status.Milestones.Approved = &v1alpha1.ApprovedMilestone{By: v1alpha1.ApprovedByPolicy, At: *now()}
			enters(v1alpha1.StepPromote, "approved by policy")(r)
		}, 10 * time.Millisecond},
		moment{func(r *v1alpha1.Release) {
			r.Status.Milestones.SwitchIntendedAt = now()
			enters(v1alpha1.StepSwitch, "")(r)
		}, 150 * time.Millisecond},
		moment{func(r *v1alpha1.Release) { movesUsers(r); enters(v1alpha1.StepConfirm, "asks")(r) }, time.Minute},
		moment{func(r *v1alpha1.Release) {
			r.Status.Milestones.ConfirmedAt = now()
			r.Status.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofConfirmed, Message: "412 requests, 0 failed"}
			enters(v1alpha1.StepSoak, "")(r)
		}, 5 * time.Minute},
		moment{endsNow(v1alpha1.ReleaseSucceeded), 0})
}

// count groups requests by what they do.
func count(requests []githubtest.Request) string {
	all := map[string]int{}
	for _, r := range requests {
		all[fmt.Sprintf("%s %s", r.Method, strings.TrimPrefix(r.Route, "/repos/{owner}/{repo}/"))]++
	}
	var lines []string
	for _, what := range slices.Sorted(maps.Keys(all)) {
		lines = append(lines, fmt.Sprintf("%d × %s", all[what], what))
	}
	return strings.Join(lines, "\n")
}

// TestOrdinaryReleaseCostsAtMostFifteenRequests counts everything after the push, in a new
// process: the App's installation and token, the deployment and its states, the comment and
// its edits, and the deployment and comment of the release that was live before.
func TestOrdinaryReleaseCostsAtMostFifteenRequests(t *testing.T) {
	w := newWorld(t)
	before, first := ended(w)
	untilPublished(t, w, w.publisher(), first.Name)
	start := len(w.github.Requests())
	pr, commit := w.merge("second")
	w.app.SetWebhookURL("") // the bubble must not wait for a network
	name := v1alpha1.DeployName("shop", commit, 1)
	synctest.Test(t, func(t *testing.T) {
		l := w.leader(t)
		earlier := metav1.NewTime(time.Now().Add(-time.Hour))
		w.record.change(first.Name, func(r *v1alpha1.Release) { r.Status.Milestones.SwitchedAt = &earlier })
		w.record.change(name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
		for _, moment := range runThrough() {
			l.happens(name, moment.what)
			l.pass(moment.then)
		}
		l.pass(time.Hour)
	})
	requests := w.github.Requests()[start:]
	if n := len(requests); n > 15 {
		t.Errorf("%d requests, want at most 15:\n%s", n, count(requests))
	}
	deployments := w.repo.Deployments()
	if got := states(deployments[0]) + " / " + states(deployments[1]); got != "success inactive / queued in_progress success" {
		t.Errorf("deployments %q", got)
	}
	for _, s := range deployments[1].Statuses[1:] {
		if s.LogURL == "" {
			t.Errorf("%s has no link to the build's log", s.State)
		}
	}
	if body := w.answers(pr.Number)[0]; !strings.Contains(body, "is live on green · ") || !strings.Contains(body, "412 requests, 0 failed") {
		t.Errorf("the comment is not the final one:\n%s", body)
	}
	if body := w.answers(before.Number)[0]; !strings.Contains(body, "Users were moved on to `"+v1alpha1.ShortCommit(commit)+"`") {
		t.Errorf("the earlier pull request's comment does not say that users moved on:\n%s", body)
	}
}

// TestWritesToAThreadAreASecondApart hurries a release through every step, with ten changes
// a second.
func TestWritesToAThreadAreASecondApart(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	w.app.SetWebhookURL("")
	name := v1alpha1.DeployName("shop", commit, 1)
	var end time.Time
	synctest.Test(t, func(t *testing.T) {
		l := w.leader(t)
		w.record.change(name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
		for _, moment := range runThrough() {
			l.happens(name, moment.what)
			l.pass(min(moment.then, 100*time.Millisecond))
			l.happens(name, func(r *v1alpha1.Release) { r.Status.Findings = append(r.Status.Findings, v1alpha1.Advise("one more")) })
			l.pass(100 * time.Millisecond)
		}
		end = time.Now()
		l.pass(time.Hour)
	})
	last := map[string]time.Time{}
	for _, r := range w.github.Requests() {
		thread := r.Route
		if strings.Contains(thread, "comments") {
			thread = "the pull request"
		}
		if r.Method == http.MethodGet || !strings.Contains(r.Route, "comments") && !strings.Contains(r.Route, "statuses") {
			continue
		}
		if apart := r.At.Sub(last[thread]); apart < time.Second {
			t.Errorf("%s %s comes %s after the write before", r.Method, r.Path, apart)
		}
		last[thread] = r.At
	}
	if len(last) != 2 {
		t.Errorf("the threads with writes are %v, want the pull request and the deployment", last)
	}
	for thread, at := range last {
		if late := at.Sub(end); late > 1100*time.Millisecond {
			t.Errorf("%s: the last write comes %s after the end, want at most a second", thread, late)
		}
	}
	if got := states(w.repo.Deployments()[0]); !strings.HasSuffix(got, "success") || strings.Contains(got, "in_progress in_progress") {
		t.Errorf("states %q", got)
	}
	if body := w.answers(pr.Number)[0]; !strings.Contains(body, "is live on green · ") {
		t.Errorf("the comment is not the final one:\n%s", body)
	}
}

// TestProgressIsWrittenEveryTenMinutes: minor changes wait, or come with an important one.
func TestProgressIsWrittenEveryTenMinutes(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	w.app.SetWebhookURL("")
	name := v1alpha1.DeployName("shop", commit, 1)
	synctest.Test(t, func(t *testing.T) {
		l := w.leader(t)
		w.record.change(name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
		l.happens(name, bottest.Building)
		l.pass(10 * time.Second)
		before := len(w.github.Requests())
		for minute := range 25 {
			l.happens(name, says(fmt.Sprintf("building for %d minutes", minute+1)))
			l.pass(time.Minute)
		}
		if got := count(w.github.Requests()[before:]); got != "2 × PATCH issues/comments/{comment_id}" {
			t.Errorf("edits in 25 minutes of building:\n%s\nwant 2", got)
		}
	})
	if body := w.answers(pr.Number)[0]; !strings.Contains(body, "building for 20 minutes") {
		t.Errorf("the comment is not the one of the 20th minute:\n%s", body)
	}
}

// TestSwitchConfirmedAtOnceIsOneEdit: and an unconfirmed switch is published too.
func TestSwitchConfirmedAtOnceIsOneEdit(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	w.app.SetWebhookURL("")
	name := v1alpha1.DeployName("shop", commit, 1)
	synctest.Test(t, func(t *testing.T) {
		l := w.leader(t)
		w.record.change(name, func(r *v1alpha1.Release) { r.CreationTimestamp = *now() })
		l.happens(name, bottest.Verified)
		l.pass(time.Minute)
		for _, confirmedAfter := range []time.Duration{3 * time.Second, time.Minute} {
			before := len(w.github.Requests())
			l.happens(name, bottest.Verified, bottest.Switched, movesUsers)
			l.pass(min(confirmedAfter, 11*time.Second))
			if told := strings.Contains(w.answers(pr.Number)[0], "being confirmed"); told != (confirmedAfter > 10*time.Second) {
				t.Errorf("unconfirmed for %s: told %v", confirmedAfter, told)
			}
			l.happens(name, bottest.Confirmed, movesUsers)
			l.pass(time.Minute)
			want := "1 × PATCH issues/comments/{comment_id}"
			if confirmedAfter > 10*time.Second {
				want = "2 × PATCH issues/comments/{comment_id}"
			}
			if got := count(w.github.Requests()[before:]); got != want {
				t.Errorf("confirmed after %s:\n%s\nwant\n%s", confirmedAfter, got, want)
			}
		}
	})
}
