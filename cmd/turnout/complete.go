package main

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// completionTime is how long a shell waits for names from the cluster.
const completionTime = 3 * time.Second

// completion completes one word of a command line.
type completion = func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective)

// complete completes the name of an application of the namespace, and then, if the command
// takes one, of one of its releases. A shell shows no errors, so without an answer there
// are no suggestions.
func (c *clusterFlags) complete(releases bool) completion {
	return func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		const noFiles = cobra.ShellCompDirectiveNoFileComp
		if len(args) > 1 || len(args) == 1 && !releases || fromEnvironment(cmd.Flags(), os.Getenv) != nil {
			return nil, noFiles
		}
		cluster, err := c.connect()
		if err != nil {
			return nil, noFiles
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
		defer cancel()
		if len(args) == 1 {
			all, err := cluster.record.Releases(ctx, types.NamespacedName{Namespace: cluster.namespace, Name: args[0]})
			if err != nil {
				return nil, noFiles
			}
			return named(all, func(r *v1alpha1.Release) string { return r.Name }), noFiles
		}
		var list v1alpha1.BlueGreenList
		if err := cluster.kube.List(ctx, &list, client.InNamespace(cluster.namespace)); err != nil {
			return nil, noFiles
		}
		return named(list.Items, func(bg *v1alpha1.BlueGreen) string { return bg.Name }), noFiles
	}
}

// completeNamespaces completes the flag --namespace of every command that has one.
func completeNamespaces(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Flags().Lookup("namespace") == nil {
			continue
		}
		if err := cmd.RegisterFlagCompletionFunc("namespace", namespaces); err != nil {
			panic(err) // it is registered twice
		}
	}
}

// namespaces are the namespaces of the command line's cluster.
func namespaces(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	const noFiles = cobra.ShellCompDirectiveNoFileComp
	var c clusterFlags
	var list corev1.NamespaceList
	if err := fromEnvironment(cmd.Flags(), os.Getenv); err != nil {
		return nil, noFiles
	}
	c.kubeconfig, c.context = cmd.Flag("kubeconfig").Value.String(), cmd.Flag("context").Value.String()
	cluster, err := c.connect()
	if err != nil {
		return nil, noFiles
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), completionTime)
	defer cancel()
	if err := cluster.kube.List(ctx, &list); err != nil {
		return nil, noFiles
	}
	return named(list.Items, func(ns *corev1.Namespace) string { return ns.Name }), noFiles
}

func named[T any](all []T, name func(*T) string) []cobra.Completion {
	names := make([]cobra.Completion, len(all))
	for i := range all {
		names[i] = name(&all[i])
	}
	return names
}
