package workload

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"strings"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Plan makes the Job of a migration from the pod template that staging would put on the colour. The
// container that gets the image runs the command; the others become sidecars, which Kubernetes
// ends with it. The pod has none of the labels by which a Service or a PodDisruptionBudget selects:
// without probes it is ready at once, and would get users. A *RefusedMigrationError says which
// object would select it all the same.
func (m *Migrations) Plan(ctx context.Context, bg *v1alpha1.BlueGreen, q MigrationRequest) (MigrationPlan, error) {
	if len(q.Command) == 0 {
		return MigrationPlan{}, errNoCommand
	}
	template, container, err := m.template(ctx, bg, q.StageRequest)
	if err != nil {
		return MigrationPlan{}, fmt.Errorf("the pod template of a migration: %w", err)
	}
	toMigration(template, container, q.Command)
	own := object{v1alpha1.ApplicationLabel: bg.Name, v1alpha1.MigrationLabel: q.Kind}
	if err := m.unselect(ctx, bg, template, own); err != nil {
		return MigrationPlan{}, err
	}
	text, err := json.Marshal(template)
	if err != nil {
		return MigrationPlan{}, fmt.Errorf("encode a pod template: %w", err)
	}
	sum := sha256.Sum256(text)
	p := MigrationPlan{Hash: hex.EncodeToString(sum[:8]), job: &unstructured.Unstructured{Object: object{
		"metadata": object{"labels": own, "annotations": object{
			v1alpha1.ReleaseAnnotation: q.Release, v1alpha1.TemplateAnnotation: hex.EncodeToString(sum[:8]),
		}},
		"spec": object{
			"suspend": true, "backoffLimit": int64(0), "completions": int64(1), "parallelism": int64(1), "template": template,
		},
	}}}
	p.job.SetGroupVersionKind(jobKind)
	p.job.SetNamespace(bg.Namespace)
	p.job.SetName(MigrationName(bg.Name, q.Kind, q.UID))
	return p, nil
}

// template is the pod template that staging would put on the colour, and the container that gets
// the image. What does not exist there yet would be created from the live colour's.
func (m *Migrations) template(ctx context.Context, bg *v1alpha1.BlueGreen, q StageRequest) (object, string, error) {
	w := &Workloads{Reader: m.Reader}
	r := recolor{label: track.ColorLabel(bg), from: q.Target.Other(), to: q.Target}
	pair, err := readPair(ctx, bg, q.Target, w.fresh)
	if apierrors.IsNotFound(err) {
		pair, err = m.pairFromLive(ctx, bg, r)
	}
	if err != nil {
		return nil, "", err
	}
	if pair.targetService == nil && pair.liveService != nil {
		if pair.targetService, err = newService(pair.liveService, r); err != nil {
			return nil, "", err
		}
	}
	template, err := pair.template(bg, q)
	if err != nil {
		return nil, "", err
	}
	container, err := ChooseContainer(bg, containerNames(template))
	return template, container, err
}

// pairFromLive is the pair with a target as it would be created from the live colour.
func (m *Migrations) pairFromLive(ctx context.Context, bg *v1alpha1.BlueGreen, r recolor) (pair, error) {
	w := &Workloads{Reader: m.Reader}
	var p pair
	var err error
	if p.live, err = w.fresh(ctx, deploymentKind, bg.Namespace, bg.Side(r.from).Deployment); err != nil {
		return p, err
	}
	o, err := newDeployment(p.live.DeepCopy().Object, r)
	if err != nil {
		return p, err
	}
	p.target = &unstructured.Unstructured{Object: o}
	for c, into := range map[v1alpha1.Color]*object{r.from: &p.liveService, r.to: &p.targetService} {
		s, err := w.fresh(ctx, serviceKind, bg.Namespace, bg.Side(c).Service)
		if err != nil && !apierrors.IsNotFound(err) {
			return p, err
		}
		*into = s.Object
	}
	return p, nil
}

// toMigration turns an application's pod template into a migration's.
func toMigration(template object, container string, command []string) {
	spec := Ensure(template, "spec")
	words := make([]any, len(command))
	for i, word := range command {
		words[i] = word
	}
	inits, _ := spec["initContainers"].([]any)
	var main []any
	for _, c := range parts(spec, "containers") {
		numberPorts(c)
		for _, field := range []string{"livenessProbe", "readinessProbe", "lifecycle", "ports"} {
			delete(c, field)
		}
		if c["name"] == container {
			delete(c, "args")
			delete(c, "startupProbe")
			c["command"] = words
			main = append(main, c)
			continue
		}
		c["restartPolicy"] = string(corev1.ContainerRestartPolicyAlways)
		inits = append(inits, c)
	}
	spec["containers"] = main
	if len(inits) > 0 {
		spec["initContainers"] = inits
	}
	spec["restartPolicy"] = string(corev1.RestartPolicyNever)
	// The last two keep the application's pods apart from each other.
	for _, field := range []string{"readinessGates", "activeDeadlineSeconds", "topologySpreadConstraints"} {
		delete(spec, field)
	}
	delete(part(spec, "affinity"), "podAntiAffinity")
}

// numberPorts replaces the name of a port in a container's startup probe by its number: the ports are
// dropped. Kubernetes starts the command once a sidecar has passed that probe, so that a proxy to
// the database answers by then.
func numberPorts(c object) {
	for _, kind := range []string{"httpGet", "tcpSocket"} {
		probe := part(part(c, "startupProbe"), kind)
		for _, p := range parts(c, "ports") {
			if name, named := probe["port"].(string); named && p["name"] == name {
				probe["port"] = p["containerPort"]
			}
		}
	}
}

// selecting is an object that selects pods.
type selecting struct {
	name     string
	keys     []string
	selector labels.Selector
}

// unselect removes the colour and every label by which an object of the namespace selects pods, and
// adds those of every migration.
func (m *Migrations) unselect(ctx context.Context, bg *v1alpha1.BlueGreen, template, own object) error {
	all, err := m.selecting(ctx, bg.Namespace)
	if err != nil {
		return err
	}
	set := Ensure(template, "metadata", "labels")
	delete(set, track.ColorLabel(bg))
	for _, s := range all {
		for _, key := range s.keys {
			delete(set, key)
		}
	}
	maps.Copy(set, own)
	for _, s := range all {
		if s.selector.Matches(labelsOf(template)) {
			return &RefusedMigrationError{Text: fmt.Sprintf("%s selects pods by %q, which a migration's pod would match, too: let it select "+
				"by a label that only the application's pods have", s.name, s.selector)}
		}
	}
	return nil
}

// selecting returns the Services and PodDisruptionBudgets of a namespace.
func (m *Migrations) selecting(ctx context.Context, namespace string) ([]selecting, error) {
	var all []selecting
	var services corev1.ServiceList
	if err := m.Reader.List(ctx, &services, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the Services of namespace %s: %w", namespace, err)
	}
	for _, s := range services.Items {
		if len(s.Spec.Selector) > 0 {
			all = append(all, selecting{
				name: "service " + s.Name, keys: keysOf(metav1.LabelSelector{MatchLabels: s.Spec.Selector}),
				selector: labels.SelectorFromSet(s.Spec.Selector),
			})
		}
	}
	var budgets policyv1.PodDisruptionBudgetList
	if err := m.Reader.List(ctx, &budgets, client.InNamespace(namespace)); err != nil {
		return nil, fmt.Errorf("list the PodDisruptionBudgets of namespace %s: %w", namespace, err)
	}
	for _, b := range budgets.Items {
		if b.Spec.Selector == nil {
			continue // selects nothing
		}
		selector, err := metav1.LabelSelectorAsSelector(b.Spec.Selector)
		if err != nil {
			return nil, fmt.Errorf("read the selector of PodDisruptionBudget %s/%s: %w", b.Namespace, b.Name, err)
		}
		all = append(all, selecting{name: "poddisruptionbudget " + b.Name, keys: keysOf(*b.Spec.Selector), selector: selector})
	}
	return all, nil
}

// keysOf are the labels that a selector looks at.
func keysOf(s metav1.LabelSelector) []string {
	var keys []string
	for key := range s.MatchLabels {
		keys = append(keys, key)
	}
	for _, e := range s.MatchExpressions {
		keys = append(keys, e.Key)
	}
	return keys
}

// escaped is a key as a part of a JSON pointer.
func escaped(key string) string {
	return strings.ReplaceAll(strings.ReplaceAll(key, "~", "~0"), "/", "~1")
}
