package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// actionInputs are the inputs of action.yml, actionOutputs its outputs; a test compares
// them.
var (
	actionInputs  = []string{"command", "app", "namespace", "commit", "kubeconfig", "retry", "reason", "timeout", "wait"}
	actionOutputs = []string{"release", "result", "version", "image-digest", "color", "url", "code", "args"}
)

// actionCommand is the program as a step of a GitHub workflow. Its arguments are the
// variables that the runner makes from the inputs.
func actionCommand(getenv func(string) string) *cobra.Command {
	return &cobra.Command{
		Use:   "action",
		Short: "Run as a step of a GitHub workflow (action.yml)",
		Long: "Run as a step of a GitHub workflow: inputs are the variables INPUT_*, outputs go to the\nfile that GITHUB_OUTPUT names. " +
			"docs/action.md lists both.",
		Args: arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			a := &action{getenv: getenv, log: &workflowLog{out: beyond(cmd.OutOrStdout())}}
			return a.run(cmd.Context())
		},
	}
}

// action is one run of the step.
type action struct {
	getenv func(string) string
	log    *workflowLog
	byHand
	command, app, commit, reason string
	retry                        bool
}

// run does what the inputs ask for, and reports to the runner: annotations, outputs, the
// summary. Its error has only an exit status and no text: a log line could be a command for
// the runner.
func (a *action) run(ctx context.Context) error {
	result := outputs{}
	err := a.load()
	if err == nil {
		result, err = a.perform(ctx)
	}
	err = errors.Join(err, a.write("GITHUB_OUTPUT", result.file()))
	a.log.endGroup()
	if err == nil {
		return nil
	}
	if a.log.failed == 0 {
		a.log.annotate("error", err.Error())
	}
	return &ended{code: exitCode(err)}
}

// actionDefaults are the defaults of action.yml that have a meaning; a test compares them.
// The runner applies them only if a workflow names the action by its repository, and not to
// an input given as an empty text.
var actionDefaults = map[string]string{"command": "deploy", "retry": "false", "timeout": "60m", "wait": "true"}

// input is the value of an input, or its default.
func (a *action) input(name string) string {
	if text := strings.TrimSpace(a.getenv("INPUT_" + strings.ToUpper(name))); text != "" {
		return text
	}
	return actionDefaults[name]
}

// load reads and checks the inputs.
func (a *action) load() error {
	var errs []error
	boolean := func(name string) bool {
		text := a.input(name)
		value, err := strconv.ParseBool(text)
		if err != nil {
			errs = append(errs, fmt.Errorf("input %s: %q is neither true nor false", name, text))
		}
		return value
	}
	a.command, a.app, a.commit, a.reason = a.input("command"), a.input("app"), a.input("commit"), a.input("reason")
	a.namespace, a.retry, a.wait = a.input("namespace"), boolean("retry"), boolean("wait")
	if a.app == "" {
		errs = append(errs, errors.New("input app: the application's name (of its BlueGreen) is missing"))
	}
	var err error
	if a.timeout, err = time.ParseDuration(a.input("timeout")); err != nil {
		errs = append(errs, fmt.Errorf("input timeout: %q is not a duration such as 45m", a.input("timeout")))
	}
	if text := a.input("kubeconfig"); text != "" {
		if a.kubeconfig, a.inline, err = readKubeconfig(text); err != nil {
			errs = append(errs, fmt.Errorf("input kubeconfig: %w", err))
		}
	}
	a.by = a.startedBy()
	return errors.Join(append(errs, a.loadCommand())...)
}

// loadCommand checks the command and the commit that it uses.
func (a *action) loadCommand() error {
	switch a.command {
	case "deploy":
		if a.commit == "" {
			a.commit = a.getenv("GITHUB_SHA")
		}
		if !v1alpha1.IsCommit(a.commit) {
			return fmt.Errorf("input commit: %q is not a commit's full hash, %s", a.commit, v1alpha1.CommitDigits)
		}
	case "promote":
		if a.commit != "" && !v1alpha1.IsCommit(a.commit) {
			return fmt.Errorf("input commit: %q is not a commit's full hash, %s", a.commit, v1alpha1.CommitDigits)
		}
	case "rollback":
		if a.commit != "" && !v1alpha1.IsCommitStart(a.commit) {
			return fmt.Errorf("input commit: %q is not a commit's hash, nor at least 7 hexadecimal digits of one", a.commit)
		}
	case "cancel", "status":
	default:
		return fmt.Errorf("input command: %q is none of deploy, promote, rollback, cancel and status", a.command)
	}
	return nil
}

// startedBy says who started this run of the workflow, and on which page: the workflow's
// own claim.
func (a *action) startedBy() string {
	return strings.TrimSpace(strings.Join([]string{a.getenv("GITHUB_ACTOR"), a.runURL()}, " "))
}

// runURL is the page of this run of the workflow; empty outside of one.
func (a *action) runURL() string {
	if a.getenv("GITHUB_RUN_ID") == "" {
		return ""
	}
	return fmt.Sprintf("%s/%s/actions/runs/%s", a.getenv("GITHUB_SERVER_URL"), a.getenv("GITHUB_REPOSITORY"), a.getenv("GITHUB_RUN_ID"))
}

func (a *action) perform(ctx context.Context) (outputs, error) {
	if a.command == "status" {
		return a.status(ctx)
	}
	decide := map[string]func(*request) plan{
		"deploy":   func(r *request) plan { return r.deploy(a.commit, a.retry) },
		"promote":  func(r *request) plan { return r.promote("", a.commit, 0) },
		"rollback": func(r *request) plan { return r.rollback(a.commit) },
		"cancel":   func(r *request) plan { return r.cancel("", a.reason) },
	}[a.command]
	p, err := a.byHand.perform(ctx, a.app, decide, voice{
		printer: func(*v1alpha1.BlueGreen, *command.Decision) printer { return a.log },
		note:    func(text string) { a.log.annotate("notice", text) },
		warn:    func(text string) { a.log.annotate("warning", text) },
	})
	switch {
	case p.app == nil:
		return outputs{}, err
	case p.release == nil && err != nil:
		return outputsOfLive(p.app, "Refused").decided(p.decision), err
	case p.release == nil: // there is nothing to do
		return outputsOfLive(p.app, string(v1alpha1.ReleaseSucceeded)).decided(p.decision), nil
	}
	if p.release.Status.Failure != nil && err != nil {
		a.log.failure(p.release)
	}
	if p.release.Status.Phase == v1alpha1.ReleaseWaiting && exitCode(err) == exitPending {
		a.log.annotate("notice", err.Error())
		err = nil // this step can do no more
	}
	shown := report.Of(p.app, p.release, report.Around{Web: a.getenv("GITHUB_SERVER_URL")})
	summary := shown.Body() + "\n"
	return outputsOf(p.app, p.release).decided(p.decision), errors.Join(err, a.write("GITHUB_STEP_SUMMARY", summary))
}

func (a *action) status(ctx context.Context) (outputs, error) {
	c, err := a.connect()
	if err != nil {
		return outputs{}, err
	}
	req, err := c.request(ctx, a.app, v1alpha1.Cause{})
	if err != nil {
		return outputs{}, err
	}
	var text strings.Builder
	if err := printState(&text, stateOf(req.app, req.releases)); err != nil {
		return outputs{}, err
	}
	_, _ = io.WriteString(a.log.out, shown(text.String()))
	summary := "### " + req.app.Name + "\n\n    " + strings.ReplaceAll(strings.TrimSpace(text.String()), "\n", "\n    ") + "\n"
	return outputsOfLive(req.app, req.app.Status.Phase), a.write("GITHUB_STEP_SUMMARY", summary)
}

// write appends to one of the files that a step uses to report to its runner.
func (a *action) write(name, text string) (err error) {
	file := a.getenv(name)
	if file == "" {
		return fmt.Errorf("%s is not set: this command is for a step of a GitHub workflow", name)
	}
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if _, err := f.WriteString(prose.Neutral(text)); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// outputs of the step, by name.
type outputs map[string]string

func outputsOf(app *v1alpha1.BlueGreen, rel *v1alpha1.Release) outputs {
	_, image, color := artifact(rel)
	return outputs{
		"release": rel.Name, "result": phaseWord(rel), "version": versionOf(rel),
		"image-digest": digest(image), "color": color, "url": app.Spec.URL,
	}
}

// outputsOfLive describe what is live, for a command about no release.
func outputsOfLive(app *v1alpha1.BlueGreen, result string) outputs {
	o := outputs{"result": result, "url": app.Spec.URL}
	if live := app.Status.Live; live != nil {
		o["release"], o["version"], o["color"] = live.Release, live.Short(), string(live.Color)
		o["image-digest"] = digest(live.Image)
	}
	return o
}

// decided adds the decision, if there is one.
func (o outputs) decided(d *command.Decision) outputs {
	if d == nil {
		return o
	}
	if args, err := json.Marshal(d.Args); err == nil { // its types cannot fail
		o["args"] = string(args)
	}
	o["code"] = string(d.Code)
	return o
}

// phaseWord is a release's phase; Queued if nobody has taken it yet.
func phaseWord(rel *v1alpha1.Release) string {
	if rel.Status.Phase == "" {
		return string(v1alpha1.ReleaseQueued)
	}
	return string(rel.Status.Phase)
}

// digest is the digest of an image named by one; else empty.
func digest(image string) string {
	_, digest, _ := strings.Cut(image, "@")
	return digest
}

// file formats the outputs for the runner (GitHub docs, "Workflow commands": multiline
// strings). Random delimiters keep a value from setting another output. A value is one line
// that the runner does not execute either when a later step prints it.
func (o outputs) file() string {
	var b strings.Builder
	for _, name := range slices.Sorted(slices.Values(actionOutputs)) {
		delimiter := "turnout_" + rand.Text()
		fmt.Fprintf(&b, "%s<<%s\n%s\n%s\n", name, delimiter, shown(oneLine(o[name])), delimiter)
	}
	return b.String()
}
