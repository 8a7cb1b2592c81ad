// Package configmap tells whether the ConfigMaps that pods read are still what they were when a
// release staged the pods. Nothing keeps the old content: neither Kubernetes nor a rollback
// brings it back.
package configmap

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Content identifies what a ConfigMap has. The zero value means that there is none of that name.
type Content [sha256.Size]byte

// Names returns the ConfigMaps that a pod reads by its environment and volumes, sorted, and at
// most as many as a release records. A pod can read more of them by the Kubernetes API; nobody
// sees that.
func Names(pod *corev1.PodSpec) []string {
	names := map[string]bool{}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, e := range c.EnvFrom {
			if e.ConfigMapRef != nil {
				names[e.ConfigMapRef.Name] = true
			}
		}
		for _, e := range c.Env {
			if e.ValueFrom != nil && e.ValueFrom.ConfigMapKeyRef != nil {
				names[e.ValueFrom.ConfigMapKeyRef.Name] = true
			}
		}
	}
	for _, v := range pod.Volumes {
		if v.ConfigMap != nil {
			names[v.ConfigMap.Name] = true
		}
		if v.Projected == nil {
			continue
		}
		for _, s := range v.Projected.Sources {
			if s.ConfigMap != nil {
				names[s.ConfigMap.Name] = true
			}
		}
	}
	delete(names, "") // the API allows it, and no pod starts with it
	sorted := slices.Sorted(maps.Keys(names))
	return sorted[:min(len(sorted), v1alpha1.MaxConfigMaps)]
}

// Read returns what a ConfigMap has. known is false if Turnout may not read it.
func Read(ctx context.Context, from client.Reader, key client.ObjectKey) (content Content, known bool, err error) {
	var m corev1.ConfigMap
	switch err := from.Get(ctx, key, &m); {
	case apierrors.IsNotFound(err):
		return Content{}, true, nil
	case apierrors.IsForbidden(err):
		return Content{}, false, nil
	case err != nil:
		return Content{}, false, fmt.Errorf("reading configmap %s: %w", key.Name, err)
	}
	text, err := json.Marshal(map[string]any{"data": m.Data, "binaryData": m.BinaryData}) // sorted by key
	if err != nil {
		return Content{}, false, fmt.Errorf("reading configmap %s: %w", key.Name, err)
	}
	return sha256.Sum256(text), true, nil
}

// Digest is how a release records a content. It differs from release to release: whoever may read
// releases, but not ConfigMaps, cannot look up what two of them share, or guess at all of them
// together.
func Digest(release types.UID, c Content) string {
	sum := sha256.Sum256(append([]byte(release+"/"), c[:]...))
	return hex.EncodeToString(sum[:16])
}

// Changed returns the recorded ConfigMaps that a pod still names and that have another content
// now, sorted. now returns the content; one that is not known is left out.
func Changed(rel *v1alpha1.Release, pod *corev1.PodSpec, now func(name string) (c Content, known bool, err error)) ([]string, error) {
	var changed []string
	names := Names(pod)
	for _, m := range rel.Status.ConfigMaps {
		if !slices.Contains(names, m.Name) {
			continue
		}
		c, known, err := now(m.Name)
		if err != nil {
			return nil, err
		}
		if known && Digest(rel.UID, c) != m.Digest {
			changed = append(changed, m.Name)
		}
	}
	slices.Sort(changed)
	return changed, nil
}
