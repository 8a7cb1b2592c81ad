package scenario

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/sandbox/prometheus"
)

// frenchFails is a version that fails for users who speak French, three of ten, but passes
// its health checks and the gate.
func frenchFails(app string) string {
	const began = "        began = time.monotonic()\n"
	return strings.Replace(measuredApp(app), began, began+`        if query.get("lang") == ["fr"]:
            self.count(500, began)
            self.answer(500, {"error": "pas de chance"})
            return
`, 1)
}

// judgedCanary is a release in steps, judged by a Prometheus, and how it ends.
type judgedCanary struct {
	name string
	app  func(string) string // the new version, of the example
	// few: only ten requests are sent, all at the first step.
	few bool
	// away: its Prometheus goes away at the first step.
	away bool

	phase   v1alpha1.ReleasePhase
	reason  v1alpha1.FailureReason
	weights []int32
	said    []string // by the pull request's comment

	*application
	by     *prometheus.Prometheus
	users  *crowd
	pr     *githubtest.PullRequest
	record *recorder
}

// newVersion is what these releases bring.
const newVersion = "v3.0.0"

// judgedCanaries are releases that only differ in what metrics say of them. What they say is
// only known once users have the version: all of them pass the gate.
func judgedCanaries() []*judgedCanary {
	return []*judgedCanary{
		{
			name: "errors", app: frenchFails, phase: v1alpha1.ReleaseFailed, reason: v1alpha1.FailedCheck, weights: []int32{40, 0},
			said: []string{"| ❌ failures |"},
		},
		{
			name: "slower", app: slowerApp, phase: v1alpha1.ReleaseFailed, reason: v1alpha1.FailedCheck, weights: []int32{40, 0},
			said: []string{"| ❌ p90 |"},
		},
		{ // neither version has a series of errors
			name: "good", app: measuredApp, phase: v1alpha1.ReleaseSucceeded, weights: []int32{40, 80},
			said: []string{"is live on green"},
		},
		{
			name: "few", app: measuredApp, few: true, phase: v1alpha1.ReleaseError, reason: v1alpha1.FailedMetricsUnseen, weights: []int32{40, 0},
			said: []string{"too few samples"},
		},
		{
			name: "away", app: measuredApp, away: true, phase: v1alpha1.ReleaseError, reason: v1alpha1.FailedMetricsUnseen,
			weights: []int32{40, 0}, said: []string{"connection refused"},
		},
	}
}

// In each step a real Prometheus compares the new version with the one beside it. The
// releases run side by side, since each mostly waits.
func TestMetricsDecideHowACanaryGoesOn(t *testing.T) {
	t.Parallel()
	all := judgedCanaries()
	var shared []string
	for _, c := range all {
		if !c.away {
			shared = append(shared, c.namespaceOf())
		}
	}
	by := scrape(t, shared...)
	for _, c := range all {
		c.by = by
		if c.away {
			c.by = scrape(t, c.namespaceOf())
		}
		c.begin(t)
	}
	for _, c := range all {
		c.awaitAnswers(1, "v1.0.0")
	}
	all[0].awaitFrontEnds(&running.adoption.gateway)
	for _, c := range all {
		if !c.few {
			c.users = c.visited()
		}
		c.ship()
	}
	for _, c := range all {
		c.follow(c.pr, "users of the first step", hasWeight(40))
		switch {
		case c.few:
			c.askTenTimes()
		case c.away:
			c.by.Stop()
		}
	}
	var told []recordedCanary
	for _, c := range all {
		t.Run(c.name, func(t *testing.T) {
			c.t = t
			rel, visits := c.expectEnd()
			if c.name == "errors" || c.name == "good" {
				told = append(told, c.record.end(c.name, rel, visits))
			}
		})
	}
	writeRecord(t, told)
}

func (c *judgedCanary) namespaceOf() string { return "canary-" + c.name }

// begin runs the first version.
func (c *judgedCanary) begin(t *testing.T) {
	t.Helper()
	// Once two of three front ends have followed, a window has 40 requests of the new version. If
	// three of ten fail, they are hardly ever too few to tell.
	j := judged{by: c.by, mode: "Enforce", deadline: "1m", minSamples: 30}
	if c.few || c.away {
		j.deadline = "5s" // after the step's time
	}
	c.application = behindGateway{namespace: c.namespaceOf(), metrics: c.by.URL, spec: map[string]any{
		"canary": steps(step{40, "25s"}, step{80, "5s"}), "analysis": j.spec(),
	}}.adopt(t)
}

// ship merges the new version.
func (c *judgedCanary) ship() {
	c.t.Helper()
	app := sources(c.t, example)["app.py"].Content
	c.record = c.application.record()
	c.pr = c.merge("Ship "+c.name, map[string]string{"VERSION": newVersion + "\n", "app.py": c.app(app)})
}

// askTenTimes is all the users there are.
func (c *judgedCanary) askTenTimes() {
	c.t.Helper()
	c.users = &crowd{stop: func() {}}
	for i := range 10 {
		c.users.ask(c.t.Context(), c.application, paths[i])
	}
}

// expectEnd checks how the release ended, and that users lost nothing by it.
func (c *judgedCanary) expectEnd() (*v1alpha1.Release, []visit) {
	t := c.t
	t.Helper()
	rel := c.follow(c.pr, "the end", in(c.phase))
	if f := rel.Status.Failure; c.reason != "" && (f == nil || f.Reason != c.reason || f.Step != v1alpha1.StepShift) {
		t.Errorf("the failure is %+v, want %s", f, c.reason)
	}
	if diff := cmp.Diff(c.weights, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	live, weights, bad := "v1.0.0", "blue 100 green 0", ""
	if c.phase == v1alpha1.ReleaseSucceeded {
		live, weights = newVersion, "blue 0 green 100"
		expectNoErrors(t, rel)
	}
	if c.name == "errors" {
		bad = newVersion
	}
	expectWeights(t, c.application, "at the end", weights)
	c.awaitGateway(live)
	visits := c.users.leave()
	expectServed(t, visits, bad)
	for _, text := range c.said {
		c.awaitComment(c.pr.Number, text)
	}
	return rel, visits
}

// expectNoErrors checks that a query which finds no series counts as no errors.
func expectNoErrors(t *testing.T, rel *v1alpha1.Release) {
	t.Helper()
	c := rel.Status.Analysis.Checks[0]
	last := c.Points[len(c.Points)-1]
	if c.Name != "failures" || last.Verdict != v1alpha1.VerdictPass || last.Value != "0" {
		t.Errorf("the last window of %s is %+v", c.Name, last)
	}
}

// hasWeight reports whether users have had a share of the target's.
func hasWeight(weight int32) func(*v1alpha1.Release) bool {
	return func(rel *v1alpha1.Release) bool {
		if rel.Status.Shift == nil {
			return false
		}
		for _, w := range rel.Status.Shift.Weights {
			if w.Weight == weight && w.EffectiveAt != nil {
				return true
			}
		}
		return false
	}
}

// weightsOf are the weights that a release gave its target.
func weightsOf(rel *v1alpha1.Release) (all []int32) {
	if rel.Status.Shift == nil {
		return nil
	}
	for _, w := range rel.Status.Shift.Weights {
		all = append(all, w.Weight)
	}
	return all
}

// step is one of a canary.
type step struct {
	weight int64
	last   string // how long
}

// steps is a field canary of a BlueGreen's spec.
func steps(all ...step) map[string]any {
	var list []any
	for _, s := range all {
		list = append(list, map[string]any{"weight": s.weight, "for": s.last})
	}
	return map[string]any{"steps": list}
}
