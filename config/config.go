// Package config has the objects that Turnout needs in a cluster, as this folder describes
// them for kustomize. `turnout install` applies [Objects], or the two [Parts] of a
// namespaced install.
package config

import (
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/types"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

//go:embed kustomization.yaml crd namespaced policy/*.yaml rbac serve webhook
var files embed.FS

// Image is the name of Turnout's image in these files.
const Image = "ghcr.io/turnout-dev/turnout"

// Namespace is where `turnout serve` runs.
const Namespace = "turnout"

// Options choose what to install.
type Options struct {
	// Image to run, by digest: NAME@sha256:DIGEST.
	Image string
	// Namespaces that Turnout serves and has rights in; empty for the whole cluster.
	Namespaces []string
}

// Objects are all objects of an install, in an order to apply them. It fails if the image
// has no digest.
func Objects(o Options) ([]*unstructured.Unstructured, error) {
	wide, own, err := Parts(o)
	return append(wide, own...), err
}

// Parts are the objects of an install in two parts: those that only a cluster administrator
// may apply, and those of namespaces. Without Options.Namespaces the second part is empty.
func Parts(o Options) (clusterWide, namespaced []*unstructured.Unstructured, err error) {
	name, digest, found := strings.Cut(o.Image, "@")
	if !found || name == "" || !strings.HasPrefix(digest, "sha256:") || len(digest) != len("sha256:")+64 {
		return nil, nil, fmt.Errorf("image %q: name it by its digest, as NAME@sha256:DIGEST", o.Image)
	}
	images := []types.Image{{Name: Image, NewName: name, Digest: digest}}
	if len(o.Namespaces) == 0 {
		clusterWide, err = build(types.Kustomization{Resources: []string{"../config"}, Images: images})
		return clusterWide, nil, err
	}
	clusterWide, err = build(types.Kustomization{Resources: under("../config", clusterWideFiles), Labels: labels})
	if err != nil {
		return nil, nil, err
	}
	namespaced, err = build(types.Kustomization{Resources: []string{"../config/namespaced"}, Images: images})
	if err != nil {
		return nil, nil, err
	}
	if err := serveIn(namespaced, o.Namespaces); err != nil {
		return nil, nil, err
	}
	for _, ns := range o.Namespaces {
		served, err := build(types.Kustomization{
			Namespace: ns, Resources: under("../config/namespaced/served", []string{"role.yaml", "binding.yaml"}), Labels: labels,
		})
		if err != nil {
			return nil, nil, err
		}
		namespaced = append(namespaced, served...)
	}
	return clusterWide, namespaced, nil
}

// clusterWideFiles are the cluster-wide objects of a namespaced install.
var clusterWideFiles = []string{
	"serve/namespace.yaml", "crd/turnout.dev_bluegreens.yaml", "crd/turnout.dev_deliveries.yaml", "crd/turnout.dev_releases.yaml",
	"policy/releases.yaml", "policy/grants.yaml", "policy/statuses.yaml", "namespaced/attest.yaml", "rbac/lock.yaml", "rbac/owner.yaml",
	"rbac/release.yaml",
}

var labels = []types.Label{{Pairs: map[string]string{"app.kubernetes.io/name": "turnout"}}}

func under(dir string, names []string) []string {
	paths := make([]string, len(names))
	for i, name := range names {
		paths[i] = path.Join(dir, name)
	}
	return paths
}

// build runs kustomize on a kustomization beside this folder.
func build(k types.Kustomization) ([]*unstructured.Unstructured, error) {
	disk := filesys.MakeFsInMemory()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := files.ReadFile(name)
		if err != nil {
			return fmt.Errorf("reading config/%s of this binary: %w", name, err)
		}
		return disk.WriteFile(path.Join("config", name), text)
	})
	if err != nil {
		return nil, err
	}
	text, err := yaml.Marshal(k)
	if err != nil {
		return nil, fmt.Errorf("writing a kustomization: %w", err)
	}
	if err := disk.WriteFile("overlay/kustomization.yaml", text); err != nil {
		return nil, fmt.Errorf("writing a kustomization: %w", err)
	}
	options := krusty.MakeDefaultOptions()
	options.LoadRestrictions = types.LoadRestrictionsNone // the overlay names single files
	built, err := krusty.MakeKustomizer(options).Run(disk, "overlay")
	if err != nil {
		return nil, fmt.Errorf("building config/ with kustomize: %w", err)
	}
	var all []*unstructured.Unstructured
	for _, r := range built.Resources() {
		object := &unstructured.Unstructured{}
		text, err := r.AsYAML()
		if err == nil {
			err = yaml.Unmarshal(text, object)
		}
		if err != nil {
			return nil, fmt.Errorf("reading what kustomize built: %w", err)
		}
		if object.GroupVersionKind().Group == admissionv1.GroupName { // kustomize does not know that it belongs to no namespace
			object.SetNamespace("")
		}
		all = append(all, object)
	}
	return all, nil
}

// serveIn sets the namespaces that a namespaced install's Deployment serves.
func serveIn(all []*unstructured.Unstructured, namespaces []string) error {
	for _, object := range all {
		if object.GetKind() != "Deployment" {
			continue
		}
		containers, _, err := unstructured.NestedSlice(object.Object, "spec", "template", "spec", "containers")
		if err != nil || len(containers) != 1 {
			return fmt.Errorf("config/serve: the Deployment has %d containers (%w)", len(containers), err)
		}
		env, _, err := unstructured.NestedSlice(containers[0].(map[string]any), "env")
		if err != nil {
			return fmt.Errorf("config/serve: the Deployment's env: %w", err)
		}
		for _, variable := range env {
			if v := variable.(map[string]any); v["name"] == "TURNOUT_NAMESPACES" {
				v["value"] = strings.Join(namespaces, ",")
			}
		}
		containers[0].(map[string]any)["env"] = env
		if err := unstructured.SetNestedSlice(object.Object, containers, "spec", "template", "spec", "containers"); err != nil {
			return fmt.Errorf("config/serve: the Deployment: %w", err)
		}
	}
	return nil
}
