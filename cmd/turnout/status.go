package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// reading is what the commands that only read share.
type reading struct {
	clusterFlags
	outputFlag
}

// statusFlags are the flags of the command status.
type statusFlags struct {
	reading
	all, watch bool
}

func statusCommand() *cobra.Command {
	var r statusFlags
	cmd := &cobra.Command{
		Use:   "status [APP]",
		Short: "Show what is live, what is under way, and where a rollback leads",
		Long: "Show what is live, what is under way, and where a rollback leads: of one application, of all in the\n" +
			"namespace, or with --all-namespaces of all in the cluster. With --watch it shows every change until Ctrl-C.",
		Args: arguments{most: 1}.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			if r.all && len(args) > 0 {
				return fmt.Errorf("--all-namespaces shows every application: leave out %q, or the flag", args[0])
			}
			return r.status(cmd, args)
		},
		ValidArgsFunction: r.complete(false),
	}
	r.clusterFlags.bind(cmd.Flags())
	r.outputFlag.bind(cmd.Flags(), "an object a line, one for each application")
	cmd.Flags().BoolVarP(&r.all, "all-namespaces", "A", false, "of all namespaces")
	cmd.Flags().BoolVarP(&r.watch, "watch", "w", false, "go on, and show each application again when it changes")
	return cmd
}

func (r *statusFlags) status(cmd *cobra.Command, args []string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	states := func() ([]stateJSON, error) { return c.states(cmd.Context(), args, r.where(c)) }
	if r.watch {
		return r.watchStates(cmd, c, states)
	}
	all, err := states()
	switch {
	case len(all) == 0 && err != nil:
		return err
	case len(all) == 0:
		_, _ = fmt.Fprintf(cmd.ErrOrStderr(), "turnout: %s has no application\n", scope(r.where(c)))
	}
	return errors.Join(r.print(cmd.OutOrStdout(), all, len(args) == 1), err)
}

// print shows applications: one in full, or all as a table.
func (r *statusFlags) print(out io.Writer, all []stateJSON, whole bool) error {
	switch {
	case r.json():
		return printJSON(out, all)
	case whole:
		return printState(out, all[0])
	}
	return printStates(out, all, r.all)
}

// where is the namespace to read; empty for all.
func (r *statusFlags) where(c *cluster) string {
	if r.all {
		return ""
	}
	return c.namespace
}

func scope(namespace string) string {
	if namespace == "" {
		return "this cluster"
	}
	return "namespace " + namespace
}

// applications reads the named application, or all of a namespace. It leaves out those that
// a newer version wrote and returns an error about them, with the others.
func (c *cluster) applications(ctx context.Context, named []string, namespace string) ([]v1alpha1.BlueGreen, error) {
	if len(named) == 1 {
		bg, err := c.application(ctx, named[0])
		if err != nil {
			return nil, err
		}
		return []v1alpha1.BlueGreen{*bg}, nil
	}
	var list v1alpha1.BlueGreenList
	err := c.kube.List(ctx, &list, client.InNamespace(namespace))
	if meta.IsNoMatchError(err) {
		return nil, noTurnout(err)
	}
	if err != nil {
		return nil, fmt.Errorf("listing the applications of %s: %w", scope(namespace), err)
	}
	var readable []v1alpha1.BlueGreen
	var errs []error
	for i := range list.Items {
		if err := list.Items[i].Readable(); err != nil {
			errs = append(errs, err)
			continue
		}
		readable = append(readable, list.Items[i])
	}
	return readable, errors.Join(errs...)
}

// states reads the state of the named application, or of all in a namespace, and returns an
// error about those that cannot be read.
func (c *cluster) states(ctx context.Context, named []string, namespace string) ([]stateJSON, error) {
	apps, err := c.applications(ctx, named, namespace)
	errs := []error{err}
	var states []stateJSON
	for i := range apps {
		releases, err := c.record.Releases(ctx, client.ObjectKeyFromObject(&apps[i]))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		states = append(states, stateOf(&apps[i], releases))
	}
	return states, errors.Join(errs...)
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
		ValidArgsFunction: r.complete(false),
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
	bg, all, err := c.releasesOf(cmd.Context(), app)
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

// printJSON writes one object per line.
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
			took = prose.Span(end.Sub(rel.CreationTimestamp.Time))
		}
		w.row(rel.Name, string(rel.Spec.Kind), versionOf(rel), phaseOf(rel), took, ago(now.Sub(rel.CreationTimestamp.Time)), rel.AskedBy(),
			saidOf(rel))
	}
	return w.flush()
}

// saidOf is what a release waits for or how it ended, with the result of the proof.
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
