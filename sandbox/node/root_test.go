package node_test

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/utils/ptr"

	"github.com/turnout-dev/turnout/sandbox/netns"
)

// load makes an image of one program, and returns its reference by digest.
func load(t *testing.T, user string) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "whoami")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./testdata/whoami")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	content, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	archive := tar.NewWriter(&packed)
	if err := archive.WriteHeader(&tar.Header{Name: "whoami", Mode: 0o755, Size: int64(len(content))}); err != nil {
		t.Fatal(err)
	}
	if _, err := archive.Write(content); err != nil {
		t.Fatal(err)
	}
	if err := archive.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, layer)
	if err == nil {
		image, err = mutate.Config(image, v1.Config{Entrypoint: []string{"/whoami"}, User: user})
	}
	if err != nil {
		t.Fatal(err)
	}
	digest, err := cluster.Registry.Load(image)
	if err == nil {
		err = cluster.Registry.Push("gcr.io/acme-prod/whoami:latest", digest)
	}
	if err != nil {
		t.Fatal(err)
	}
	return "gcr.io/acme-prod/whoami@" + digest
}

// sight is what a container sees of itself.
type sight struct {
	UID, GID                            int
	Server, Secret, Token, Hosts, Write string
	Root                                []string
}

// looks runs a pod and returns what it sees. change changes the pod before.
func looks(t *testing.T, image string, change func(*corev1.PodSpec)) sight {
	t.Helper()
	spec := corev1.PodSpec{Containers: []corev1.Container{app(image)}, TerminationGracePeriodSeconds: ptr.To[int64](1)}
	spec.Containers[0].ReadinessProbe = httpProbe("/")
	change(&spec)
	d := deploy(t, 1, spec)
	awaitPods(t, d, "ready", func(pods []corev1.Pod) bool { return len(pods) == 1 && all(pods, isReady) })
	body, _ := get(t, "http://"+list(t, d)[0].Status.PodIP+":8080/")
	_, body, _ = strings.Cut(body, "\r\n\r\n")
	var s sight
	if err := json.Unmarshal([]byte(body), &s); err != nil {
		t.Fatalf("%v: %s", err, body)
	}
	return s
}

func TestAnImageOfItsOwnRunsRootlessOnItsFilesAlone(t *testing.T) {
	image := load(t, "1000:1001")
	s := looks(t, image, func(spec *corev1.PodSpec) {
		spec.SecurityContext = &corev1.PodSecurityContext{
			RunAsNonRoot: new(true), RunAsUser: ptr.To[int64](65532), RunAsGroup: ptr.To[int64](65533),
		}
		spec.Containers[0].SecurityContext = &corev1.SecurityContext{ReadOnlyRootFilesystem: new(true)}
		spec.Containers[0].VolumeMounts = []corev1.VolumeMount{{Name: "given", MountPath: "/etc/given"}}
		spec.Volumes = []corev1.Volume{{Name: "given", VolumeSource: corev1.VolumeSource{Secret: &corev1.SecretVolumeSource{
			SecretName: "given", Optional: new(true),
		}}}}
	})
	if s.UID != 65532 || s.GID != 65533 || !strings.Contains(s.Write, "read-only file system") {
		t.Errorf("it runs as %d:%d, and a write ends with %q", s.UID, s.GID, s.Write)
	}
	for _, name := range s.Root {
		if !slices.Contains([]string{"whoami", "etc", "dev", "proc", "var", "written"}, name) {
			t.Errorf("it sees the machine's /%s", name)
		}
	}
	if s.Server != netns.HostAddress || s.Token == "" || s.Hosts == "" || s.Secret != "" {
		t.Errorf("it sees the API server at %q, a token of %d bytes, names of %d bytes, and the secret %q", s.Server, len(s.Token), len(s.Hosts),
			s.Secret)
	}
	plain := looks(t, image, func(*corev1.PodSpec) {})
	if plain.UID != 1000 || plain.GID != 1001 || plain.Write != "" {
		t.Errorf("without a security context it runs as %d:%d, and a write ends with %q", plain.UID, plain.GID, plain.Write)
	}
}

func TestRunAsNonRootIsCheckedBeforeTheStart(t *testing.T) {
	for user, want := range map[string]string{
		"": "container has runAsNonRoot and image will run as root", "0": "container has runAsNonRoot and image will run as root",
		"web": "container has runAsNonRoot and image has non-numeric user (web), cannot verify user is non-root",
	} {
		spec := corev1.PodSpec{Containers: []corev1.Container{app(load(t, user))}}
		spec.SecurityContext = &corev1.PodSecurityContext{RunAsNonRoot: new(true)}
		d := deploy(t, 1, spec)
		awaitPods(t, d, want, func(pods []corev1.Pod) bool {
			return len(pods) == 1 && len(pods[0].Status.ContainerStatuses) == 1 && pods[0].Status.ContainerStatuses[0].State.Waiting != nil &&
				pods[0].Status.ContainerStatuses[0].State.Waiting.Reason == "CreateContainerConfigError" &&
				pods[0].Status.ContainerStatuses[0].State.Waiting.Message == want
		})
	}
}
