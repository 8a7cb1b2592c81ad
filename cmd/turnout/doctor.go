package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/internal/doctor"
)

// doctorFlags are the flags of the command doctor.
type doctorFlags struct {
	reading
	app string
	// Of the GitHub App; in Turnout's own pod they are set. Else the Secret has them.
	gitHubURL, privateKeyFile string
	gitHubAppID               int64

	google              bool
	loadBalancerProject string
}

func doctorCommand() *cobra.Command {
	var d doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say what is missing or wrong around Turnout, and the command that mends it",
		Long: "Check the cluster and every application, and show what is missing or wrong: each finding with the\n" +
			"object, the field, the commands that mend it, and what those do to live users. It changes nothing.\n" +
			"Exit status 1 if there is an error, or if something could not be checked; a warning does not count.",
		Args: arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := d.check(); err != nil {
				return err
			}
			return d.run(cmd)
		},
	}
	d.clusterFlags.bind(cmd.Flags())
	d.outputFlag.bind(cmd.Flags(), "an object a line, one for each check")
	cmd.Flags().StringVar(&d.gitHubURL, "github-url", "", "address of GitHub; default: the one that turnout serve has")
	cmd.Flags().Int64Var(&d.gitHubAppID, "github-app-id", 0, "id of the GitHub App; default: the one in the Secret turnout-github")
	cmd.Flags().StringVar(&d.privateKeyFile, "github-private-key-file", "", "file with the App's private key; default: the one in that Secret")
	cmd.Flags().BoolVar(&d.google, "google", false,
		"ask Google with the credentials of this place; default: only in Turnout's pod, which has Turnout's own")
	cmd.Flags().StringVar(&d.loadBalancerProject, "load-balancer-project", "", "the flag of turnout serve; default: what it has")
	cmd.Flags().StringVar(&d.app, "app", "", "check only this application of the namespace")
	if err := cmd.RegisterFlagCompletionFunc("app", d.complete(false)); err != nil {
		panic(err) // it is registered twice
	}
	return cmd
}

func (d *doctorFlags) run(cmd *cobra.Command) error {
	c, err := d.connect()
	if err != nil {
		return err
	}
	scope := doctor.Scope{Application: d.app}
	if d.app != "" {
		if _, err := c.application(cmd.Context(), d.app); err != nil {
			return err
		}
		scope.Namespace = c.namespace
	}
	w := doctor.Observe(cmd.Context(), c.kube, scope)
	results := doctor.Run(cmd.Context(), slices.Concat(w.ClusterChecks(), d.gitHubChecks(w), d.googleChecks(w)))
	if d.json() {
		err = printJSON(cmd.OutOrStdout(), results)
	} else {
		err = printDoctor(cmd.OutOrStdout(), results)
	}
	return errors.Join(err, diagnosis(results))
}

// gitHubChecks are the checks of the GitHub App; none if there is no App, which a check of the
// cluster says.
func (d *doctorFlags) gitHubChecks(w *doctor.World) []doctor.Check {
	cfg := githubapp.Config{URL: d.gitHubURL, AppID: d.gitHubAppID}
	if cfg.URL == "" && w.Deployment != nil {
		cfg.URL = config.Setting(w.Deployment, "github-url")
	}
	var err error
	if cfg.AppID != 0 {
		cfg.PrivateKey, err = os.ReadFile(d.privateKeyFile)
	} else {
		var there bool
		if cfg.AppID, cfg.PrivateKey, there, err = w.Credentials(); !there && err == nil {
			return nil
		}
	}
	var client *githubapp.Client
	if err == nil {
		client, err = githubapp.New(cfg)
	}
	if err != nil {
		return []doctor.Check{doctor.Unasked(doctor.AreaGitHub, "app", err, w.Scope)}
	}
	return (&doctor.GitHub{Client: client, World: w, Now: time.Now()}).Checks()
}

// googleChecks are the checks of Turnout's Google identity, where this process has it.
func (d *doctorFlags) googleChecks(w *doctor.World) []doctor.Check {
	if !d.google && !w.AsTurnout() {
		return []doctor.Check{w.NotAsked()}
	}
	project := d.loadBalancerProject
	if project == "" && w.Deployment != nil {
		project = config.Setting(w.Deployment, "load-balancer-project")
	}
	google := &doctor.Google{World: w, Tokens: cloudbuild.NewAccounts(cloudbuild.Config{}).Tokens, LoadBalancerProject: project}
	return google.Checks()
}

// diagnosis is the error that names the checks in which somebody has to do something.
func diagnosis(results []doctor.Result) error {
	var bad []string
	for _, r := range results {
		if !r.Well {
			bad = append(bad, string(r.Area)+" "+r.Check)
		}
	}
	if len(bad) == 0 {
		return nil
	}
	return fmt.Errorf("not well: %s", strings.Join(bad, ", "))
}

// printDoctor shows each check on a line, and its findings below it.
func printDoctor(out io.Writer, results []doctor.Result) error {
	w := newTable(out)
	for _, r := range results {
		state := "ok"
		if !r.Well {
			state = "not well"
		}
		w.row(state, string(r.Area)+" "+r.Check)
		for _, f := range r.Findings {
			about := f.Object
			if f.Field != "" {
				about += ", " + f.Field
			}
			w.row(strings.ToLower(string(f.Severity)), about+": "+f.Message)
			w.commands(f.Commands)
			if f.Page != "" {
				w.row("", f.Page)
			}
			if f.Users != "" {
				w.row("", "users: "+f.Users.Text())
			}
		}
	}
	return w.flush()
}
