package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	"sigs.k8s.io/yaml"
)

// An image behind a moving tag is not the image that was tested.
func TestNoImageFollowsAMovingTag(t *testing.T) {
	t.Parallel()
	files := []string{"../Dockerfile", "../action.yml"}
	for _, pattern := range []string{"*.yaml", "serve/*.yaml", "rbac/*.yaml"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	from := regexp.MustCompile(`(?m)^(?:FROM|ARG \w+_IMAGE=)\s*([^\s]+)`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), ":latest") {
			t.Errorf("%s names :latest", file)
		}
		for _, image := range from.FindAllStringSubmatch(string(text), -1) {
			if name := image[1]; name != "scratch" && name != "${GO_IMAGE}" && !strings.Contains(name, ":") {
				t.Errorf("%s is built on %s with the tag :latest", file, name)
			}
		}
	}
}

func deployment(t *testing.T) appsv1.Deployment {
	t.Helper()
	for _, object := range build(t) {
		if object.GetKind() != "Deployment" {
			continue
		}
		text, err := json.Marshal(object)
		if err != nil {
			t.Fatal(err)
		}
		var d appsv1.Deployment
		if err := yaml.Unmarshal(text, &d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	t.Fatal("config has no Deployment")
	return appsv1.Deployment{}
}

// The release workflow replaces the tag by a digest, and no cluster runs an image that
// nobody named.
func TestTheReleaseNamesTheImageByDigest(t *testing.T) {
	t.Parallel()
	if image := deployment(t).Spec.Template.Spec.Containers[0].Image; image != "ghcr.io/turnout-dev/turnout:unreleased" {
		t.Errorf("the image is %s", image)
	}
	read := func(name string) string {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	workflow := strings.ReplaceAll(read("../.github/workflows/release.yml"), "$IMAGE", "ghcr.io/turnout-dev/turnout")
	for file, line := range map[string]string{
		"kustomization.yaml": "{name: ghcr.io/turnout-dev/turnout, newTag: unreleased}", "../action.yml": "\n  image: Dockerfile\n",
		"../Dockerfile": "\nARG GO_IMAGE=",
	} {
		if strings.Count(read(file), line) != 1 || !strings.Contains(workflow, strings.Trim(line, "\n")) {
			t.Errorf("the release workflow replaces %q of %s, which does not occur once", line, file)
		}
	}
}

func TestTheDeploymentIsHardened(t *testing.T) {
	t.Parallel()
	spec := deployment(t).Spec.Template.Spec
	c := spec.Containers[0]
	pod, s := spec.SecurityContext, c.SecurityContext
	if pod == nil || pod.RunAsNonRoot == nil || !*pod.RunAsNonRoot || pod.SeccompProfile == nil ||
		pod.SeccompProfile.Type != "RuntimeDefault" {
		t.Errorf("the pod's security context is %+v", pod)
	}
	if s == nil || s.ReadOnlyRootFilesystem == nil || !*s.ReadOnlyRootFilesystem || s.AllowPrivilegeEscalation == nil ||
		*s.AllowPrivilegeEscalation ||
		s.Capabilities == nil || len(s.Capabilities.Drop) != 1 || s.Capabilities.Drop[0] != "ALL" || len(s.Capabilities.Add) != 0 {
		t.Errorf("the container's security context is %+v", s)
	}
	limit := c.Resources.Limits.Memory()
	for _, e := range c.Env {
		if e.Name != "GOMEMLIMIT" {
			continue
		}
		soft := resource.MustParse(strings.TrimSuffix(e.Value, "B"))
		if part := float64(soft.Value()) / float64(limit.Value()); part < 0.8 || part > 0.95 {
			t.Errorf("GOMEMLIMIT is %s of %s", e.Value, limit)
		}
		return
	}
	t.Error("GOMEMLIMIT is not set")
}
