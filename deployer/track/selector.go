package track

import (
	"encoding/json"
	"fmt"
	"maps"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// SelectsStaged reports whether the live Service would send users to pods staged on the idle
// colour before they are checked.
func SelectsStaged(bg *v1alpha1.BlueGreen, live, other Side) bool {
	return len(live.Selector) > 0 && Selects(live.Selector, stagedLabels(bg, live, other))
}

// stagedLabels are the labels of pods staged on the idle colour, as package workload sets them.
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
	if !other.DeploymentExists { // it will be created from the live one
		own = recolored(live.MatchLabels)
	}
	maps.Copy(staged, other.Selector)
	maps.Copy(staged, own)
	return staged
}

// Selects reports whether a selector matches an object's labels.
func Selects(selector, of map[string]string) bool {
	return labels.SelectorFromSet(selector).Matches(labels.Set(of))
}

// SeparateAdvice is how to make the live Service select only its own colour's pods. The order
// matters: users have no pods while the selector matches none.
func SeparateAdvice(bg *v1alpha1.BlueGreen, live Side) v1alpha1.Advice {
	label, color := ColorLabel(bg), string(live.Color)
	selector := v1alpha1.Merge("service", live.Service, bg.Namespace,
		map[string]any{"spec": map[string]any{"selector": map[string]any{label: color}}})
	if live.Labels[label] == color && live.RolledOut {
		return v1alpha1.Advise("every live pod has that label: add it to the selector", selector)
	}
	rollout := v1alpha1.Shell("kubectl", "rollout", "status", "deployment", live.Deployment, "-n", bg.Namespace)
	if live.Labels[label] != color {
		return v1alpha1.Advise("first give the pods of its template that label (or users have no pod left), wait until they are rolled out, "+
			"then add it to the selector",
			labelPods(bg, live).Then(rollout).Then(selector))
	}
	return v1alpha1.Advise("wait until every live pod has that label (or users have no pod left), then add it to the selector",
		rollout.Then(selector))
}

// labelPods is the command that labels the live pods with their colour, one by one.
func labelPods(bg *v1alpha1.BlueGreen, live Side) v1alpha1.ShellCommand {
	labels := map[string]any{ColorLabel(bg): string(live.Color)}
	return v1alpha1.Merge("deployment", live.Deployment, bg.Namespace,
		map[string]any{"spec": map[string]any{"template": map[string]any{"metadata": map[string]any{"labels": labels}}}})
}

// OwnSelectorAdvice is the command that creates the idle colour's Deployment when the live one's
// selector, which is immutable, lacks the colour; "" if Turnout cannot write one. The Deployment
// has size 0 and a minimal template: a release fills in the live colour's.
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
		return "" // unreachable: a manifest consists of maps, strings and numbers
	}
	return v1alpha1.Shell("printf", `%s\n`, string(text)).Into(v1alpha1.Shell("kubectl", "apply", "-f", "-"))
}

// Stranded reports that the live Service does not select some ready live pods, and the way out;
// nil if it selects all of them. A release in this state would have nothing to go back to.
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

// ColorLabel is the label that distinguishes the colours.
func ColorLabel(bg *v1alpha1.BlueGreen) string {
	if bg.Spec.ColorLabel == "" {
		return "version" // the schema's default
	}
	return bg.Spec.ColorLabel
}
