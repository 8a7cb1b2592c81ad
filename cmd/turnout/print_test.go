package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a golden file.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// took makes a step that began some seconds after noon; 0 seconds means that it still runs.
func took(step v1alpha1.Step, from, seconds float64, message string) v1alpha1.TimelineEntry {
	start := noon.Add(time.Duration(from * float64(time.Second)))
	e := v1alpha1.TimelineEntry{Step: step, StartedAt: metav1.NewMicroTime(start), Message: message}
	if seconds > 0 {
		end := metav1.NewMicroTime(start.Add(time.Duration(seconds * float64(time.Second))))
		e.FinishedAt = &end
	}
	return e
}

// life has the states of a release from its beginning to a failure with hostile evidence.
func life() []*v1alpha1.Release {
	rel := deployed(shaB, 1, "")
	rel.CreationTimestamp = metav1.NewTime(noon)
	rel.Spec.Cause.Actor = "carol"
	var all []*v1alpha1.Release
	then := func(change func(*v1alpha1.ReleaseStatus)) {
		change(&rel.Status)
		all = append(all, rel.DeepCopy())
	}
	then(func(*v1alpha1.ReleaseStatus) {})
	then(func(s *v1alpha1.ReleaseStatus) {
		s.Phase, s.Message = v1alpha1.ReleaseQueued, "read by kubectl alone"
		s.Waiting = &v1alpha1.Waiting{For: v1alpha1.WaitsForTurn, Release: "shop-aaaaaaaaaaaa-1"}
	})
	then(func(s *v1alpha1.ReleaseStatus) {
		s.Waiting = &v1alpha1.Waiting{For: v1alpha1.WaitsForApplication, Because: "Selector", Detail: "service shop-blue-svc selects all pods"}
		s.Commands = []v1alpha1.ShellCommand{odd, selectBlue}
	})
	then(func(s *v1alpha1.ReleaseStatus) {
		s.Phase, s.Message, s.Waiting, s.Commands, s.Step = v1alpha1.ReleaseRunning, "", nil, nil, v1alpha1.StepBuild
		s.Timeline = append(s.Timeline, took(v1alpha1.StepBuild, 1, 0, ""))
	})
	then(func(s *v1alpha1.ReleaseStatus) {
		s.Timeline[0].Message, s.Timeline[0].URL = "build 42 is WORKING", "https://console.example.com/builds/42"
	})
	then(func(s *v1alpha1.ReleaseStatus) {
		s.Timeline[0] = took(v1alpha1.StepBuild, 1, 92.4, "built img@sha256:bb")
		s.Milestones.Target, s.Milestones.Built = v1alpha1.Blue, &v1alpha1.BuiltMilestone{Image: "img@sha256:bb"}
		s.Step, s.Timeline = v1alpha1.StepStage, append(s.Timeline, took(v1alpha1.StepStage, 93.4, 0, "1 of 3 pods are ready"))
		s.Findings = []v1alpha1.Advice{v1alpha1.Advise("the template has changed", v1alpha1.Kubectl("edit", "deployment", "shop-blue", "ns"))}
	})
	then(func(s *v1alpha1.ReleaseStatus) {
		end := metav1.NewTime(noon.Add(105 * time.Second))
		s.Timeline[1] = took(v1alpha1.StepStage, 93.4, 10, "container app keeps ending with exit code 1")
		s.Phase, s.Message, s.FinishedAt = v1alpha1.ReleaseFailed, "container app keeps ending with exit code 1", &end
		s.Failure = &v1alpha1.Failure{
			Class: v1alpha1.FaultRelease, Step: v1alpha1.StepStage, Reason: "CrashLoopBackOff", Message: s.Message,
			Commands: []v1alpha1.ShellCommand{selectBlue},
			File:     "cloudbuild.yaml", Line: 7, At: end,
			Evidence: []v1alpha1.Evidence{{
				Pod: "shop-blue-1", Container: "app", Reason: "CrashLoopBackOff",
				Log: "starting\n\x1b[2J\x1b]0;gone\x07::set-env name=PATH::/tmp\r\n##[add-path]/tmp\n\u202etxt.exe\n",
			}},
		}
	})
	return all
}

// Recorded commands: one with characters that a printer might change, and one of a common
// length.
var (
	odd        = v1alpha1.Shell("printf", "%s|%s", "two  spaces", "it's 50%")
	selectBlue = v1alpha1.Merge("service", "shop-blue-svc", "ns",
		map[string]any{"spec": map[string]any{"selector": map[string]any{"version": "blue"}}})
)

// Every printer prints recorded commands whole, each on its own line after nothing but
// spaces.
func TestCommandsArePrintedWhole(t *testing.T) {
	var out bytes.Buffer
	p := &linePrinter{out: &out}
	for _, rel := range life() {
		p.show(rel, noon)
	}
	app := history().app
	app.Status.Findings = []v1alpha1.Finding{{Message: "x", Commands: []v1alpha1.ShellCommand{odd, selectBlue}}}
	check(t, printState(&out, stateOf(app, nil)))
	printed := map[string]int{}
	for line := range strings.Lines(out.String()) {
		printed[strings.TrimSpace(line)]++
	}
	if printed[string(odd)] != 2 || printed[string(selectBlue)] != 3 {
		t.Errorf("%q is printed %d times, %q %d times:\n%s", odd, printed[string(odd)], selectBlue, printed[string(selectBlue)], out.String())
	}
	var log bytes.Buffer
	w := &workflowLog{out: &log}
	last := life()[len(life())-1]
	w.failure(last)
	if want := "%0A    " + strings.ReplaceAll(string(selectBlue), "%", "%25") + "\n"; !strings.HasSuffix(log.String(), want) {
		t.Errorf("the annotation is %q, want it to end with %q", log.String(), want)
	}
}

func TestLinesSayEverythingOnce(t *testing.T) {
	var out bytes.Buffer
	p := &linePrinter{out: &out}
	for _, rel := range life() {
		p.show(rel, noon)
		p.show(rel, noon) // the same state again says nothing
	}
	golden(t, "lines.txt", out.String())
}

func TestAWorkflowsLogFoldsStepsAndObeysNobody(t *testing.T) {
	var out bytes.Buffer
	w := &workflowLog{out: &out}
	for _, rel := range life() {
		w.show(rel, noon)
	}
	last := life()[len(life())-1]
	w.done(last)
	last.Status.Failure.File, last.Status.Failure.Message = "a,b:c.yaml", "50% of\nlines ::are:: wrong"
	w.failure(last)
	w.annotate("warning", "x\r\n::error::y")
	golden(t, "workflow.txt", out.String())
	for line := range strings.Lines(out.String()) {
		command, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "::"), " ")
		ours := strings.HasPrefix(line, "::group::") || line == "::endgroup::\n" || command == "error" || command == "warning"
		if strings.Contains(line, "##[") || strings.HasPrefix(strings.TrimSpace(line), "::") && !ours {
			t.Errorf("the runner would run %q as a workflow command", line)
		}
	}
}

func TestATerminalShowsTheTimelineAsItIs(t *testing.T) {
	var text strings.Builder
	for i, rel := range life() {
		now := noon.Add(time.Duration(i*10) * time.Second)
		text.WriteString(strings.Join(timeline(rel, now), "\n") + "\n\n")
	}
	golden(t, "timeline.txt", text.String())
}

// screen is a terminal that understands this program's output.
func screen(t *testing.T, sent string, width int) []string {
	t.Helper()
	lines, row := []string{""}, 0
	for len(sent) > 0 {
		var n int
		switch up := 0; {
		case strings.HasPrefix(sent, "\x1b[J"):
			lines, n = lines[:row+1], 3
			lines[row] = ""
		case strings.HasPrefix(sent, "\x1b["):
			n = strings.IndexByte(sent, 'A') + 1
			for _, digit := range sent[2 : n-1] {
				up = up*10 + int(digit-'0')
			}
			row -= up
		case sent[0] == '\n':
			row, n = row+1, 1
			if row == len(lines) {
				lines = append(lines, "")
			}
		case sent[0] == '\r':
			n = 1
		default:
			n = strings.IndexAny(sent, "\x1b\n\r")
			lines[row] += sent[:n]
			if got := len([]rune(lines[row])); got > width {
				t.Fatalf("a line has %d columns on a terminal of %d: %q", got, width, lines[row])
			}
		}
		sent = sent[n:]
	}
	return lines[:len(lines)-1]
}

func TestATerminalIsRedrawnInPlace(t *testing.T) {
	const width = 40
	var out bytes.Buffer
	p := &terminalPrinter{out: &out, width: func() int { return width }}
	states := life()
	for i, rel := range states {
		p.show(rel, noon)
		p.tick(noon.Add(time.Second))
		want := timeline(rel, noon.Add(time.Second))
		for i := range want {
			want[i] = cut(want[i], width)
		}
		if diff := cmp.Diff(want, screen(t, out.String(), width)); diff != "" {
			t.Errorf("the screen at state %d (-want +got):\n%s", i, diff)
		}
	}
}

func TestATerminalKeepsWhatIsSaidInBetween(t *testing.T) {
	var out bytes.Buffer
	p := &terminalPrinter{out: &out, width: func() int { return 200 }}
	rel := life()[0]
	f := &follower{printer: p, patience: time.Second, warn: func(text string) { fmt.Fprintln(&out, "turnout: "+text) }}
	p.show(rel, noon)
	f.remindOfServe(rel, time.Minute)
	p.tick(noon)
	p.tick(noon)
	drawn := timeline(rel, noon)
	warning := "turnout: no turnout serve has taken " + rel.Name + " for 1 min: is it running in this cluster, and does it serve namespace " +
		rel.Namespace + "?"
	want := slices.Concat(drawn, []string{warning}, drawn)
	if diff := cmp.Diff(want, screen(t, out.String(), 200)); diff != "" {
		t.Errorf("the screen (-want +got):\n%s", diff)
	}
}

func TestATerminalSaysInTheEndWhatItCut(t *testing.T) {
	rel := life()[len(life())-1]
	for width, want := range map[int]bool{40: true, 0: false} { // 0: it fits
		var out bytes.Buffer
		p := &terminalPrinter{out: &out, width: func() int { return width }}
		p.done(rel)
		if got := strings.Contains(out.String(), "  "+stands(rel)+"\n"); got != want {
			t.Errorf("on a terminal of %d columns the message is printed in full: %v\n%s", width, got, out.String())
		}
		if !strings.Contains(out.String(), "  note: "+rel.Status.Findings[0].Text+"\n    kubectl edit deployment shop-blue -n ns\n") {
			t.Errorf("the finding is not printed:\n%s", out.String())
		}
	}
}

func TestJSONHasALineForEveryChange(t *testing.T) {
	var out bytes.Buffer
	app := history().app
	app.Spec.URL = "https://shop.example.com"
	p := &jsonPrinter{out: &out, app: app}
	for _, rel := range life() {
		p.show(rel, noon)
		p.show(rel, noon)
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != len(life()) {
		t.Fatalf("%d lines for %d states", len(lines), len(life()))
	}
	var last bytes.Buffer
	if err := json.Indent(&last, []byte(lines[len(lines)-1]), "", "  "); err != nil {
		t.Fatal(err)
	}
	golden(t, "release.json", last.String()+"\n")
}

// fields are the names of a type's fields in JSON.
func fields(of reflect.Type) []string {
	var names []string
	for field := range of.Fields() {
		if name, _, _ := strings.Cut(field.Tag.Get("json"), ","); field.IsExported() {
			names = append(names, name)
		}
	}
	return names
}

func TestThePageListsTheFieldsOfJSON(t *testing.T) {
	page, err := os.ReadFile("../../docs/command-line.md")
	check(t, err)
	for _, of := range []any{
		releaseJSON{},
		stepJSON{},
		stateJSON{},
		versionJSON{},
		blockedJSON{},
		lockJSON{},
		rollbackJSON{},
		releaseStateJSON{},
	} {
		for _, name := range fields(reflect.TypeOf(of)) {
			if name == "" || !strings.Contains(string(page), "`"+name+"`") {
				t.Errorf("docs/command-line.md does not list the field %q of %T", name, of)
			}
		}
	}
}

func TestWhatARollbackReturnsToIsShown(t *testing.T) {
	r := history(deployed(shaB, 1, v1alpha1.ReleaseRunning), deployed(shaA, 1, v1alpha1.ReleaseSucceeded))
	for i := range r.releases {
		r.releases[i].CreationTimestamp = metav1.NewTime(noon.Add(-time.Duration(i+1) * time.Hour))
	}
	r.releases[0].Status.Step, r.releases[0].Status.Message = v1alpha1.StepStage, "1 of 3 pods are ready"
	r.app.Status.Active = &v1alpha1.Claim{UID: "uid-b"}
	r.app.Status.Phase = v1alpha1.PhaseReleasing
	r.app.Status.LastSwitch.At = metav1.NewTime(noon)
	r.releases[1].Status.Proof = &v1alpha1.ProofStatus{
		Result: v1alpha1.ProofConfirmed, Requests: 412,
		Message: "412 requests, 0 failed, p99 34 ms; new version after 1.2 s",
	}
	r.app.Spec.Hold = &metav1.Duration{Duration: 20 * time.Minute}
	r.app.Status.Lock = &v1alpha1.Lock{By: "dora", At: metav1.NewTime(noon), Reason: "audit\n\x1b[2J"}
	r.app.Status.Conditions = []metav1.Condition{{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionFalse, Reason: "MixedRoutes",
		Message: "both",
	}}
	r.app.Status.SetCommands(v1alpha1.ConditionReady, []v1alpha1.ShellCommand{v1alpha1.Kubectl("edit", "ingress", "shop-ingress", "ns")})
	var text strings.Builder
	show := func() {
		t.Helper()
		if err := printState(&text, stateOf(r.app, r.releases)); err != nil {
			t.Fatal(err)
		}
		text.WriteString("\n")
	}
	r.app.Status.Findings = []v1alpha1.Finding{
		{
			Severity: v1alpha1.SeverityError, Reason: "Ports", Object: "service ns/shop-blue-svc", Field: "spec.ports",
			Message: "it has no port 80: add it", Commands: []v1alpha1.ShellCommand{odd, selectBlue},
		},
		{Severity: v1alpha1.SeverityWarning, Reason: "ServiceMissing", Object: "service ns/admin", Message: "it does not exist: create it"},
	}
	if diff := cmp.Diff(findingJSON{
		"Error", "Ports", "service ns/shop-blue-svc", "spec.ports", "it has no port 80: add it",
		[]v1alpha1.ShellCommand{odd, selectBlue},
	}, stateOf(r.app, r.releases).Findings[0]); diff != "" {
		t.Errorf("the finding as JSON (-want +got):\n%s", diff)
	}
	show()
	r.app.Status.Findings = nil
	r.app.Status.LastSwitch.Shrunk, r.app.Status.Lock, r.app.Status.Conditions = true, nil, nil
	r.releases[1].Status.Proof = &v1alpha1.ProofStatus{
		Result: v1alpha1.ProofInterrupted, Requests: 200,
		Message: "interrupted at 12:02:33 UTC: 200 requests counted, 1 of them failed",
	}
	show()
	end := metav1.NewMicroTime(noon.Add(50 * time.Second))
	r.releases[1].Status.Timeline = []v1alpha1.TimelineEntry{{
		Step: v1alpha1.StepStage, StartedAt: metav1.NewMicroTime(noon),
		FinishedAt: &end,
	}}
	show()
	r.app.Status.LastSwitch.Kind, r.app.Status.Active = "Rollback", nil
	show()
	if err := printStates(&text, []stateJSON{stateOf(r.app, r.releases), {Application: "new", Phase: "Blocked"}}, false); err != nil {
		t.Fatal(err)
	}
	text.WriteString("\n")
	if err := printReleases(&text, r.releases, noon); err != nil {
		t.Fatal(err)
	}
	golden(t, "status.txt", text.String())
}
