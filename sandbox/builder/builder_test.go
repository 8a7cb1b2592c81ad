package builder

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// source packs files as Turnout uploads them.
func source(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var packed bytes.Buffer
	zipper := gzip.NewWriter(&packed)
	writer := tar.NewWriter(zipper)
	for name, content := range files {
		if err := writer.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(writer, content); err != nil {
			t.Fatal(err)
		}
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zipper.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

// run builds these files by these steps, each "name arg arg…".
func run(t *testing.T, files map[string]string, images []string, steps ...string) (cloudbuildtest.Result, string, *registry.Registry) {
	t.Helper()
	store, err := registry.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	packed := source(t, files)
	b := New(Config{Registry: store, Dir: t.TempDir(), Source: func(context.Context, string, string, int64) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(packed)), nil
	}})
	build := &cloudbuildpb.Build{
		Id: "b1", Images: images,
		Source: &cloudbuildpb.Source{Source: &cloudbuildpb.Source_StorageSource{StorageSource: &cloudbuildpb.StorageSource{
			Bucket: "b",
			Object: "o",
		}}},
	}
	for _, step := range steps {
		words := strings.Fields(step)
		build.Steps = append(build.Steps, &cloudbuildpb.BuildStep{Name: words[0], Args: words[1:]})
	}
	result, err := b.Build(t.Context(), build)
	if err != nil {
		t.Fatal(err)
	}
	return result, b.Log("b1"), store
}

const docker = "gcr.io/cloud-builders/docker"

func TestBuildsTagsAndPushes(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM python:3.12\nWORKDIR /app\nARG WHO=world\nENV NAME=$WHO\nCOPY . .\nRUN pip install -r requirements.txt\nEXPOSE " +
			"8080\nCMD [\"python\", \"app.py\"]\n",
		"app.py": "print('hello')",
	}
	result, log, images := run(t, files, []string{"r.test/a:1"},
		docker+" build -t r.test/a:1 --build-arg WHO=you .", docker+" push r.test/a:1", "gcr.io/cloud-builders/kubectl get pods")
	if result.Failure != nil || len(result.Images) != 1 {
		t.Fatalf("got %+v; log:\n%s", result, log)
	}
	image, id, err := images.Pull("r.test/a@" + result.Images[0].Digest)
	if err != nil || id != "r.test/a@"+result.Images[0].Digest {
		t.Fatalf("pulling what was pushed: got %q, %v", id, err)
	}
	if got := strings.Join(image.Config.Cmd, " ") + " in " + image.Config.WorkingDir; got != "python app.py in /app" {
		t.Errorf("the image runs %s", got)
	}
	if env := strings.Join(image.Config.Env, " "); !strings.Contains(env, "NAME=you") {
		t.Errorf("the image's environment is %s, want NAME=you in it", env)
	}
	for _, want := range []string{"pip install -r requirements.txt: not executed in the sandbox", "kubectl: not run in the sandbox"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not say %q:\n%s", want, log)
		}
	}
}

func TestSameSourceGivesSameDigest(t *testing.T) {
	digests := map[string]bool{}
	for _, content := range []string{"one", "one", "two"} {
		result, log, _ := run(t, map[string]string{"Dockerfile": "FROM python:3\nCOPY a /a\n", "a": content}, []string{"r.test/a:1"},
			docker+" build -t r.test/a:1 .")
		if len(result.Images) != 1 {
			t.Fatalf("got %+v; log:\n%s", result, log)
		}
		digests[result.Images[0].Digest] = true
	}
	if len(digests) != 2 {
		t.Errorf("got digests %v, want two: one for each content", digests)
	}
}

func TestFailuresSayWhatIsWrong(t *testing.T) {
	fine := "FROM python:3\n"
	for name, c := range map[string]struct{ dockerfile, step, want string }{
		"unknown instruction":   {"FROM python:3\nCOPPY a b\n", " build -t r.test/a:1 .", "unknown instruction: COPPY"},
		"missing file":          {"FROM python:3\nCOPY nothing .\n", " build -t r.test/a:1 .", "Dockerfile line 2: COPY nothing: no such file"},
		"unknown base":          {"FROM golang:1\n", " build -t r.test/a:1 .", "FROM golang:1: the sandbox has python:*"},
		"unknown docker step":   {fine, " compose up", "does not understand docker compose up"},
		"push of nothing built": {fine, " push r.test/b:1", "does not exist locally with the tag: r.test/b:1"},
		"image never built":     {fine, " build -t r.test/other:1 .", "does not exist locally with the tag: r.test/a:1"},
	} {
		t.Run(name, func(t *testing.T) {
			result, log, _ := run(t, map[string]string{"Dockerfile": c.dockerfile}, []string{"r.test/a:1"}, docker+c.step)
			if result.Failure == nil || !strings.Contains(result.Failure.Detail, c.want) {
				t.Errorf("got %+v, want a failure with %q; log:\n%s", result, c.want, log)
			}
		})
	}
}

func TestSourceCannotEscapeItsWorkspace(t *testing.T) {
	result, log, images := run(t, map[string]string{"Dockerfile": "FROM scratch\nCOPY . /\n", "../../evil": "x"}, []string{"r.test/a:1"},
		docker+" build -t r.test/a:1 .")
	if len(result.Images) != 1 {
		t.Fatalf("got %+v; log:\n%s", result, log)
	}
	image, _, err := images.Pull("r.test/a:1")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(image.Root, "evil")); err != nil {
		t.Errorf("the file outside was not put inside: %v", err)
	}
}

func TestAStepThatOnlySleepsIsWaitedFor(t *testing.T) {
	tests := []struct {
		step *cloudbuildpb.BuildStep
		want time.Duration
		is   bool
	}{
		{&cloudbuildpb.BuildStep{Name: "ubuntu", Args: []string{"sleep", "60"}}, time.Minute, true},
		{&cloudbuildpb.BuildStep{Name: "ubuntu", Entrypoint: "sleep", Args: []string{"0.5"}}, 500 * time.Millisecond, true},
		{&cloudbuildpb.BuildStep{Name: "ubuntu", Args: []string{"sleep", "1", "2"}}, 0, false},
		{&cloudbuildpb.BuildStep{Name: "ubuntu", Args: []string{"sleep", "long"}}, 0, false},
		{&cloudbuildpb.BuildStep{Name: "ubuntu", Args: []string{"echo", "1"}}, 0, false},
	}
	for _, tt := range tests {
		got, is := sleeps(tt.step)
		if is != tt.is || is && got != tt.want {
			t.Errorf("%v sleeps %v, %v; want %v, %v", tt.step, got, is, tt.want, tt.is)
		}
	}
}
