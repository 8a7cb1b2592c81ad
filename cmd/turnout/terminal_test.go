package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// silent are decisions without an answer, since the followed release shows them.
var silent = []command.Code{command.CodeApproved, command.CodePromoted, command.CodeSubmitted, command.CodeRetried}

// TestEveryCodeIsSaidOnATerminalAndToPrograms: every code of package command and of this
// package has a text, every word in it is known, and the page for programs lists it.
func TestEveryCodeIsSaidOnATerminalAndToPrograms(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	check(t, err)
	surface := terminal(history().app)
	own := sourcetest.Constants[command.Code](t, "request_code.go", 10)
	count := 0
	for _, codes := range []map[string]command.Code{sourcetest.Constants[command.Code](t, "../../bot/command/decision_code.go", 10), own} {
		for name, code := range codes {
			count++
			text, ok := surface.Texts[code]
			if !ok || text.String() == "" && !slices.Contains(silent, code) {
				t.Errorf("%s has no text for a terminal", name)
			}
			os.Expand(text.Says+text.Next, func(word string) string {
				if surface.Words[word] == nil && word != "because" {
					t.Errorf("%s uses ${%s}, which no text fills in", name, word)
				}
				return ""
			})
			if strings.Contains(text.String(), "`/") {
				t.Errorf("%s names a pull request's command: %s", name, text)
			}
			if !bytes.Contains(page, []byte("`"+string(code)+"`")) {
				t.Errorf("docs/command-line.md does not list %s", code)
			}
		}
	}
	if len(terminalTexts) != count {
		t.Errorf("the terminal has texts for %d codes, want %d", len(terminalTexts), count)
	}
	source, err := os.ReadFile("request.go")
	check(t, err)
	for name := range own {
		if !bytes.Contains(source, []byte(name+",")) {
			t.Errorf("no request leads to %s", name)
		}
	}
}

func TestADecisionIsDataForPrograms(t *testing.T) {
	r := history(deployed(shaA, 1, v1alpha1.ReleaseSucceeded))
	p := r.rollback("ccccccc")
	line, err := jsonLine(decisionJSON{r.app.Name, r.app.Namespace, &p.Decision})
	check(t, err)
	const want = `{"application":"shop","namespace":"ns","decision":{"code":"NotLive","args":{"application":"shop",` +
		`"live":{"color":"green","image":"img@sha256:aa","commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","release":"shop-aaaaaaaaaaaa-1"},` +
		`"typed":"ccccccc","next":[{"verb":"rollback","commit":"aaaaaaa"}]},"refused":true}}` + "\n"
	if line != want {
		t.Errorf("got  %swant %s", line, want)
	}
}

// TestAFollowedReleaseCarriesItsDecision: a program finds the command's decision in the
// first line.
func TestAFollowedReleaseCarriesItsDecision(t *testing.T) {
	r := history()
	p := r.deploy(shaB, false)
	var out bytes.Buffer
	printer := &jsonPrinter{out: &out, app: r.app, decision: &p.Decision}
	printer.show(p.Submit, noon)
	var got releaseJSON
	check(t, json.Unmarshal(out.Bytes(), &got))
	if got.Decision == nil || got.Decision.Code != command.CodeRetried || got.Decision.Args.Version.Commit != shaB {
		t.Errorf("the decision is %+v", got.Decision)
	}
}

// TestEveryWaitIsSaidOnATerminal: the terminal has a text for every wait that comments have
// one for; a test there checks that none is missing.
func TestEveryWaitIsSaidOnATerminal(t *testing.T) {
	source, err := os.ReadFile("../../bot/report/waits.go")
	check(t, err)
	surface, count := terminal(history().app), 0
	for line := range strings.Lines(string(source)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), `"`), `"`)
		if !strings.HasPrefix(name, "Waits") {
			continue
		}
		count++
		saidOnATerminal(t, surface, command.Code(name))
	}
	if own := len(codesOfRecords); count < 40 || len(terminalWaits) != count+own {
		t.Errorf("the terminal has texts for %d waits, comments for %d; want as many and %d more", len(terminalWaits), count, own)
	}
	for _, code := range codesOfRecords {
		saidOnATerminal(t, surface, code)
	}
}

func saidOnATerminal(t *testing.T, surface report.Surface, code command.Code) {
	t.Helper()
	text := surface.Texts[code]
	if text.Says == "" {
		t.Errorf("%s has no text for a terminal", code)
	}
	os.Expand(text.Says, func(word string) string {
		if surface.Words[word] == nil && word != "because" {
			t.Errorf("%s uses ${%s}, which no text fills in", code, word)
		}
		return ""
	})
}

// TestEveryFailureIsSaidOnATerminalAndToPrograms: for every reason that a record may have,
// the terminal has a text with the record's message, and a program reads the reason
// unchanged.
func TestEveryFailureIsSaidOnATerminalAndToPrograms(t *testing.T) {
	const types = "../../api/v1alpha1/release_failure_types.go"
	surface, known := terminal(history().app), 1 // the text for a missing reason
	for name, reason := range sourcetest.Constants[v1alpha1.FailureReason](t, types, 40) {
		for _, because := range []v1alpha1.FailureBecause{"", v1alpha1.SupersededByNewer} {
			if (reason == v1alpha1.FailedSuperseded) != (because != "") {
				continue // only its causes have texts
			}
			known++
			saidOnATerminal(t, surface, report.FailureCode(reason, because))
			rel := deployed(shaA, 1, v1alpha1.ReleaseFailed)
			rel.Status.Failure = &v1alpha1.Failure{
				Reason: reason, Because: because, Release: "shop-bbbbbbbbbbbb-1", Limit: &metav1.Duration{Duration: time.Hour},
				Message: "pod p: detail",
			}
			rel.Spec.Cancel = &v1alpha1.Cancel{By: "ada", Reason: "/cancel at the step warm"}
			fact := slices.ContainsFunc([]string{": pod p: detail", "ada: /cancel", "within 1h", rel.Status.Failure.Release},
				func(fact string) bool {
					return strings.Contains(stands(&rel), fact)
				})
			if !fact || strings.HasPrefix(stands(&rel), "pod p") {
				t.Errorf("%s is said as %q", name, stands(&rel))
			}
			line, err := jsonLine(asJSON(nil, &rel))
			check(t, err)
			if !strings.Contains(line, `"reason":"`+string(reason)+`"`) {
				t.Errorf("%s is not in %s", name, line)
			}
		}
	}
	for _, because := range sourcetest.Constants[v1alpha1.FailureBecause](t, types, 4) {
		if because != v1alpha1.SupersededByNewer {
			known++
			saidOnATerminal(t, surface, report.FailureCode(v1alpha1.FailedSuperseded, because))
		}
	}
	if len(terminalFailures) != known {
		t.Errorf("the terminal has texts for %d failures, want %d", len(terminalFailures), known)
	}
}

// codesOfRecords show a record beside its wait.
var codesOfRecords = []command.Code{report.CodeMessage, codeUsersHave, codeApproved, codeApprovedLocked}
