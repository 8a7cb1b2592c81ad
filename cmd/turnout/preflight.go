package main

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func preflightCommand() *cobra.Command {
	var r reading
	cmd := &cobra.Command{
		Use:   "preflight [APP]",
		Short: "Show what keeps a release from running, and what would make a switch lose requests",
		Long: "Show what Turnout finds about an application's objects, each finding with the commands that fix it:\n" +
			"of one application, or of all in the namespace. turnout serve checks them again whenever they change.\n" +
			"Exit status 1 if an error blocks releases; a warning does not.",
		Args: arguments{most: 1}.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := r.check(); err != nil {
				return err
			}
			return r.preflight(cmd, args)
		},
		ValidArgsFunction: r.complete(false),
	}
	r.clusterFlags.bind(cmd.Flags())
	r.outputFlag.bind(cmd.Flags(), "an object a line, one for each application")
	return cmd
}

// preflightJSON is how preflight -o json shows an application.
type preflightJSON struct {
	Application string `json:"application"`
	Namespace   string `json:"namespace"`
	// Checked: a turnout serve has checked the present objects.
	Checked  bool          `json:"checked"`
	Blocked  *blockedJSON  `json:"blocked,omitempty"`
	Findings []findingJSON `json:"findings"`
}

func (r *reading) preflight(cmd *cobra.Command, args []string) error {
	c, err := r.connect()
	if err != nil {
		return err
	}
	apps, unread := c.applications(cmd.Context(), args, c.namespace)
	if len(apps) == 0 && unread != nil {
		return unread
	}
	if len(apps) == 0 {
		return fmt.Errorf("namespace %s has no application: --namespace names another namespace, --context another cluster", c.namespace)
	}
	var all []preflightJSON
	var bad []string
	for i := range apps {
		p := preflightOf(&apps[i])
		if !p.Checked || p.Blocked != nil {
			bad = append(bad, p.Application)
		}
		all = append(all, p)
	}
	if r.json() {
		err = printJSON(cmd.OutOrStdout(), all)
	} else {
		err = printPreflight(cmd.OutOrStdout(), all)
	}
	if err == nil && len(bad) > 0 {
		err = fmt.Errorf("not ready for a release: %s", strings.Join(bad, ", "))
	}
	return errors.Join(err, unread)
}

func preflightOf(bg *v1alpha1.BlueGreen) preflightJSON {
	p := preflightJSON{Application: bg.Name, Namespace: bg.Namespace, Findings: findingsOf(bg)}
	if p.Findings == nil {
		p.Findings = []findingJSON{}
	}
	if ready := readiness(bg); ready != nil {
		p.Checked = ready.ObservedGeneration == bg.Generation
	}
	if c := blocked(bg); c != nil {
		p.Blocked = &blockedJSON{c.Reason, c.Message, bg.Status.CommandsOf(c.Type)}
	}
	return p
}

// printPreflight shows the findings of each application below its name.
func printPreflight(out io.Writer, all []preflightJSON) error {
	w := newTable(out)
	for _, p := range all {
		switch {
		case !p.Checked:
			w.row(p.Application, "not checked yet: no turnout serve has looked at it since it was changed")
		case p.Blocked != nil:
			w.row(p.Application, fmt.Sprintf("blocked, %s: %s", p.Blocked.Reason, p.Blocked.Message))
			w.commands(p.Blocked.Commands)
		case len(p.Findings) == 0:
			w.row(p.Application, "ready: nothing found")
		default:
			w.row(p.Application, "ready")
		}
		w.findings(p.Findings)
	}
	return w.flush()
}

// findings shows findings, each with its commands.
func (t table) findings(all []findingJSON) {
	for _, f := range all {
		about := f.Object
		if f.Field != "" {
			about += ", " + f.Field
		}
		t.row(strings.ToLower(f.Severity), about+": "+f.Message)
		t.commands(f.Commands)
	}
}
