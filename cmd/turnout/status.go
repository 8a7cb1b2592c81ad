package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/report"
)

// reading is what the commands that only look have in common.
type reading struct {
	clusterFlags
	outputFlag
}

func statusCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "status [APP]",
		Short: "Show what is live, what is under way, and where a rollback leads",
		Long:  "Show what is live, what is under way, and where a rollback leads: of one application, or\nof all in the namespace.",
		Args:  arguments{most: 1}.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			return r.status(cmd, args)
		},
	}
	r.clusterFlags.bind(cmd.Flags())
	r.outputFlag.bind(cmd.Flags(), "an object a line, one for each application")
	return cmd
}

func (r *reading) status(cmd *cobra.Command, args []string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	var all v1alpha1.BlueGreenList
	if len(args) == 1 {
		bg, err := c.application(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		all.Items = append(all.Items, *bg)
	} else if err := c.kube.List(cmd.Context(), &all, client.InNamespace(c.namespace)); meta.IsNoMatchError(err) {
		return noTurnout(err)
	} else if err != nil {
		return fmt.Errorf("listing the applications of namespace %s: %w", c.namespace, err)
	}
	if len(all.Items) == 0 {
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "turnout: namespace %s has no application\n", c.namespace)
	}
	var states []stateJSON
	for i := range all.Items {
		if err := all.Items[i].Readable(); err != nil {
			return err
		}
		releases, err := c.record.Releases(cmd.Context(), types.NamespacedName{Namespace: c.namespace, Name: all.Items[i].Name})
		if err != nil {
			return err
		}
		states = append(states, stateOf(&all.Items[i], releases))
	}
	if r.json() {
		return printJSON(cmd.OutOrStdout(), states)
	}
	if len(args) == 1 {
		return printState(cmd.OutOrStdout(), states[0])
	}
	return printStates(cmd.OutOrStdout(), states)
}

func releasesCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "releases APP",
		Short: "List the releases of an application, newest first",
		Args:  ofApplication("turnout releases my-python-app", 0).check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			return r.releases(cmd, args[0])
		},
	}
	r.clusterFlags.bind(cmd.Flags())
	r.outputFlag.bind(cmd.Flags(), "an object a line, one for each release")
	return cmd
}

func (r *reading) releases(cmd *cobra.Command, app string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	bg, err := c.application(cmd.Context(), app)
	if err != nil {
		return err
	}
	all, err := c.record.Releases(cmd.Context(), client.ObjectKeyFromObject(bg))
	if err != nil {
		return err
	}
	if r.json() {
		var lines []releaseJSON
		for i := range all {
			lines = append(lines, asJSON(bg, &all[i]))
		}
		return printJSON(cmd.OutOrStdout(), lines)
	}
	return printReleases(cmd.OutOrStdout(), all, time.Now())
}

// printJSON writes an object a line.
func printJSON[T any](out io.Writer, all []T) error {
	for _, one := range all {
		line, err := jsonLine(one)
		if err != nil {
			return err
		}
		if _, err := io.WriteString(beyond(out), line); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return nil
}

func printReleases(out io.Writer, all []v1alpha1.Release, now time.Time) error {
	w := newTable(out, "RELEASE", "KIND", "VERSION", "PHASE", "TOOK", "AGE", "BY", "MESSAGE")
	for i := range all {
		rel := &all[i]
		took := "-"
		if end := rel.Status.FinishedAt; end != nil {
			took = span(end.Sub(rel.CreationTimestamp.Time))
		}
		w.row(rel.Name, string(rel.Spec.Kind), versionOf(rel), phaseOf(rel), took, ago(now.Sub(rel.CreationTimestamp.Time)), rel.AskedBy(),
			saidOf(rel))
	}
	return w.flush()
}

// saidOf is what a release waits for or how it ended, with what was seen from
// outside.
func saidOf(rel *v1alpha1.Release) string {
	said := cut(stands(rel), 100)
	seen := cut(oneLine(report.Seen(rel.Status.Proof)), 160)
	switch {
	case seen == "":
		return said
	case said == "":
		return seen
	}
	return said + "; " + seen
}
