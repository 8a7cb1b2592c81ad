package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/rehearsal"
)

// dryRunJSON is how deploy --dry-run -o json shows a release that does not exist.
type dryRunJSON struct {
	Application string            `json:"application"`
	Namespace   string            `json:"namespace"`
	DryRun      bool              `json:"dryRun"`
	Decision    *command.Decision `json:"decision"`
	Preflight   preflightJSON     `json:"preflight"`
	// Build is unset if no release would be started.
	Build   *buildJSON   `json:"build,omitempty"`
	Color   string       `json:"color,omitempty"`
	Changes []changeJSON `json:"changes"`
	// Problem is what the release would meet; empty if nothing is known to stop it.
	Problem string `json:"problem,omitempty"`
}

// buildJSON is what Cloud Build would build.
type buildJSON struct {
	Repository string `json:"repository"`
	Commit     string `json:"commit"`
	Project    string `json:"project"`
	Location   string `json:"location"`
	// Config is the file of the repository, or Trigger the trigger that builds.
	Config         string `json:"config,omitempty"`
	Trigger        string `json:"trigger,omitempty"`
	ServiceAccount string `json:"serviceAccount,omitempty"`
	Image          string `json:"image,omitempty"`
}

// changeJSON is one object that would be written.
type changeJSON struct {
	Step    string `json:"step"`
	Object  string `json:"object"`
	Created bool   `json:"created"`
	Diff    string `json:"diff"`
}

// dryDeploy is a deploy that changes nothing.
type dryDeploy struct {
	app, commit string
	retry       bool
	output      outputFlag
}

// show shows what it would do.
func (d *dryDeploy) show(cmd *cobra.Command, flags *clusterFlags) error {
	if err := errors.Join(d.output.check(), checkCommit("commit", d.commit)); err != nil {
		return err
	}
	c, err := flags.connect()
	if err != nil {
		return err
	}
	req, err := c.request(cmd.Context(), d.app, v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: c.actor(cmd.Context())})
	if err != nil {
		return err
	}
	p := req.deploy(d.commit, d.retry)
	if p.Refused {
		return errors.New(terminal(req.app).Say(p.Fact).String())
	}
	shown := dryRunJSON{
		Application: req.app.Name, Namespace: req.app.Namespace, DryRun: true, Decision: &p.Decision, Preflight: preflightOf(req.app),
		Changes: []changeJSON{},
	}
	if p.Submit != nil {
		err = c.rehearse(cmd.Context(), req.app, p.Submit, &shown)
	}
	if d.output.json() {
		return errors.Join(printJSON(cmd.OutOrStdout(), []dryRunJSON{shown}), err)
	}
	return errors.Join(printDryRun(cmd.OutOrStdout(), req, p, shown), err)
}

// rehearse fills in what a release would do. The error is why it could not.
func (c *cluster) rehearse(ctx context.Context, bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, into *dryRunJSON) error {
	spec := bg.Spec.Build
	into.Build = &buildJSON{
		Repository: bg.Spec.Repository, Commit: rel.Spec.Deploy.Commit, Project: spec.Project, Location: spec.Location,
		Config: spec.Config, Trigger: spec.Trigger, ServiceAccount: spec.ServiceAccount, Image: spec.Image,
	}
	if spec.Trigger != "" {
		into.Build.Config = ""
	}
	report, err := rehearsal.Try(ctx, c.kube, rehearsal.Request{Application: bg, Release: rel.Name, Commit: rel.Spec.Deploy.Commit})
	into.Color = string(report.Target)
	if image, _, found := strings.Cut(report.Image, "@"); found {
		into.Build.Image = image
	}
	for _, change := range report.Changes {
		into.Changes = append(into.Changes, changeJSON{string(change.Step), change.Object, change.Created, change.Diff})
	}
	switch {
	case apierrors.IsForbidden(err):
		err = fmt.Errorf("a dry run needs the rights of the ClusterRole edit in namespace %s, since the API server checks each write: %w",
			bg.Namespace, err)
	case err != nil:
		err = fmt.Errorf("the release would fail at %w", err)
	case !into.Preflight.Checked:
		err = fmt.Errorf("not ready for a release: no turnout serve has looked at %s since it was changed", bg.Name)
	case into.Preflight.Blocked != nil:
		err = fmt.Errorf("not ready for a release: %s", bg.Name)
	}
	if err != nil {
		into.Problem = err.Error()
	}
	return err
}

// printDryRun shows it to a person.
func printDryRun(out io.Writer, req *request, p plan, shown dryRunJSON) error {
	var b strings.Builder
	fmt.Fprintf(&b, "This is a dry run: nothing is changed.\n\n")
	if err := printPreflight(&b, []preflightJSON{shown.Preflight}); err != nil {
		return err
	}
	if shown.Build == nil {
		text := cmp.Or(terminal(req.app).Say(p.Fact).String(), "The command would follow "+p.release+".")
		_, err := fmt.Fprintf(out, "%s\n%s\n", b.String(), text)
		return err
	}
	waits(&b, req)
	fmt.Fprintf(&b, "\nbuild: %s\n", shown.Build)
	step := ""
	for _, change := range shown.Changes {
		if change.Step != step {
			step = change.Step
			fmt.Fprintf(&b, "\n%s: %s\n", step, does(step, req.app, shown.Color))
		}
		b.WriteString(change.Diff)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// waits says what the release would wait for.
func waits(b *strings.Builder, req *request) {
	if l := req.app.Status.Lock; l != nil {
		fmt.Fprintf(b, "\nThe release would wait before its switch: it is %s.\n", lockedBy(l))
	}
	if active := req.app.Status.Active; active != nil {
		fmt.Fprintf(b, "\nThe release would wait until %s has ended.\n", active.Release)
	}
	if req.app.Spec.Promotion.Mode == v1alpha1.PromotionManual {
		b.WriteString("\nThe release would wait before its switch for somebody's approval: spec.promotion.mode is Manual.\n")
	}
}

// does says what a step does.
func does(step string, bg *v1alpha1.BlueGreen, color string) string {
	switch v1alpha1.Step(step) { //nolint:exhaustive // the other steps write none of these objects
	case v1alpha1.StepAttach:
		return "the load balancer learns of " + color + ", which no user reaches"
	case v1alpha1.StepStage:
		return "the new version starts on " + color
	}
	if bg.Spec.Canary != nil {
		return fmt.Sprintf("users come to %s, first in the %d steps of spec.canary", color, len(bg.Spec.Canary.Steps))
	}
	return "users come to " + color
}

// String says what is built, in a sentence.
func (b *buildJSON) String() string {
	commit := v1alpha1.Version{Commit: b.Commit}
	text := fmt.Sprintf("Cloud Build builds %s of %s in %s (%s)", commit.Short(), b.Repository, b.Project, cmp.Or(b.Location, "global"))
	if b.Trigger != "" {
		text += " by trigger " + b.Trigger
	} else {
		text += " from " + cmp.Or(b.Config, "cloudbuild.yaml")
	}
	if b.ServiceAccount != "" {
		text += ", as " + b.ServiceAccount
	}
	if b.Image != "" {
		text += ", and pushes " + b.Image
	}
	return text
}
