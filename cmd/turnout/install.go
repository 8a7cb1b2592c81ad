package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	appsv1 "k8s.io/api/apps/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/config"
)

// fieldOwner is the field manager of installed objects.
const fieldOwner = client.FieldOwner("turnout-install")

// Values of --only, for a namespaced install.
const (
	onlyClusterWide = "cluster-wide"
	onlyNamespaced  = "namespaced"
)

// installation is one run of install.
type installation struct {
	clusterFlags
	config.Options
	webhook                webhookWay
	only                   string
	dryRun, upgrade, force bool
	timeout                time.Duration
	out                    io.Writer
}

func installCommand() *cobra.Command {
	var i installation
	cmd := &cobra.Command{
		Use:   "install --image NAME@sha256:DIGEST",
		Short: "Install Turnout in a cluster, or upgrade it",
		Long: "Install Turnout in the namespace turnout: CRDs, admission policies, rights and the Deployment, as config/ of\n" +
			"the repository describes them. It moves no users. With --upgrade it shows what it changes in an install.\n" +
			"With --webhook-host it also makes an Ingress, or a Gateway, with a certificate for GitHub's webhooks, on GKE.\n" +
			"With --namespaces Turnout gets rights in those namespaces and its own only; what is cluster-wide an\n" +
			"administrator applies once, by --only cluster-wide.",
		Args: arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			i.out = cmd.OutOrStdout()
			return i.run(cmd.Context())
		},
	}
	f := cmd.Flags()
	i.bindCluster(f)
	f.StringVar(&i.Image, "image", "", "Turnout's image, by its digest (required)")
	f.StringSliceVar(&i.Namespaces, "namespaces", nil,
		"serve these namespaces only; default: the whole cluster, or with --upgrade those it serves")
	f.StringVar(&i.only, "only", "",
		"with --namespaces: apply only the part that is "+onlyClusterWide+", or only that which is "+onlyNamespaced)
	i.webhook.bind(f)
	f.BoolVar(&i.dryRun, "dry-run", false, "print the objects as YAML, without a cluster")
	f.BoolVar(&i.upgrade, "upgrade", false, "change an install that is there, and show every field that changes")
	f.BoolVar(&i.force, "force-conflicts", false, "take over fields that somebody else set, such as kubectl")
	f.DurationVar(&i.timeout, "timeout", 5*time.Minute, "how long to wait until what was applied is in effect")
	return cmd
}

func (i *installation) run(ctx context.Context) error {
	if i.only != "" && (len(i.Namespaces) == 0 && !i.upgrade || i.only != onlyClusterWide && i.only != onlyNamespaced) {
		return fmt.Errorf("--only %q: with --namespaces it is %s or %s; without, there is one part", i.only, onlyClusterWide, onlyNamespaced)
	}
	if err := i.webhook.check(i.only); err != nil {
		return err
	}
	if i.dryRun {
		objects, err := i.objects()
		if err != nil {
			return err
		}
		return printObjects(i.out, objects)
	}
	c, err := i.connect()
	if err != nil {
		return err
	}
	left, err := i.meet(ctx, c)
	if err == nil {
		err = i.webhook.known(c)
	}
	if err != nil {
		return err
	}
	objects, err := i.objects()
	if err != nil {
		return err
	}
	for _, object := range objects {
		if err := i.apply(ctx, c, object); err != nil {
			return err
		}
	}
	for _, namespace := range left {
		if err := c.leave(ctx, namespace, i.out); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, i.timeout)
	defer cancel()
	return i.settle(ctx, c, objects)
}

// objects are the objects to apply.
func (i *installation) objects() ([]*unstructured.Unstructured, error) {
	wide, own, err := config.Parts(i.Options)
	if err != nil {
		return nil, fmt.Errorf("--image: %w", err)
	}
	webhook, err := i.webhook.objects()
	switch {
	case err != nil:
		return nil, err
	case i.only == onlyClusterWide:
		return wide, nil
	case i.only == onlyNamespaced:
		return append(own, webhook...), nil
	}
	return slices.Concat(wide, own, webhook), nil
}

// meet looks for an existing install. Without --upgrade that is an error. With it, Turnout
// keeps its namespaces unless others are given; left are those that it no longer serves.
func (i *installation) meet(ctx context.Context, c *cluster) (left []string, err error) {
	d, err := c.installed(ctx)
	switch {
	case err != nil:
		return nil, err
	case d == nil:
		return nil, nil
	case !i.upgrade:
		return nil, fmt.Errorf("deployment %s/%s is installed already, and runs %s: --upgrade shows and applies what changes",
			d.Namespace, d.Name, config.ImageOf(d))
	}
	served := config.ServedBy(d)
	switch {
	case len(i.Namespaces) == 0: // keep it: never more rights than somebody asked for
		i.Namespaces = served
	case len(served) == 0:
		return nil, errors.New("--namespaces: this install serves the whole cluster, and its cluster-wide rights would stay: " +
			"uninstall it first, which keeps the record and moves no users")
	}
	return slices.DeleteFunc(slices.Clone(served), func(ns string) bool { return slices.Contains(i.Namespaces, ns) }), nil
}

// installed is Turnout's Deployment; nil if there is none.
func (c *cluster) installed(ctx context.Context) (*appsv1.Deployment, error) {
	d := &appsv1.Deployment{}
	err := c.kube.Get(ctx, client.ObjectKey{Namespace: config.Namespace, Name: config.Name}, d)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("looking for deployment %s/turnout: %w", config.Namespace, err)
	}
	return d, nil
}

// apply applies an object, and prints the result.
func (i *installation) apply(ctx context.Context, c *cluster, object *unstructured.Unstructured) error {
	before := object.DeepCopy()
	err := c.kube.Get(ctx, client.ObjectKeyFromObject(object), before)
	if client.IgnoreNotFound(err) != nil {
		return fmt.Errorf("reading %s: %w", nameOf(object), err)
	}
	missing := err != nil
	options := []client.ApplyOption{fieldOwner}
	if i.force {
		options = append(options, client.ForceOwnership)
	}
	after := object.DeepCopy()
	err = c.kube.Apply(ctx, client.ApplyConfigurationFromUnstructured(after), options...)
	switch {
	case apierrors.IsConflict(err):
		return fmt.Errorf("applying %s: somebody else set these fields: look at them, then --force-conflicts takes them over: %w",
			nameOf(object), err)
	case apierrors.IsNotFound(err) && object.GetNamespace() != "":
		return fmt.Errorf("applying %s: create namespace %s first, or apply the part that is %s: %w", nameOf(object), object.GetNamespace(),
			onlyClusterWide, err)
	case err != nil:
		return fmt.Errorf("applying %s: %w", nameOf(object), err)
	}
	if missing {
		return say(i.out, nameOf(object)+" created")
	}
	differences := differ(before, after)
	if len(differences) == 0 {
		return say(i.out, nameOf(object)+" unchanged")
	}
	return say(i.out, nameOf(object)+" changed\n    "+strings.Join(differences, "\n    "))
}

func say(out io.Writer, text string) error {
	if _, err := fmt.Fprintln(out, text); err != nil {
		return fmt.Errorf("printing: %w", err)
	}
	return nil
}

// nameOf names an object as kubectl does.
func nameOf(object *unstructured.Unstructured) string {
	name := strings.ToLower(object.GetKind()) + " " + object.GetName()
	if ns := object.GetNamespace(); ns != "" {
		return strings.ToLower(object.GetKind()) + " " + ns + "/" + object.GetName()
	}
	return name
}

func printObjects(out io.Writer, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		text, err := yaml.Marshal(object)
		if err != nil {
			return fmt.Errorf("printing %s: %w", nameOf(object), err)
		}
		if err := say(out, "---\n"+strings.TrimSuffix(string(text), "\n")); err != nil {
			return err
		}
	}
	return nil
}
