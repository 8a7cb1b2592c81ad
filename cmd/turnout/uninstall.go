package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/config"
)

func uninstallCommand() *cobra.Command {
	var c clusterFlags
	var records, force bool
	cmd := &cobra.Command{
		Use:   "uninstall",
		Short: "Remove Turnout from a cluster, and leave users where they are",
		Long: "Remove what install applied. Deployments, Services and Ingresses stay as they are, and so do users. The\n" +
			"namespace turnout with its Secret, the BlueGreens and the Releases stay, too, so that an install later\n" +
			"resumes from them; --records deletes them. While a release is under way nothing is removed.",
		Args: arguments{}.check,
		RunE: func(cmd *cobra.Command, _ []string) error {
			cluster, err := c.connect()
			if err != nil {
				return err
			}
			return cluster.uninstall(cmd.Context(), cmd.OutOrStdout(), records, force)
		},
	}
	c.bindCluster(cmd.Flags())
	cmd.Flags().BoolVar(&records, "records", false, "delete every BlueGreen, every Release, the CRDs and the namespace turnout, too")
	cmd.Flags().BoolVar(&force, "force", false, "do not wait for releases under way: users stay where they are at this moment")
	return cmd
}

// anyImage stands for the image where it does not matter.
var anyImage = config.Image + "@sha256:" + strings.Repeat("0", 64)

func (c *cluster) uninstall(ctx context.Context, out io.Writer, records, force bool) error {
	d, err := c.installed(ctx)
	if err != nil {
		return err
	}
	var served []string
	if d != nil {
		served = config.ServedBy(d)
	}
	active, err := c.underWay(ctx, served)
	if err != nil {
		return err
	}
	if len(active) > 0 && !force {
		return fmt.Errorf("under way: %s: wait for the end, or turnout cancel; --force leaves users and pods as they are at this moment",
			strings.Join(active, ", "))
	}
	objects, err := config.Objects(config.Options{Image: anyImage, Namespaces: served})
	if err != nil {
		return err
	}
	if err := c.removeWebhook(ctx, out); err != nil {
		return err
	}
	for _, object := range slices.Backward(objects) {
		if !records && (object.GetKind() == "CustomResourceDefinition" || object.GetKind() == "Namespace") {
			continue
		}
		if err := c.remove(ctx, object, out); err != nil {
			return err
		}
	}
	return say(out, "Turnout is removed. Users, Deployments, Services and Ingresses are as they were; both colours that ran still run.")
}

// leave removes Turnout's rights in a namespace that it no longer serves.
func (c *cluster) leave(ctx context.Context, namespace string, out io.Writer) error {
	_, own, err := config.Parts(config.Options{Image: anyImage, Namespaces: []string{namespace}})
	if err != nil {
		return err
	}
	for _, object := range slices.Backward(own) {
		if object.GetNamespace() != namespace {
			continue
		}
		if err := c.remove(ctx, object, out); err != nil {
			return err
		}
	}
	return nil
}

// remove deletes an object. A missing one is not an error.
func (c *cluster) remove(ctx context.Context, object *unstructured.Unstructured, out io.Writer) error {
	err := c.kube.Delete(ctx, object)
	switch {
	case apierrors.IsNotFound(err) || meta.IsNoMatchError(err):
		return nil
	case err != nil:
		return fmt.Errorf("deleting %s: %w", nameOf(object), err)
	}
	return say(out, nameOf(object)+" deleted")
}

// underWay names the releases under way, in some namespaces or in all.
func (c *cluster) underWay(ctx context.Context, namespaces []string) ([]string, error) {
	if len(namespaces) == 0 {
		namespaces = []string{""}
	}
	var names []string
	for _, ns := range namespaces {
		var list v1alpha1.BlueGreenList
		err := c.kube.List(ctx, &list, client.InNamespace(ns))
		if meta.IsNoMatchError(err) {
			return nil, nil
		}
		if err != nil {
			return nil, fmt.Errorf("listing the applications of %s: %w", scope(ns), err)
		}
		for _, bg := range list.Items {
			if active := bg.Status.Active; active != nil {
				names = append(names, bg.Namespace+"/"+active.Release)
			}
		}
	}
	return names, nil
}
