package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/turnout-dev/turnout/internal/scaffold"
)

// initialisation is what init does.
type initialisation struct {
	clusterFlags
	scaffold.Options
	offline, force bool
}

func initCommand() *cobra.Command {
	var i initialisation
	cmd := &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Write what an application lacks, as files to review",
		Long: "Look at a repository's folder and at a namespace, and write what an application lacks until Turnout can release it:\n" +
			"a BlueGreen, the second Deployment and Service, a BackendConfig, changes of the Service and the Ingress, the\n" +
			"namespace's grant, and cloudbuild.yaml and a Dockerfile where there is none. It applies nothing. At the end it prints\n" +
			"the steps to take, in an order that users do not notice.",
		Args: arguments{most: 1}.check,
		RunE: func(cmd *cobra.Command, args []string) error {
			folder := "."
			if len(args) > 0 {
				folder = args[0]
			}
			return i.run(cmd.Context(), folder, cmd.OutOrStdout())
		},
	}
	f := cmd.Flags()
	i.bind(f)
	f.BoolVar(&i.offline, "offline", false, "ask no cluster: the application does not run yet")
	f.BoolVar(&i.New, "new", false, "the application does not run yet, although the namespace has others")
	f.BoolVar(&i.force, "force", false, "replace files that say something else")
	f.StringVar(&i.Out, "out", "k8s", "folder for the manifests, below FOLDER")
	f.StringVar(&i.Name, "name", "", "name of the application; default: the Deployment's, or else the repository's")
	f.StringVar(&i.Repository, "repository", "", "repository as owner/name; default: the remote's")
	f.StringVar(&i.Branch, "branch", "", "branch whose pushes are releases; default: the remote's")
	f.StringVar(&i.Project, "project", "", "Google Cloud project that builds; default: the running image's, or the kubeconfig's")
	f.StringVar(&i.Image, "image", "", "the application's image, without a tag, if the build makes several")
	f.StringVar(&i.URL, "url", "", "where users reach the application; default: the Ingress's host or address")
	f.StringVar(&i.Deployment, "deployment", "", "Deployment that runs it, if several may be meant")
	f.StringVar(&i.Service, "service", "", "Service that has the users, if several may be meant")
	f.StringVar(&i.Ingress, "ingress", "", "Ingress that routes the users, if several may be meant")
	f.StringVar(&i.Route, "route", "", "HTTPRoute that routes the users, if several may be meant")
	f.StringVar(&i.Container, "container", "", "container that gets the image, if there are several")
	f.StringVar(&i.App, "app", "", "what a server of Python loads, as MODULE:NAME, if there are several")
	return cmd
}

func (i *initialisation) run(ctx context.Context, folder string, out io.Writer) error {
	if i.Out = filepath.ToSlash(filepath.Clean(i.Out)); !filepath.IsLocal(i.Out) || i.Out == "." {
		return fmt.Errorf("--out %q: name a folder below the repository's, such as k8s", i.Out)
	}
	source, err := scaffold.Look(folder)
	if err != nil {
		return err
	}
	namespace, unseen, err := i.look(ctx)
	if err != nil {
		return err
	}
	plan, err := scaffold.Make(source, namespace, i.Options)
	if err != nil {
		return err
	}
	plan.LookAt = append(unseen, plan.LookAt...)
	states, err := scaffold.Write(folder, plan.Files, i.force)
	if err != nil {
		return err
	}
	return printPlan(out, plan, states)
}

// look reads the namespace. Without a cluster that answers it says what could not be seen.
func (i *initialisation) look(ctx context.Context) (_ *scaffold.Namespace, unseen []string, err error) {
	i.Namespace = i.namespace
	if i.offline {
		return nil, []string{notSeen("--offline")}, nil
	}
	config, err := i.clientConfig()
	if err != nil {
		return nil, nil, err
	}
	raw, err := config.RawConfig()
	if err != nil {
		return nil, nil, fmt.Errorf("--kubeconfig (%s): %w", variable("kubeconfig"), withoutSecrets(err, i.inline))
	}
	if len(raw.Contexts) == 0 {
		return nil, []string{notSeen("no kubeconfig names one")}, nil
	}
	i.Cluster = cmp.Or(i.context, raw.CurrentContext)
	c, err := i.connect()
	if err != nil {
		return nil, nil, err
	}
	i.Namespace = c.namespace
	namespace, err := scaffold.Read(ctx, c.kube, c.namespace)
	if err != nil {
		return nil, nil, fmt.Errorf("%w. With --offline no cluster is asked, and the files are for an application that does not run yet", err)
	}
	for _, what := range namespace.Unseen {
		unseen = append(unseen, "Could not be seen: "+what)
	}
	return namespace, unseen, nil
}

func notSeen(why string) string {
	return "No cluster was asked (" + why + "), so these files are for an application that does not run yet. If it does, run turnout init " +
		"with a kubeconfig: applied beside what runs, these files would make a second one."
}

// printPlan shows what was found, written and left to do.
func printPlan(out io.Writer, plan *scaffold.Plan, states []scaffold.State) error {
	var text strings.Builder
	list := func(title string, lines []string) {
		if len(lines) == 0 {
			return
		}
		text.WriteString(title + "\n")
		for _, line := range lines {
			text.WriteString("  " + line + "\n")
		}
		text.WriteString("\n")
	}
	written := make([]string, len(states))
	for i, f := range plan.Files {
		written[i] = fmt.Sprintf("%-10s %s", states[i], f.Path)
	}
	list("Found", plan.Found)
	list("Files", written)
	list("Look at", plan.LookAt)
	text.WriteString("Next, after you have reviewed the files, in this order\n")
	for n, step := range plan.Steps {
		fmt.Fprintf(&text, "  %d. %s\n", n+1, step.Do)
		for _, c := range step.Commands {
			text.WriteString("       " + string(c) + "\n")
		}
		text.WriteString("     " + step.Why + "\n")
	}
	return say(out, strings.TrimSuffix(text.String(), "\n"))
}
