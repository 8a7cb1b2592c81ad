package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

func describeCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "describe APP [RELEASE]",
		Short: "Show one release: who asked for it, every step, why it failed, and its proof",
		Long: "Show one release of an application: who asked for it, every step with its time, what was found,\n" +
			"why it failed, and what was seen at the public address. Without RELEASE it shows the newest one.",
		Args: ofApplication("turnout describe my-python-app", 1).check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			return r.describe(cmd, args[0], optionalRelease(args))
		},
		ValidArgsFunction: r.complete(true),
	}
	r.clusterFlags.bind(cmd.Flags())
	r.outputFlag.bind(cmd.Flags(), "the release as one object on a line")
	return cmd
}

func (r *reading) describe(cmd *cobra.Command, app, name string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	bg, all, err := c.releasesOf(cmd.Context(), app)
	if err != nil {
		return err
	}
	rel, err := pick(bg, all, name)
	if err != nil {
		return err
	}
	if r.json() {
		return printJSON(cmd.OutOrStdout(), []releaseJSON{asJSON(bg, rel)})
	}
	return printRelease(cmd.OutOrStdout(), bg, rel, time.Now())
}

// pick finds the named release, or the newest if no name is given.
func pick(bg *v1alpha1.BlueGreen, all []v1alpha1.Release, name string) (*v1alpha1.Release, error) {
	for i := range all {
		if name == "" || all[i].Name == name {
			return &all[i], nil
		}
	}
	if name == "" {
		return nil, fmt.Errorf("%s has no release yet: merge a pull request, or type %s", bg.Name,
			v1alpha1.Shell("turnout", "deploy", bg.Name, "--namespace", bg.Namespace, "--commit", "SHA"))
	}
	return nil, fmt.Errorf("%s has no release %s; this lists those it has: %s", bg.Name, name,
		v1alpha1.Shell("turnout", "releases", bg.Name, "--namespace", bg.Namespace))
}

// besidesUsers are the lines about what a release does beside the served pods: the schema, and the
// images of workers, singletons and CronJobs.
func besidesUsers(rel *v1alpha1.Release) []string {
	var lines []string
	if m := rel.Status.Migration; m != nil {
		line := "migration: job " + m.Job
		switch {
		case m.Outcome != "":
			line += ", " + strings.ToLower(string(m.Outcome))
		case m.StartedAt != nil:
			line += ", runs"
		default:
			line += ", has not started"
		}
		if m.StartedAt != nil && m.EndedAt != nil {
			line += " after " + prose.Span(m.EndedAt.Sub(m.StartedAt.Time))
		}
		if m.ExitCode != nil {
			line += fmt.Sprintf(", exit code %d", *m.ExitCode)
		}
		if m.Message != "" {
			line += ": " + m.Message
		}
		lines = append(lines, oneLine(line))
	}
	if built := rel.Status.Milestones.Built; built != nil {
		for _, image := range built.Images {
			lines = append(lines, oneLine("also built: "+image))
		}
	}
	for _, b := range rel.Status.Milestones.Beside {
		lines = append(lines, oneLine(fmt.Sprintf("to go back to: %s %s with %s", strings.ToLower(string(b.Kind)), b.Name, b.Image)))
	}
	return lines
}

// printRelease shows a whole release: who asked, what happened, what is still to come, and what was measured.
func printRelease(out io.Writer, bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, now time.Time) error {
	var lines []string
	for _, c := range changes(nil, rel) {
		lines = append(lines, c.text)
	}
	about := []string{fmt.Sprintf("  asked for by %s, %s ago", oneLine(rel.AskedBy()), ago(now.Sub(rel.CreationTimestamp.Time)))}
	if said := rel.Spec.Cause.Claims; said != "" {
		about = append(about, "  who says it is for "+oneLine(said))
	}
	if by := rel.ApprovedBy(); by != "" {
		about = append(about, "  approved by "+oneLine(by))
	}
	lines = append(lines[:1], append(about, lines[1:]...)...)
	if !rel.Status.Phase.Finished() {
		lines = append(lines, fmt.Sprintf("%s: %s", rel.Name, phaseOf(rel)))
	}
	lines = append(lines, besidesUsers(rel)...)
	if owed := owedBy(bg, rel); owed != nil {
		lines = append(lines, oneLine("workers: "+owedLine(owed)))
	}
	if seen := report.Seen(rel.Status.Proof); seen != "" {
		lines = append(lines, "seen from outside: "+oneLine(seen))
	}
	if _, err := fmt.Fprintln(out, strings.Join(lines, "\n")); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}
