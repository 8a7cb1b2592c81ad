package command_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

var update = flag.Bool("update", false, "rewrite the table of docs/commands.md")

// phase is where the release of pull request 7 stands when somebody types a command on it,
// and the kind of decision that each command must get: the table "what a command does".
type phase struct {
	name                                                     string
	promote, rollback, cancel, retry, lock, unlock, contract string
	situation                                                func() command.Situation
}

const (
	deployed   = "deploy approved"
	again      = "deploy"
	approved   = "approve"
	wentBack   = "rollback"
	stopped    = "cancel"
	promoted   = "promote"
	locked     = "lock"
	unlocked   = "unlock"
	contracted = "contract"
	refused    = "refuse"
	answered   = "answer"
	otherPull  = 9 // a pull request whose commit came before newCommit
)

var phases = []phase{
	{"no release yet, newer than what is live", deployed, refused, answered, again, locked, answered, contracted, in(bottest.Nothing)},
	{"queued", approved, stopped, stopped, refused, locked, answered, contracted, in(bottest.Running, queued)},
	{"building", approved, stopped, stopped, refused, locked, answered, contracted, in(bottest.Running, step(v1alpha1.StepBuild))},
	{"at its health gate", approved, stopped, stopped, refused, locked, answered, contracted, in(bottest.Running, step(v1alpha1.StepVerify))},
	{"waiting for a person", approved, stopped, stopped, refused, locked, answered, contracted, in(bottest.WaitsFor)},
	{"waiting behind a lock", approved, stopped, stopped, refused, answered, unlocked, contracted, in(bottest.Running, queued, behindLock)},
	{"dividing users", promoted, stopped, stopped, refused, locked, answered, contracted, in(bottest.Running, dividing)},
	{
		"dividing users behind a lock", promoted, stopped, stopped, refused, answered, unlocked, contracted,
		in(bottest.Running, dividing, behindLock),
	},
	{"switching", answered, wentBack, refused, refused, locked, answered, contracted, in(bottest.Switching, step(v1alpha1.StepSwitch))},
	{
		"confirming", answered, wentBack, refused, refused, locked, answered, contracted,
		in(bottest.Soaking, step(v1alpha1.StepConfirm), unconfirmed),
	},
	{"soaking", answered, wentBack, refused, refused, locked, answered, contracted, in(bottest.Soaking, step(v1alpha1.StepSoak))},
	{"live, held after success", answered, wentBack, refused, refused, locked, answered, contracted, in(bottest.Held)},
	{"live, hold over", answered, wentBack, refused, refused, locked, answered, contracted, in(bottest.Shrunk)},
	{"being undone", refused, answered, answered, refused, locked, answered, contracted, in(bottest.Running, going(v1alpha1.ReleaseUndoing))},
	{
		"being taken back after the switch", refused, answered, answered, refused, locked, answered, contracted,
		in(bottest.Switching, going(v1alpha1.ReleaseUndoing)),
	},
	{"being rolled back", refused, answered, refused, refused, locked, answered, contracted, in(bottest.Held, leaving)},
	{"Failed", refused, refused, answered, again, locked, answered, contracted, in(bottest.Failed)},
	{"Error", deployed, refused, answered, again, locked, answered, contracted, in(bottest.Failed, going(v1alpha1.ReleaseError))},
	{"cancelled", deployed, refused, answered, again, locked, answered, contracted, in(bottest.Cancelled)},
	{"live, and its contract runs", answered, refused, refused, refused, locked, answered, answered, in(bottest.Shrunk, contracting)},
	{
		"live, and its contract failed", answered, refused, refused, refused, locked, answered, refused,
		in(bottest.Shrunk, contractedAs(v1alpha1.MigrationFailed)),
	},
	{
		"live, and its contract has succeeded", answered, refused, refused, refused, locked, answered, answered,
		in(bottest.Shrunk, contractedAs(v1alpha1.MigrationChanged)),
	},
	{
		"live, and a release since changed the database", answered, wentBack, refused, refused, locked, answered, contracted,
		in(bottest.Held, expandedSince),
	},
	{
		"superseded, and what took its place has ended", deployed, refused, answered, again, locked, answered, contracted,
		in(bottest.Cancelled, superseded(v1alpha1.ReleaseFailed)),
	},
	{
		"superseded by a release under way", refused, refused, refused, refused, locked, answered, contracted,
		in(bottest.Cancelled, superseded(v1alpha1.ReleaseRunning)),
	},
	{
		"Error: somebody else changed its weights, and users are on both colours", deployed, wentBack, answered, again, locked, answered, refused,
		in(bottest.Failed, going(v1alpha1.ReleaseError), mixed),
	},
	{
		"elsewhere: users are on both colours", deployed, refused, answered, again, locked, answered, refused,
		in(bottest.Failed, going(v1alpha1.ReleaseError), elsewhere, mixed),
	},
	{"rolled back", refused, answered, answered, again, locked, answered, contracted, in(bottest.RolledBack)},
	{"not merged", refused, refused, answered, refused, locked, answered, contracted, in(bottest.Nothing, open)},
	{"merged into another branch", refused, refused, answered, refused, locked, answered, contracted, in(bottest.Nothing, otherBranch)},
	{
		"elsewhere: an earlier pull request, nothing under way", refused, refused, answered, refused, locked, answered, contracted,
		in(bottest.Held, elsewhere),
	},
	{
		"elsewhere: another pull request's release is queued", refused, refused, refused, refused, locked, answered, contracted,
		in(bottest.Running, queued, elsewhere),
	},
	{
		"elsewhere: another pull request's release soaks", refused, refused, refused, refused, locked, answered, contracted,
		in(bottest.Soaking, elsewhere),
	},
}

// in makes the situation of a stage, with changes.
func in(at bottest.Stage, changes ...func(*command.Situation)) func() command.Situation {
	return func() command.Situation {
		s := bottest.Situation(at)
		s.App.Spec.Promotion.Mode = v1alpha1.PromotionManual
		s.App.Spec.Migrations = &v1alpha1.MigrationsSpec{Contract: &v1alpha1.ContractSpec{When: v1alpha1.ContractOnCommand}}
		for _, change := range changes {
			change(&s)
		}
		return s
	}
}

func queued(s *command.Situation) {
	was := s.Releases[0].Status.GitHub
	s.Releases[0].Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseQueued, GitHub: was}
	s.App.Status.Active = nil
}

func step(at v1alpha1.Step) func(*command.Situation) {
	return func(s *command.Situation) { s.Releases[0].Status.Step = at }
}

func going(p v1alpha1.ReleasePhase) func(*command.Situation) {
	return func(s *command.Situation) { s.Releases[0].Status.Phase = p }
}

func behindLock(s *command.Situation) {
	s.App.Status.Lock = &v1alpha1.Lock{By: "otto", At: metav1.NewTime(bottest.Asked.Add(-time.Hour)), Reason: "the database moves"}
}

func unconfirmed(s *command.Situation) { s.Releases[0].Status.Milestones.ConfirmedAt = nil }

func leaving(s *command.Situation) {
	back := *command.NewRollback(&s.App,
		v1alpha1.RollbackSpec{From: bottest.NewVersion, To: bottest.OldVersion, Switch: "uid-new", Attempt: 1},
		v1alpha1.Cause{Kind: v1alpha1.CauseComment, CommentID: 2})
	back.Status.Phase = v1alpha1.ReleaseRunning
	s.Releases = append([]v1alpha1.Release{back}, s.Releases...)
}

// superseded lets a newer release, that of pull request 8, supersede it.
func superseded(p v1alpha1.ReleasePhase) func(*command.Situation) {
	return func(s *command.Situation) {
		by := *command.NewDeploy(&s.App, strings.Repeat("2c", 20), 1, v1alpha1.Cause{Kind: v1alpha1.CausePush})
		by.Status.Phase, by.Status.GitHub = p, &v1alpha1.GitHubStatus{PullRequests: []int{8}}
		s.Releases[0].Status.Phase, s.Releases[0].Status.SupersededBy = v1alpha1.ReleaseSuperseded, by.Name
		s.Releases = append([]v1alpha1.Release{by}, s.Releases...)
	}
}

func open(s *command.Situation) { s.PullRequest.Merged, s.PullRequest.MergeCommit = false, "" }

func otherBranch(s *command.Situation) { s.PullRequest.Base = "next" }

func elsewhere(s *command.Situation) {
	s.PullRequest = command.PullRequest{Number: otherPull, Base: "main", Merged: true, MergeCommit: strings.Repeat("9c", 20)}
	s.AgainstLive, s.AgainstPrevious = command.OrderOlder, command.OrderOlder
}

// TestEveryCommandInEveryPhase runs every command in every phase. It compares the decisions
// with the table above, and the answers with docs/commands.md.
func TestEveryCommandInEveryPhase(t *testing.T) {
	verbs := []command.Verb{
		command.Promote, command.Rollback, command.Cancel, command.Retry, command.Lock, command.Unlock, command.Contract,
		command.Status, command.Help,
	}
	page := newPage(verbs)
	for _, p := range phases {
		want := []string{p.promote, p.rollback, p.cancel, p.retry, p.lock, p.unlock, p.contract, answered, answered}
		for i, verb := range verbs {
			s := p.situation()
			s.Command.Verb = verb
			if verb == command.Lock {
				s.Command.Reason = "the sale is on"
			}
			d := command.Decide(s)
			got, text := bottest.Kind(d)
			if got != want[i] {
				t.Errorf("/%s, %s: decided %s, want %s: %s", verb, p.name, got, want[i], text)
			}
			if n := set(d); n > 1 || d.Refused && n > 0 {
				t.Errorf("/%s, %s: %d fields of the decision are set: %+v", verb, p.name, n, d)
			}
			if says := report.Say(d.Fact); got == refused && (says.Says == "" || says.Next == "") {
				t.Errorf("/%s, %s: refused with %+v, want a reason and a next move", verb, p.name, says)
			}
			page.add(p.name, verb, got, text)

			s.Now = s.Asked.Add(15*time.Minute + time.Second)
			late, text := bottest.Kind(command.Decide(s))
			switch reads := verb == command.Status || verb == command.Help; {
			case reads && late != answered:
				t.Errorf("/%s, %s, late: decided %s, want the usual answer", verb, p.name, late)
			case !reads && (late != refused || !strings.Contains(text, "I was away") || !strings.Contains(text, "`"+s.Command.String()+"`")):
				t.Errorf("/%s, %s, late: decided %s, %q; want a refusal with what to type again", verb, p.name, late, text)
			}
		}
	}
	page.check(t)
}

// set counts the changes of a decision.
func set(d command.Decision) int {
	n := 0
	for _, is := range []bool{d.Submit != nil, d.Approve != nil, d.Cancel != nil, d.Lock != nil, d.Unlock != nil} {
		if is {
			n++
		}
	}
	return n
}

// page is the generated part of docs/commands.md.
type page struct {
	verbs    []command.Verb
	overview []string
	rows     map[command.Verb][]pageRow
}

type pageRow struct {
	phases     []string
	what, says string
}

const (
	pageFile  = "../../docs/commands.md"
	pageBegin = "<!-- generated by: go test ./bot/command -run TestEveryCommand -update -->\n"
	pageEnd   = "<!-- end of what is generated -->\n"
)

// inWords has the page's words for decisions.
var inWords = map[string]string{
	deployed: "**released**, approved", again: "**released**", approved: "**approved**", promoted: "**promoted**", wentBack: "**rolled back**",
	stopped: "**cancelled**", locked: "**locked**", unlocked: "**unlocked**", contracted: "**contracted**",
	refused: "refused", answered: "answered",
}

func newPage(verbs []command.Verb) *page {
	return &page{verbs: verbs, rows: map[command.Verb][]pageRow{}}
}

func (p *page) add(name string, verb command.Verb, got, text string) {
	if verb == p.verbs[0] {
		p.overview = append(p.overview, "| "+name)
	}
	p.overview[len(p.overview)-1] += " | " + inWords[got]
	rows := p.rows[verb]
	i := slices.IndexFunc(rows, func(r pageRow) bool { return r.what == inWords[got] && r.says == text })
	if i < 0 {
		p.rows[verb] = append(rows, pageRow{[]string{name}, inWords[got], text})
		return
	}
	rows[i].phases = append(rows[i].phases, name)
}

// text is the generated part: the overview, and the answers of each command that depends on
// the phase.
func (p *page) text() string {
	var b strings.Builder
	b.WriteString("\n| the pull request's release is")
	for _, verb := range p.verbs {
		fmt.Fprintf(&b, " | `/%s`", verb)
	}
	b.WriteString(" |\n|---" + strings.Repeat("|---", len(p.verbs)) + "|\n")
	for _, line := range p.overview {
		b.WriteString(line + " |\n")
	}
	for _, verb := range p.verbs {
		if verb == command.Status || verb == command.Help {
			continue // the same everywhere: they show what is there
		}
		fmt.Fprintf(&b, "\n### /%s\n\n| the release is | | answer |\n|---|---|---|\n", verb)
		for _, row := range byLength(p.rows[verb]) {
			where := strings.Join(row.phases, "; ")
			if len(row.phases) > len(phases)/2 {
				where = "anything else"
			}
			says := strings.NewReplacer("\n", " ", "|", "\\|").Replace(row.says)
			if says == "" {
				says = "none: the release's own comment shows it"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", where, row.what, says)
		}
	}
	help := in(bottest.Held)()
	help.Command.Verb = command.Help
	help.App.Spec.Gate = v1alpha1.GateSpec{
		HTTP: []v1alpha1.HTTPCheck{{Path: "/healthz", Port: 8080, Status: 200}}, Consecutive: 3,
		Interval: metav1.Duration{Duration: 2 * time.Second}, Timeout: metav1.Duration{Duration: 5 * time.Minute},
	}
	help.App.Spec.Promotion.Timeout.Duration = 24 * time.Hour
	fmt.Fprintf(&b, "\n### /help\n\nOf an application in the mode *Manual*, before the list of commands:\n\n> %s\n\n",
		strings.ReplaceAll(report.Say(command.Decide(help).Fact).Says, "\n", "\n> "))
	return b.String()
}

// byLength moves the row that most phases share to the end, where it reads "anything else".
func byLength(rows []pageRow) []pageRow {
	return slices.SortedStableFunc(slices.Values(rows), func(a, b pageRow) int {
		return len(a.phases)/(len(phases)/2+1) - len(b.phases)/(len(phases)/2+1)
	})
}

// check compares the page with the generated text, or writes it.
func (p *page) check(t *testing.T) {
	t.Helper()
	now, err := os.ReadFile(pageFile)
	check(t, err)
	before, rest, begins := strings.Cut(string(now), pageBegin)
	_, after, ends := strings.Cut(rest, pageEnd)
	if !begins || !ends {
		t.Fatalf("%s lacks a place for the table, between the lines %q and %q", pageFile, pageBegin, pageEnd)
	}
	want := before + pageBegin + p.text() + pageEnd + after
	if *update && !t.Failed() {
		check(t, os.WriteFile(pageFile, []byte(want), 0o644))
		return
	}
	if diff := cmp.Diff(string(now), want); diff != "" {
		t.Errorf("%s is not what the commands do (-page +commands), rewrite with -update:\n%s", pageFile, diff)
	}
}

// mixed: somebody else's weights send users to both colours.
func mixed(s *command.Situation) {
	back := v1alpha1.RollbackSpec{From: bottest.NewVersion, To: bottest.OldVersion, Switch: "uid-new"}
	s.App.Status.Mixed = &v1alpha1.MixedStatus{Back: &back}
	s.App.Status.WayBack = &v1alpha1.WayBack{Color: bottest.OldVersion.Color, Ready: 2, Needed: 2}
	s.App.Status.Live, s.App.Status.LastSwitch, s.App.Status.Previous = nil, nil, nil
	s.AgainstLive, s.AgainstPrevious = command.OrderUnknown, command.OrderUnknown
}

// dividing: some users have it.
func dividing(s *command.Situation) {
	s.Releases[0].Status.Step = v1alpha1.StepShift
	s.Releases[0].Status.Shift = &v1alpha1.ShiftStatus{
		Steps: []v1alpha1.CanaryStep{{Weight: 5}, {Weight: 25}}, Weights: []v1alpha1.ShiftedWeight{{Weight: 5}},
	}
}
