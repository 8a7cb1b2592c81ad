package track

import (
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// SelectsStaged reports whether the live Service would send users to the pods that
// are staged on the other colour, before anybody has checked them.
func SelectsStaged(bg *v1alpha1.BlueGreen, live, other Side) bool {
	return len(live.Selector) > 0 && Selects(live.Selector, stagedLabels(bg, live, other))
}

// stagedLabels are the labels of the pods that are staged on the other colour, as
// package workload makes them.
func stagedLabels(bg *v1alpha1.BlueGreen, live, other Side) map[string]string {
	if bg.Spec.Template == v1alpha1.TemplateOwn && other.DeploymentExists {
		return other.Labels
	}
	label := ColorLabel(bg)
	recolored := func(m map[string]string) map[string]string {
		m = maps.Clone(m)
		if m[label] == string(live.Color) {
			m[label] = string(other.Color)
		}
		return m
	}
	staged := recolored(live.Labels)
	if staged == nil {
		staged = map[string]string{}
	}
	for key := range live.MatchLabels {
		if key != label {
			delete(staged, key)
		}
	}
	own := other.MatchLabels
	if !other.DeploymentExists { // it is made from the live one
		own = recolored(live.MatchLabels)
	}
	maps.Copy(staged, other.Selector)
	maps.Copy(staged, own)
	return staged
}

// Selects reports whether a selector selects an object with some labels.
func Selects(selector, of map[string]string) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

// SeparateAdvice says how the live Service comes to select its own colour's pods
// only. The order matters: a selector that no pod has the labels of leaves users
// without any pod.
func SeparateAdvice(bg *v1alpha1.BlueGreen, live Side) v1alpha1.Advice {
	label, color := ColorLabel(bg), string(live.Color)
	selector := v1alpha1.Merge("service", live.Service, bg.Namespace,
		map[string]any{"spec": map[string]any{"selector": map[string]any{label: color}}})
	if live.Labels[label] == color && live.RolledOut {
		return v1alpha1.Advise("every live pod has that label, so add it to the selector", selector)
	}
	rollout := v1alpha1.Shell("kubectl", "rollout", "status", "deployment", live.Deployment, "-n", bg.Namespace)
	if live.Labels[label] != color {
		return v1alpha1.Advise("first give the pods of its template that label, or users have no pod left, wait until they are rolled out, and "+
			"then add it to the selector",
			labelPods(bg, live).Then(rollout).Then(selector))
	}
	return v1alpha1.Advise("wait until every live pod has that label, or users have no pod left, and then add it to the selector",
		rollout.Then(selector))
}

// labelPods is the command that gives the live pods their colour's label, one after
// the other.
func labelPods(bg *v1alpha1.BlueGreen, live Side) v1alpha1.ShellCommand {
	labels := map[string]any{ColorLabel(bg): string(live.Color)}
	return v1alpha1.Merge("deployment", live.Deployment, bg.Namespace,
		map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": labels}}}})
}

// OwnSelectorAdvice is the command that makes the other colour's Deployment where the
// live one's selector, which nobody can change, lacks the colour; "" where Turnout
// cannot tell what to write. Its size is 0, and a release fills it with the live
// colour's pod template: so of that it has no more than the API demands.
func OwnSelectorAdvice(bg *v1alpha1.BlueGreen, live Side, missing string) v1alpha1.ShellCommand {
	if live.Container == "" || live.Image == "" || bg.Spec.Template == v1alpha1.TemplateOwn {
		return ""
	}
	label, color := ColorLabel(bg), string(live.Color.Other())
	selector, pod := maps.Clone(live.MatchLabels), maps.Clone(live.Labels)
	if len(selector) == 0 || len(pod) == 0 {
		return ""
	}
	selector[label], pod[label] = color, color
	manifest := map[string]any{
		"apiVersion": "apps/v1", "kind": "Deployment", "metadata": map[string]any{"name": missing, "namespace": bg.Namespace},
		"spec": map[string]any{
			"replicas": 0, "selector": map[string]any{"matchLabels": selector},
			"template": map[string]any{
				"metadata": map[string]any{"labels": pod},
				"spec":     map[string]any{"containers": []map[string]any{{"name": live.Container, "image": live.Image}}},
			},
		},
	}
	text, err := json.Marshal(manifest)
	if err != nil {
		return "" // a manifest is made of maps, strings and numbers
	}
	return v1alpha1.Shell("printf", `%s\n`, string(text)).Into(v1alpha1.Shell("kubectl", "apply", "-f", "-"))
}

// Stranded says that ready live pods get no users, because the live Service does not
// select them, and the way out; nil if it selects them all. Whoever staged and
// switched now would have nothing to go back to.
func Stranded(bg *v1alpha1.BlueGreen, live Side) *v1alpha1.Advice {
	if len(live.Unselected) == 0 {
		return nil
	}
	text := fmt.Sprintf("service %s, which is live, does not select %s of deployment %s, such as %s: it selects %s. ",
		live.Service, readyPods(len(live.Unselected)), live.Deployment, live.Unselected[0], labels.Set(live.Selector))
	label := ColorLabel(bg)
	if want, found := live.Selector[label]; found && want == string(live.Color) && live.Labels[label] != want {
		way := v1alpha1.Advise(text+"Give the pods of its template the label that they lack", labelPods(bg, live))
		return &way
	}
	way := v1alpha1.Advise(text+"Correct its spec.selector", v1alpha1.Kubectl("edit", "service", live.Service, bg.Namespace))
	return &way
}

func readyPods(n int) string {
	if n == 1 {
		return "1 ready pod"
	}
	return fmt.Sprintf("%d ready pods", n)
}

// ColorLabel is the label that tells the colours apart.
func ColorLabel(bg *v1alpha1.BlueGreen) string {
	if bg.Spec.ColorLabel == "" {
		return "version" // the schema's default
	}
	return bg.Spec.ColorLabel
}
