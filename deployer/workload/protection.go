package workload

import (
	"context"
	"fmt"

	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Unprotected returns the PodDisruptionBudgets that cover the live colour's pods, by
// name, if none covers the target's pods as they will be staged: after the switch, a
// drained node could take all of them at once.
func (w *Workloads) Unprotected(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) ([]string, error) {
	p, err := readPair(ctx, bg, target, known(w)) // it is only advice
	if err != nil {
		return nil, err
	}
	staged, err := p.template(bg, StageRequest{Target: target})
	if err != nil {
		return nil, err
	}
	var budgets policyv1.PodDisruptionBudgetList
	if err := w.Reader.List(ctx, &budgets, client.InNamespace(bg.Namespace)); err != nil {
		return nil, fmt.Errorf("list the PodDisruptionBudgets of namespace %s: %w", bg.Namespace, err)
	}
	var names []string
	for _, b := range budgets.Items {
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		switch {
		case err != nil:
			return nil, fmt.Errorf("read the selector of PodDisruptionBudget %s/%s: %w", b.Namespace, b.Name, err)
		case selector.Matches(labelsOf(staged)):
			return nil, nil
		case selector.Matches(labelsOf(part(p.live.Object, "spec", "template"))):
			names = append(names, b.Name)
		}
	}
	return names, nil
}

func labelsOf(template object) labels.Set {
	set := labels.Set{}
	for key, v := range part(template, "metadata", "labels") {
		if s, ok := v.(string); ok {
			set[key] = s
		}
	}
	return set
}
