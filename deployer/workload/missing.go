package workload

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// negAnnotation makes a Service's endpoints backends of Google's load balancer
// (ingress-gce, pkg/annotations/service.go).
const negAnnotation = "cloud.google.com/neg"

// serviceAnnotations determine how a load balancer reaches a Service. Other annotations concern
// only their own object.
var serviceAnnotations = []string{
	negAnnotation,
	"cloud.google.com/backend-config",
	"beta.cloud.google.com/backend-config",
	"cloud.google.com/app-protocols",
	"service.alpha.kubernetes.io/app-protocols",
	"networking.gke.io/weighted-load-balancing",
}

// CreateMissing creates the target's Deployment and Service from the live colour's, if
// they do not exist, and returns what it created, as Kind/name. The Deployment has size
// 0, so that no pod of the live version starts in between. Only fields that describe the
// application are copied, from a list: owners, finalizers, addresses and node ports belong
// to the live object.
func (w *Workloads) CreateMissing(ctx context.Context, bg *v1alpha1.BlueGreen, target v1alpha1.Color) (created []string, err error) {
	r := recolor{label: track.ColorLabel(bg), from: target.Other(), to: target}
	live, side := bg.Side(r.from), bg.Side(r.to)
	for _, m := range []struct {
		kind     schema.GroupVersionKind
		from, to string
		build    func(object, recolor) (object, error)
	}{
		{kind: serviceKind, from: live.Service, to: side.Service, build: newService},
		{kind: deploymentKind, from: live.Deployment, to: side.Deployment, build: newDeployment},
	} {
		// What the cache has exists, or was deleted just now, and staging says so.
		_, err := known(w)(ctx, m.kind, bg.Namespace, m.to)
		if err == nil {
			continue
		}
		if !apierrors.IsNotFound(err) {
			return created, err
		}
		from, err := w.fresh(ctx, m.kind, bg.Namespace, m.from)
		if err != nil {
			return created, fmt.Errorf("%s %s/%s is missing and is created from the live one: %w", m.kind.Kind, bg.Namespace, m.to, err)
		}
		o, err := m.build(from.Object, r)
		if err != nil {
			return created, fmt.Errorf("%s %s/%s cannot be created from %s: %w", m.kind.Kind, bg.Namespace, m.to, m.from, err)
		}
		u := &unstructured.Unstructured{Object: o}
		u.SetGroupVersionKind(m.kind)
		u.SetNamespace(bg.Namespace)
		u.SetName(m.to)
		err = w.Client.Create(ctx, u, client.FieldOwner(v1alpha1.DeployerManager))
		if apierrors.IsAlreadyExists(err) {
			continue // someone else was faster; the next look sees their object
		}
		if err != nil {
			return created, fmt.Errorf("create %s %s/%s from %s: %w", m.kind.Kind, bg.Namespace, m.to, m.from, err)
		}
		created = append(created, m.kind.Kind+"/"+m.to)
	}
	return created, nil
}

// lacking is why a copy of an object would take over the original's pods.
func (r recolor) lacking() error {
	return fmt.Errorf("its spec.selector lacks %s: %s, so both colours would have the same pods", r.label, r.from)
}

func newDeployment(live object, r recolor) (object, error) {
	spec := pick(part(live, "spec"),
		"selector", "template", "strategy", "minReadySeconds", "revisionHistoryLimit", "progressDeadlineSeconds")
	if part(spec, "selector", "matchLabels")[r.label] != string(r.from) {
		return nil, r.lacking()
	}
	spec["replicas"] = int64(0)
	r.selector(part(spec, "selector"))
	r.labels(part(spec, "template", "metadata", "labels"))
	r.scheduling(part(spec, "template", "spec"))
	return object{"metadata": object{"labels": newLabels(live, part(live, "spec", "template", "metadata", "labels"), r)}, "spec": spec}, nil
}

func newService(live object, r recolor) (object, error) {
	from := part(live, "spec")
	if part(from, "selector")[r.label] != string(r.from) {
		return nil, r.lacking()
	}
	spec := pick(from, "selector", "type", "sessionAffinity", "sessionAffinityConfig", "publishNotReadyAddresses",
		"internalTrafficPolicy", "externalTrafficPolicy", "ipFamilyPolicy", "trafficDistribution")
	if spec["type"] == "LoadBalancer" {
		// The public address stays with the live Service; an Ingress needs only a node
		// port.
		spec["type"] = "NodePort"
	}
	if from["clusterIP"] == "None" {
		spec["clusterIP"] = "None"
	}
	ports := []any{}
	for _, p := range parts(from, "ports") {
		ports = append(ports, pick(p, "name", "protocol", "appProtocol", "port", "targetPort"))
	}
	spec["ports"] = ports
	r.labels(part(spec, "selector"))
	metadata := object{
		"labels":      newLabels(live, part(from, "selector"), r),
		"annotations": newServiceAnnotations(part(live, "metadata", "annotations")),
	}
	return object{"metadata": metadata, "spec": spec}, nil
}

// newLabels keeps the labels of an object that its pods have, too. Others may mark the object as
// a tool's own, and the tool would delete what it did not create (Argo CD tracks by a label, and
// prunes).
func newLabels(live, known object, r recolor) object {
	labels := object{}
	for key, v := range part(live, "metadata", "labels") {
		if _, ok := known[key]; ok && key != "app.kubernetes.io/managed-by" {
			labels[key] = v
		}
	}
	maps.Copy(labels, pick(part(live, "metadata", "labels"), r.label))
	r.labels(labels)
	return labels
}

func newServiceAnnotations(live object) object {
	annotations := pick(live, serviceAnnotations...)
	neg, ok := annotations[negAnnotation].(string)
	if !ok {
		return annotations
	}
	annotations[negAnnotation] = withoutNegNames(neg)
	return annotations
}

// withoutNegNames removes names that were chosen for the live Service's network endpoint
// groups: two Services cannot have the same name.
func withoutNegNames(annotation string) string {
	var neg object
	if json.Unmarshal([]byte(annotation), &neg) != nil {
		return annotation // not ours to correct; the load balancer's controller reports it
	}
	for port := range part(neg, "exposed_ports") {
		delete(part(neg, "exposed_ports", port), "name")
	}
	text, err := json.Marshal(neg)
	if err != nil {
		return annotation // unreachable: it came from JSON
	}
	return string(text)
}
