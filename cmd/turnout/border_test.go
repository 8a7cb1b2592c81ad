package main

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// hostile is a text that tries everything at once.
const hostile = "x/y:1\n::set-output name=result::Succeeded\n##[add-mask]a\r\n\u2028::error::x\x1b]0;pwned\x07\x1b[2J\u009b31m\u202egnp " +
	"ghp_0123456789abcdefghij0123456789abcdef\n shop2  blue"

// expectShown checks that nothing in a text is obeyed, and that it has so many lines.
func expectShown(t *testing.T, what, text string, lines int) {
	t.Helper()
	if n := strings.Count(text, "\n"); n != lines {
		t.Errorf("%s: %d lines, want %d: %q", what, n, lines, text)
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.HasPrefix(strings.TrimSpace(line), "::") || strings.Contains(line, "##[") || strings.Contains(line, "ghp_") ||
			strings.ContainsFunc(line, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }) {
			t.Errorf("%s prints %q", what, line)
		}
	}
}

// hostileRelease has hostile texts wherever anybody may write one.
func hostileRelease() *v1alpha1.Release {
	rel := deployed(shaB, 1, v1alpha1.ReleaseFailed)
	rel.Spec.Cause.Actor = hostile
	rel.Spec.Kind, rel.Spec.Deploy = v1alpha1.Rollback, nil
	rel.Spec.Rollback = &v1alpha1.RollbackSpec{
		From: v1alpha1.Version{Image: hostile},
		To:   v1alpha1.Version{Image: "r/" + hostile, Color: v1alpha1.Green},
	}
	rel.Status.Message, rel.Status.Findings = hostile, []v1alpha1.Advice{{Text: hostile, Commands: []v1alpha1.ShellCommand{hostile}}}
	rel.Status.Timeline = []v1alpha1.TimelineEntry{took(v1alpha1.StepBuild, 0, 0, hostile)}
	rel.Status.Timeline[0].URL = hostile
	rel.Status.Failure = &v1alpha1.Failure{
		Class: v1alpha1.FaultRelease, Reason: hostile, Message: hostile, File: hostile,
		Evidence: []v1alpha1.Evidence{{Pod: hostile, Container: hostile, Reason: hostile, Request: hostile, Message: hostile, Body: hostile}},
	}
	return &rel
}

func TestAWorkflowsLogObeysNoImagesName(t *testing.T) {
	var out bytes.Buffer
	w := &workflowLog{out: &out}
	w.show(hostileRelease(), noon)
	w.endGroup()
	text := out.String()
	for _, ours := range []string{"::group::build\n", "::endgroup::\n"} {
		if strings.Count(text, ours) != 1 {
			t.Errorf("%d times %q in %q", strings.Count(text, ours), ours, text)
		}
		text = strings.Replace(text, ours, "", 1)
	}
	expectShown(t, "the log", text, 6) // title, step, finding, phase, file, evidence
	for _, line := range []func(*workflowLog){
		func(w *workflowLog) { w.annotate("error", hostile) },
		func(w *workflowLog) { w.failure(hostileRelease()) },
	} {
		var out bytes.Buffer
		line(&workflowLog{out: &out})
		expectShown(t, "an annotation", strings.TrimPrefix(out.String(), "::"), 1)
	}
}

func TestATerminalObeysNoForeignText(t *testing.T) {
	state := stateJSON{
		Application: "shop", URL: hostile, Live: &versionJSON{Version: hostile, Image: hostile},
		Blocked: &blockedJSON{hostile, hostile, []v1alpha1.ShellCommand{hostile}},
		Lock:    &lockJSON{By: hostile, Reason: hostile}, Active: &releaseStateJSON{Release: hostile, Version: hostile, Message: hostile},
		Waiting: []string{hostile}, Rollback: &rollbackJSON{To: versionJSON{Version: hostile}, Why: hostile},
		Findings: []findingJSON{{Object: hostile, Field: hostile, Message: hostile}},
	}
	preflight := preflightJSON{Application: "shop", Checked: true, Blocked: state.Blocked, Findings: state.Findings}
	rel := hostileRelease()
	rel.CreationTimestamp = metav1.NewTime(noon)
	for what, print := range map[string]struct {
		print func(out *border) error
		lines int
	}{
		"status of many": {func(out *border) error { return printStates(out, []stateJSON{state}, false) }, 2},
		"status of one":  {func(out *border) error { return printState(out, state) }, 10},
		"releases":       {func(out *border) error { return printReleases(out, []v1alpha1.Release{*rel}, noon) }, 2},
		"one release":    {func(out *border) error { return printRelease(out, nil, rel, noon) }, 7},
		"preflight":      {func(out *border) error { return printPreflight(out, []preflightJSON{preflight}) }, 2},
		"lines":          {func(out *border) error { (&linePrinter{out: out}).show(rel, noon); return nil }, 6},
		"json": {func(out *border) error {
			return printJSON(out, []stateJSON{{Waiting: []string{strings.ReplaceAll(hostile, "ghp_", "")}}})
		}, 1},
		"anything else": {func(out *border) error { _, err := out.Write([]byte("turnout: " + hostile + "\n")); return err }, 6},
	} {
		var printed bytes.Buffer
		out := &border{out: &printed}
		check(t, print.print(out))
		out.flush()
		expectShown(t, what, printed.String(), print.lines)
	}
}

func TestJSONIsTheSameToAProgram(t *testing.T) {
	want := []string{hostile, "\U000e0041 \u200d é <&> \x7f"}
	line, err := jsonLine(want)
	check(t, err)
	var got []string
	check(t, json.Unmarshal([]byte(line), &got))
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestOutputsAreObeyedByNoLaterStep(t *testing.T) {
	file := filepath.Join(t.TempDir(), "output")
	check(t, os.WriteFile(file, []byte(outputs{"version": hostile, "url": "::error::x"}.file()), 0o600))
	for name, value := range readOutputs(t, file) {
		if value != "" {
			expectShown(t, name, value+"\n", 1)
		}
	}
}

func TestTheLogIsMasked(t *testing.T) {
	var out bytes.Buffer
	log, err := newLogger("info", &out)
	check(t, err)
	log.Info("it fails", "error", errors.New("Authorization: Bearer hunter2hunter2"), "url", "https://shop:hunter2hunter2@db/",
		slog.Group("of", "token", "ghp_0123456789abcdefghij0123456789abcdef"))
	if text := out.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "ghp_") || !json.Valid(out.Bytes()) {
		t.Errorf("logged: %s", text)
	}
}

// A kubeconfig may be given in every form in which people store one, and with every
// mistake; none of its content is printed.
func TestAKubeconfigIsNeverPrinted(t *testing.T) {
	const secret = "S3CR3Ts3cr3tS3CR3Ts3cr3t"
	config := map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "c",
		"clusters": []any{map[string]any{"name": "c", "cluster": map[string]any{"server": "https://127.0.0.1:1"}}},
		"contexts": []any{map[string]any{"name": "c", "context": map[string]any{"cluster": "c", "user": "u"}}},
		"users":    []any{map[string]any{"name": "u", "user": map[string]any{"token": secret}}},
	}
	write := func(user map[string]any) string {
		config["users"] = []any{map[string]any{"name": "u", "user": user}}
		text, err := json.Marshal(config)
		check(t, err)
		return string(text)
	}
	good := write(map[string]any{"token": secret})
	lines := strings.NewReplacer("{", "{\n", ",", ",\n").Replace(good)
	for what, text := range map[string]string{
		"one line of JSON": good,
		"many lines":       lines,
		"base64":           base64.StdEncoding.EncodeToString([]byte(good)),
		"base64, in lines": base64.StdEncoding.EncodeToString([]byte(good))[:40] + "\n" +
			base64.StdEncoding.EncodeToString([]byte(good))[40:],
		"cut JSON":               good[:len(good)-5],
		"cut base64":             base64.StdEncoding.EncodeToString([]byte(good))[:99],
		"not JSON":               "{" + secret + "}",
		"not YAML":               "users:\n- user:\n\ttoken: " + secret,
		"YAML with another type": "clusters: " + secret + "\nusers: " + secret,
		"the token alone":        secret,
		"the token as a file":    write(map[string]any{"tokenFile": secret}),
		"the key as a file":      write(map[string]any{"client-certificate": "x", "client-key": secret}),
		"the key without base64": write(map[string]any{"client-certificate-data": "eA==", "client-key-data": secret + "!"}),
		"the password":           write(map[string]any{"username": "u", "password": secret, "token": secret}),
		"a plugin with an argument": write(map[string]any{"exec": map[string]any{
			"apiVersion": secret, "command": "nothing-" + secret,
			"args": []string{secret},
		}}),
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			for how, env := range map[string]map[string]string{
				"action": {"INPUT_KUBECONFIG": text}, "flag": {"TURNOUT_KUBECONFIG": text},
			} {
				if what == "the token alone" && how == "flag" {
					continue // then it is a file name
				}
				env["INPUT_COMMAND"], env["INPUT_APP"] = "status", "shop"
				env["GITHUB_OUTPUT"], env["GITHUB_STEP_SUMMARY"] = filepath.Join(dir, "output"), filepath.Join(dir, "summary")
				args := map[string][]string{"action": {"action"}, "flag": {"status", "shop"}}[how]
				var out bytes.Buffer
				err := run(t.Context(), args, func(name string) string { return env[name] }, &out, &out)
				if err == nil {
					t.Fatalf("%s: a cluster answered", how)
				}
				printed := out.String() + err.Error()
				for _, file := range []string{env["GITHUB_OUTPUT"], env["GITHUB_STEP_SUMMARY"]} {
					if text, err := os.ReadFile(file); err == nil {
						printed += string(text)
					}
				}
				for _, part := range []string{secret, secret[:12], base64.StdEncoding.EncodeToString([]byte(secret))[4:20]} {
					if strings.Contains(printed, part) {
						t.Errorf("%s: printed %q", how, printed)
					}
				}
				if whole := what == "one line of JSON" || what == "many lines" ||
					strings.HasPrefix(what, "base64"); whole != strings.Contains(printed, "127.0.0.1:1") {
					t.Errorf("%s: the cluster got a request: %v: %q", how, !whole, printed)
				}
			}
		})
	}
}
