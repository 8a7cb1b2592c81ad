package main

import (
	"bytes"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/sourcetest"
)

// silent are decisions that the release shows which is followed.
var silent = []command.Code{command.CodeApproved, command.CodeSubmitted, command.CodeRetried}

// TestEveryCodeIsSaidOnATerminalAndToPrograms: each that may be decided, by the bot or
// here, has words of which each is known, and is on the page for programs.
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
				t.Errorf("%s has no words on a terminal", name)
			}
			os.Expand(text.Says+text.Next, func(word string) string {
				if surface.Words[word] == nil && word != "because" {
					t.Errorf("%s says ${%s}, which is no word", name, word)
				}
				return ""
			})
			if strings.Contains(text.String(), "`/") {
				t.Errorf("%s speaks of a command of pull requests: %s", name, text)
			}
			if !bytes.Contains(page, []byte("`"+string(code)+"`")) {
				t.Errorf("docs/command-line.md does not list %s", code)
			}
		}
	}
	if len(terminalTexts) != count {
		t.Errorf("a terminal has words for %d codes, want the %d that there are", len(terminalTexts), count)
	}
	source, err := os.ReadFile("request.go")
	check(t, err)
	for name := range own {
		if !bytes.Contains(source, []byte(name+",")) {
			t.Errorf("no request comes to %s", name)
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

// TestAFollowedReleaseCarriesItsDecision: a program reads from the first line what its
// command came to.
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

// TestEveryWaitIsSaidOnATerminal as it is in comments, where a test holds that nothing
// that a record may say is missing.
func TestEveryWaitIsSaidOnATerminal(t *testing.T) {
	source, err := os.ReadFile("../../bot/report/waits.go")
	check(t, err)
	surface, count := terminal(history().app), 0
	for line := range strings.Lines(string(source)) {
		name, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), `"`), `"`)
		if !strings.HasPrefix(name, "Waits") && !strings.HasPrefix(name, "Failed") {
			continue
		}
		count++
		text := surface.Texts[command.Code(name)]
		if text.Says == "" {
			t.Errorf("%s has no words on a terminal", name)
		}
		os.Expand(text.Says, func(word string) string {
			if surface.Words[word] == nil {
				t.Errorf("%s says ${%s}, which is no word", name, word)
			}
			return ""
		})
	}
	if own := len(codesOfRecords); count < 40 || len(terminalWaits) != count+own {
		t.Errorf("a terminal has words for %d waits, comments for %d, want those and %d more", len(terminalWaits), count, own)
	}
	for _, code := range codesOfRecords {
		if surface.Texts[code].Says == "" {
			t.Errorf("%s has no words on a terminal", code)
		}
	}
}

// codesOfRecords are shown of a record beside its wait.
var codesOfRecords = []command.Code{report.CodeFailed, report.CodeMessage, codeUsersHave, codeApproved, codeApprovedLocked}
