package main

import (
	"cmp"
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
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/internal/setup"
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
	switch {
	case err != nil:
		return nil, fmt.Errorf("--image: %w", err)
	case i.only == onlyClusterWide:
		return wide, nil
	case i.only == onlyNamespaced:
		return own, nil
	}
	return append(wide, own...), nil
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

// settle waits until everything is in effect, and says what to do next.
func (i *installation) settle(ctx context.Context, c *cluster, objects []*unstructured.Unstructured) error {
	for _, object := range objects {
		if object.GetKind() != "CustomResourceDefinition" {
			continue
		}
		if err := c.await(ctx, object, established); err != nil {
			return err
		}
	}
	if i.only == onlyClusterWide {
		return say(i.out, "The cluster-wide part is in effect. Next, whoever may write in the namespaces: turnout install --only "+onlyNamespaced)
	}
	token, err := (&setup.Secret{Client: c.kube, Namespace: config.Namespace}).Issue(ctx)
	if err != nil {
		return err
	}
	if token != "" {
		return say(i.out, fmt.Sprintf(nextSteps, token))
	}
	for _, object := range objects {
		if object.GetKind() != "Deployment" {
			continue
		}
		if err := c.await(ctx, object, available); err != nil {
			return err
		}
	}
	return say(i.out, "Turnout runs.")
}

// nextSteps is what only a person can do.
const nextSteps = `Installed. Turnout starts once it has a GitHub App (docs/install.md):
  1. Expose port 80 of the Service turnout/turnout over HTTPS at a host of yours, for GitHub's webhooks.
  2. Register the App at http://localhost:8081/setup, which this command opens:
       kubectl -n turnout port-forward deployment/turnout 8081:8081
     The page asks for this token, until the App is registered:
       %s
  3. Give the ServiceAccount turnout/turnout its Google roles.
  4. Grant each namespace its repositories and projects:
       kubectl annotate namespace NAMESPACE turnout.dev/repositories=OWNER/NAME turnout.dev/projects=PROJECT
  5. Let Turnout say what is missing:
       turnout doctor`

// await waits until an object is in effect; state says briefly what is missing.
func (c *cluster) await(ctx context.Context, object *unstructured.Unstructured, state func(*unstructured.Unstructured) string) error {
	var missing string
	err := wait.PollUntilContextCancel(ctx, 200*time.Millisecond, true, func(ctx context.Context) (bool, error) {
		now := object.DeepCopy()
		if err := c.kube.Get(ctx, client.ObjectKeyFromObject(object), now); err != nil {
			missing = cmp.Or(missing, err.Error())
			return false, nil
		}
		missing = state(now)
		return missing == "", nil
	})
	if err != nil {
		return fmt.Errorf("waiting for %s: %s (%w)", nameOf(object), missing, err)
	}
	return nil
}

// established says what a CRD lacks before its objects can be written.
func established(crd *unstructured.Unstructured) string { return lacks(crd, "Established") }

// available says what a Deployment lacks before all of its pods run its template.
func available(d *unstructured.Unstructured) string {
	observed, _, _ := unstructured.NestedInt64(d.Object, "status", "observedGeneration")
	want, _, _ := unstructured.NestedInt64(d.Object, "spec", "replicas")
	updated, _, _ := unstructured.NestedInt64(d.Object, "status", "updatedReplicas")
	ready, _, _ := unstructured.NestedInt64(d.Object, "status", "availableReplicas")
	all, _, _ := unstructured.NestedInt64(d.Object, "status", "replicas")
	if observed == d.GetGeneration() && updated == want && ready == want && all == want {
		return ""
	}
	return fmt.Sprintf("%d of %d pods run the new version, %d are available; the events of its pods in namespace %s show why", updated, want,
		ready, d.GetNamespace())
}

// lacks names a condition that is not true.
func lacks(object *unstructured.Unstructured, condition string) string {
	all, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, one := range all {
		if c, ok := one.(map[string]any); ok && c["type"] == condition && c["status"] == "True" {
			return ""
		}
	}
	return "it is not " + condition
}
