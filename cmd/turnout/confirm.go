package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/record"
)

func confirmCommand() *cobra.Command {
	var c clusterFlags
	var by string
	cmd := &cobra.Command{
		Use: "confirm APP", Short: "Say that users reach the colour of the last switch",
		Long: "Say, for the record, that users reach the colour that the Ingress or HTTPRoute sends them to.\n" +
			"It is for an application with the condition SwitchUnconfirmed: nothing else shows that the load\n" +
			"balancer took up the last switch, so both colours are kept. Or with the condition WithdrawUnconfirmed:\n" +
			"nothing shows that users have left a canary that went back. First check the public address, from\n" +
			"several places: after this, once spec.drain and spec.hold have passed, the other colour is shrunk.",
		Args: ofApplication("turnout confirm my-python-app", 0).check, ValidArgsFunction: c.complete(false),
		RunE: func(cmd *cobra.Command, args []string) error {
			cluster, err := c.connect()
			if err != nil {
				return err
			}
			text, err := cluster.confirm(cmd.Context(), args[0], by)
			if err != nil {
				return err
			}
			_, err = fmt.Fprintln(cmd.OutOrStdout(), text)
			return err
		},
	}
	c.bind(cmd.Flags())
	cmd.Flags().StringVar(&by, "by", "", "who says so, for the record, beside your user name in the cluster")
	return cmd
}

// unconfirmed is the condition that keeps both colours; nil if there is none.
func unconfirmed(bg *v1alpha1.BlueGreen) *metav1.Condition {
	for _, kind := range []string{v1alpha1.ConditionWithdrawUnconfirmed, v1alpha1.ConditionSwitchUnconfirmed} {
		if c := meta.FindStatusCondition(bg.Status.Conditions, kind); c != nil && c.Status == metav1.ConditionTrue {
			return c
		}
	}
	return nil
}

// confirm records in the release that moved users last that they reach the colour in the
// Ingress.
func (c *cluster) confirm(ctx context.Context, app, by string) (string, error) {
	bg, err := c.application(ctx, app)
	if err != nil {
		return "", err
	}
	last, condition := bg.Status.LastSwitch, unconfirmed(bg)
	if condition != nil && condition.Type == v1alpha1.ConditionWithdrawUnconfirmed && bg.Status.Active != nil {
		return c.confirmWithdrawn(ctx, bg, by)
	}
	if condition == nil || last == nil {
		return fmt.Sprintf("%s has no switch that waits to be confirmed.", bg.Name), nil
	}
	key := types.NamespacedName{Namespace: bg.Namespace, Name: last.Release}
	rel, err := c.record.Release(ctx, key)
	if apierrors.IsNotFound(err) || err == nil && string(rel.UID) != last.UID {
		return "", fmt.Errorf("release %s, which moved users last, was deleted, so nothing can be recorded in it: set spec.url and "+
			"spec.proof.versionHeader of bluegreen %s, and Turnout asks the public address", key, bg.Name)
	}
	if err != nil {
		return "", err
	}
	color := cmp.Or(last.OverruledTo, last.To.Color)
	actor, err := c.sayReached(ctx, key, color, by)
	if errors.Is(err, record.ErrSet) {
		said := rel.Spec.Confirmed(color)
		if said == nil || said.At.Time.Before(last.At.Time) || last.OverruledAt != nil && said.At.Time.Before(last.OverruledAt.Time) {
			return "", fmt.Errorf("%s was already confirmed for release %s, before users were moved again; a colour can be confirmed only "+
				"once for each release: set spec.url and "+
				"spec.proof.versionHeader of bluegreen %s, and Turnout asks the public address", color, key, bg.Name)
		}
		err = nil
	}
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("Recorded in %s: users of %s reach %s, says %s.", rel.Name, bg.Name, color, actor), nil
}

// sayReached records in a release that users reach a colour. It returns who says so.
func (c *cluster) sayReached(ctx context.Context, rel types.NamespacedName, color v1alpha1.Color, by string) (actor string, err error) {
	actor = c.actor(ctx)
	return actor, c.record.Confirm(ctx, rel, v1alpha1.Confirmation{
		Color: color, By: actor, At: metav1.Now(), Cause: v1alpha1.Cause{Kind: v1alpha1.CauseCLI, Actor: actor, Claims: cut(by, maxClaims)},
	})
}

// confirmWithdrawn records in a canary that goes back that nobody reaches its version any more.
func (c *cluster) confirmWithdrawn(ctx context.Context, bg *v1alpha1.BlueGreen, by string) (string, error) {
	key := types.NamespacedName{Namespace: bg.Namespace, Name: bg.Status.Active.Release}
	rel, err := c.record.Release(ctx, key)
	if err != nil {
		return "", err
	}
	color := rel.Status.Milestones.Target.Other()
	actor, err := c.sayReached(ctx, key, color, by)
	if err != nil && !errors.Is(err, record.ErrSet) {
		return "", err
	}
	return fmt.Sprintf("Recorded in %s: users of %s are all on %s, says %s.", rel.Name, bg.Name, color, actor), nil
}
