package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
)

// Commands as the deployer records them.
var (
	editIngress = v1alpha1.Kubectl("edit", "ingress", "shop-ingress", "shop")
	grant       = v1alpha1.Shell("kubectl", "annotate", "--overwrite", "namespace", "shop", "turnout.dev/repositories=acme/shop,acme/shop-*",
		"turnout.dev/projects=acme-prod")
	selector = v1alpha1.Merge("service", "shop-blue-svc", "shop",
		map[string]any{"spec": map[string]any{"selector": map[string]any{"version": "blue"}}})
	approve = v1alpha1.Shell("gcloud", "alpha", "builds", "approve", "projects/acme-prod/locations/global/builds/1")
	// Markdown would interpret parts of this one.
	odd = v1alpha1.Shell("printf", "%s|%s", "`a` @root #1 <b> $x$", "two  spaces", "it's")
)

// advised has the states in which a comment shows commands.
func advised() map[string]bottest.Case {
	findings := func(r *v1alpha1.Release) {
		r.Status.Findings = []v1alpha1.Advice{
			v1alpha1.Advise("ingress shop/shop-ingress, spec.rules: another controller wrote the routes: edit them in place", editIngress),
			v1alpha1.Advise("service shop/shop-blue-svc, spec.selector: it selects no colour: add the label to the selector", selector),
			v1alpha1.Advise("no command is known for this one"),
			v1alpha1.Advise("odd ones are shown as they are.", odd, editIngress),
		}
	}
	return map[string]bottest.Case{
		"advised-queued": bottest.Reported(bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForGrant, Because: "NotGranted",
			Detail: "namespace shop is not granted acme/shop; a cluster administrator grants it by annotating the namespace: " +
				"turnout.dev/repositories",
		}), func(r *v1alpha1.Release) {
			r.Status.Commands = []v1alpha1.ShellCommand{grant}
		}),
		"advised-building": bottest.Reported(bottest.Building, bottest.RestsOn(v1alpha1.Waiting{
			For: v1alpha1.WaitsForBuild, Because: v1alpha1.BecauseAwaitingApproval,
		}), func(r *v1alpha1.Release) {
			r.Status.Commands = []v1alpha1.ShellCommand{approve}
			r.Status.Timeline[0].Message = r.Status.Message
		}),
		"advised-failed": bottest.Reported(bottest.Building,
			bottest.Fails(v1alpha1.FaultWorld, v1alpha1.StepBuild, "LiveUnselected",
				"service shop-blue-svc, which is live, does not select 1 ready pod of deployment shop-blue"),
			func(r *v1alpha1.Release) { r.Status.Failure.Commands = []v1alpha1.ShellCommand{selector} }, findings,
			bottest.Ends(v1alpha1.ReleaseError, 90)),
		"advised-succeeded": bottest.Reported(bottest.Confirmed, findings, bottest.Ends(v1alpha1.ReleaseSucceeded, 180)),
	}
}

// copied returns the commands that a reader can copy from a comment: code spans, and the
// lines of shell blocks.
func copied(comment string) []v1alpha1.ShellCommand {
	source := []byte(comment)
	var all []v1alpha1.ShellCommand
	add := func(lines string) {
		for line := range strings.Lines(lines) {
			if word, _, _ := strings.Cut(line, " "); slices.Contains([]string{"kubectl", "printf", "gcloud", "turnout"}, word) {
				all = append(all, v1alpha1.ShellCommand(strings.TrimSuffix(line, "\n")))
			}
		}
	}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		switch n := n.(type) {
		case *ast.CodeSpan:
			if entering {
				add(string(n.Text(source))) //nolint:staticcheck // a span has text only
			}
		case *ast.FencedCodeBlock:
			if entering && string(n.Language(source)) == "sh" {
				add(string(n.Lines().Value(source)))
			}
		}
		return ast.WalkContinue, nil
	})
	return all
}

func TestCommandsCanBeCopiedFromAComment(t *testing.T) {
	reports := advised()
	for name, want := range map[string][]v1alpha1.ShellCommand{
		"advised-queued": {grant}, "advised-building": {approve}, "advised-succeeded": {editIngress, selector, odd, editIngress},
		"advised-failed": {selector, editIngress, selector, odd, editIngress},
	} {
		tt := reports[name]
		if diff := cmp.Diff(want, copied(report.Of(&tt.App, tt.Rel, tt.Around).Comment)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// The longest record gives a comment that GitHub accepts, with only whole commands in it.
func TestTheLongestCommentHasWholeCommands(t *testing.T) {
	long := v1alpha1.Shell("kubectl", strings.Repeat("x", v1alpha1.MaxCommand-12), "#")
	short := v1alpha1.Shell("kubectl", "get", "pods")
	foreign := []v1alpha1.ShellCommand{long, "kubectl a\nkubectl b", "kubectl \u200bx", long + long, short}
	said := strings.Repeat("#<_@", 250)
	rel := bottest.Reported(bottest.Verified).Rel
	bottest.Fails(v1alpha1.FaultRelease, v1alpha1.StepVerify, "Gate", said)(rel)
	bottest.Ends(v1alpha1.ReleaseFailed, 200)(rel)
	st := &rel.Status
	st.Failure.Commands, st.Message, st.Drift = foreign, said, strings.Repeat("#\n", 4000)
	for range 40 {
		st.Findings = append(st.Findings, v1alpha1.Advice{Text: said, Commands: foreign})
		st.Timeline = append(st.Timeline, bottest.Entry(v1alpha1.StepStage, 1, 2, said))
		st.Failure.Evidence = append(st.Failure.Evidence,
			v1alpha1.Evidence{Pod: "p", Request: said, Message: said, Body: said, Log: strings.Repeat("`\n", 4000)})
	}
	st.Proof = &v1alpha1.ProofStatus{Result: v1alpha1.ProofFailed, Message: said}
	st.GitHub = &v1alpha1.GitHubStatus{DeploymentRefused: said}
	earlier := make([]*v1alpha1.Release, 20)
	for i := range earlier {
		earlier[i] = rel
	}
	app := bottest.Shop()
	r := report.Of(&app, rel, report.Around{Earlier: earlier})
	if n := utf8.RuneCountInString(r.Headline + r.Comment); n > 60000 || n < 20000 {
		t.Errorf("the comment has %d characters", n)
	}
	kept := copied(r.Comment)
	for _, c := range kept {
		if c != long && c != short {
			t.Errorf("it shows %.60q, which is not recorded", c)
		}
	}
	more := 40 - (len(kept)/2 - 1) // the failure has a pair, too
	if want := fmt.Sprintf("- and %d more", more); len(kept) < 4 || !strings.Contains(r.Comment, want) {
		t.Errorf("it shows %d commands, and lacks %q", len(kept), want)
	}
}

func TestStatusShowsTheCommandsOfItsConditions(t *testing.T) {
	s := bottest.Situation(bottest.Held)
	confirm := v1alpha1.Shell("turnout", "confirm", "shop", "--namespace", "shop")
	said := strings.Repeat("a long text of a condition ", 30)
	s.App.Status.Conditions = []metav1.Condition{
		{Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: v1alpha1.ReasonNotGranted, Message: said + "whose end is shown"},
		{Type: v1alpha1.ConditionSwitchUnconfirmed, Status: metav1.ConditionTrue, Reason: v1alpha1.ReasonAsking, Message: "nothing says so"},
	}
	s.App.Status.SetCommands(v1alpha1.ConditionSwitchUnconfirmed, []v1alpha1.ShellCommand{confirm})
	s.App.Status.SetCommands(v1alpha1.ConditionReady, []v1alpha1.ShellCommand{grant})
	s.Command.Verb = command.Status
	_, answer := bottest.Kind(command.Decide(s))
	if !strings.Contains(answer, "whose end is shown") {
		t.Errorf("the answer cuts off the condition: %s", answer)
	}
	if diff := cmp.Diff([]v1alpha1.ShellCommand{grant, confirm}, copied(answer)); diff != "" {
		t.Errorf("the commands to copy from the answer (-want +got):\n%s", diff)
	}
}
