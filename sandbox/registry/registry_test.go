package registry

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// built writes the files to a directory and builds it.
func built(t *testing.T, r *Registry, files map[string]string, q BuildRequest) (digest, log string, err error) {
	t.Helper()
	q.Context = t.TempDir()
	for name, content := range files {
		if err := writeFile(filepath.Join(q.Context, name), []byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	var out bytes.Buffer
	q.Log = &out
	digest, err = r.Build(t.Context(), q)
	return digest, out.String(), err
}

func empty(t *testing.T) *Registry {
	t.Helper()
	r, err := New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// image builds these files, pushes the image as r.test/a:1 and pulls it. The build must succeed.
func image(t *testing.T, files map[string]string, q BuildRequest) Image {
	t.Helper()
	r := empty(t)
	digest, log, err := built(t, r, files, q)
	if err != nil {
		t.Fatalf("%v; log:\n%s", err, log)
	}
	if err := r.Push("r.test/a:1", digest); err != nil {
		t.Fatal(err)
	}
	i, _, err := r.Pull("r.test/a:1")
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func content(t *testing.T, i Image, path string) string {
	t.Helper()
	text, err := os.ReadFile(i.Config.Path(i.Root, path))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestStagesPassFilesOn(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "FROM python:3.12 AS Make\nWORKDIR /out\nCOPY app.py made.py\n" +
			"FROM python:3.12\nWORKDIR /app\nCOPY --from=make /out/made.py ./\nCOPY --from=0 /out /zero\nCMD [\"python\", \"made.py\"]\n",
		"app.py": "print(1)\n", "secret.txt": "not copied",
	}
	i := image(t, files, BuildRequest{})
	if got := content(t, i, "/app/made.py"); got != "print(1)\n" {
		t.Errorf("/app/made.py is %q", got)
	}
	if got := content(t, i, "/zero/made.py"); got != "print(1)\n" {
		t.Errorf("/zero/made.py is %q", got)
	}
	if _, err := os.Stat(filepath.Join(i.Root, "out")); !os.IsNotExist(err) {
		t.Errorf("the last stage has files of the first that no COPY names: %v", err)
	}
	if !slices.Equal(i.Config.Cmd, []string{"python", "made.py"}) || i.Config.WorkingDir != "/app" {
		t.Errorf("got %+v", i.Config)
	}
}

func TestTargetEndsTheBuild(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM python:3.12 AS test\nENV STAGE=test\nFROM test AS ship\nENV STAGE=ship\n"}
	for target, want := range map[string]string{"": "STAGE=ship", "test": "STAGE=test", "SHIP": "STAGE=ship"} {
		if i := image(t, files, BuildRequest{Target: target}); !slices.Contains(i.Config.Env, want) {
			t.Errorf("target %q: environment %v, want %s", target, i.Config.Env, want)
		}
	}
	if _, _, err := built(t, empty(t), files, BuildRequest{Target: "none"}); err == nil || !strings.Contains(err.Error(), `no stage "none"`) {
		t.Errorf("got %v", err)
	}
}

func TestArgumentsAreReplacedWhereDockerReplacesThem(t *testing.T) {
	files := map[string]string{
		"Dockerfile": "ARG VERSION=3.12\nFROM python:${VERSION}\nARG VERSION\nARG WHO=world\nARG UNSET\n" +
			"ENV GREETING=\"Hello $WHO\" PLAIN=${UNSET:-none} PYTHON=$VERSION\nENV WHO=env\nENV AGAIN=$WHO\nWORKDIR /$WHO\nCMD echo $WHO\n",
	}
	i := image(t, files, BuildRequest{Args: map[string]string{"WHO": "you"}})
	for _, want := range []string{"GREETING=Hello you", "PLAIN=none", "PYTHON=3.12", "AGAIN=env"} {
		if !slices.Contains(i.Config.Env, want) {
			t.Errorf("no %s in %v", want, i.Config.Env)
		}
	}
	if i.Config.WorkingDir != "/env" {
		t.Errorf("the working directory is %s", i.Config.WorkingDir)
	}
	// The shell expands the shell form when the container starts.
	if want := []string{"/bin/sh", "-c", "echo $WHO"}; !slices.Equal(i.Config.Cmd, want) {
		t.Errorf("the command is %q, want %q", i.Config.Cmd, want)
	}
}

func TestShellAndExecForms(t *testing.T) {
	i := image(t, map[string]string{"Dockerfile": "FROM python:3.12\nCMD [\"lost\"]\nENTRYPOINT [\"python\", \"-u\"]\nCMD " +
		"[\"app.py\"]\nSTOPSIGNAL SIGINT\nEXPOSE 8080 9090/udp\nUSER nobody\n"}, BuildRequest{})
	if !slices.Equal(i.Config.Entrypoint, []string{"python", "-u"}) || !slices.Equal(i.Config.Cmd, []string{"app.py"}) {
		t.Errorf("got %q and %q", i.Config.Entrypoint, i.Config.Cmd)
	}
	if i.Config.StopSignal != "SIGINT" || i.Config.User != "nobody" || !slices.Equal(i.Config.ExposedPorts, []string{"8080", "9090/udp"}) {
		t.Errorf("got %+v", i.Config)
	}
	i = image(t, map[string]string{"Dockerfile": "FROM python:3.12\nCMD [\"of the base\"]\nENTRYPOINT exec python app.py\n"}, BuildRequest{})
	if !slices.Equal(i.Config.Entrypoint, []string{"/bin/sh", "-c", "exec python app.py"}) || i.Config.Cmd != nil {
		t.Errorf("an ENTRYPOINT does not reset the earlier CMD: got %q and %q", i.Config.Entrypoint, i.Config.Cmd)
	}
}

func TestBadDockerfileNamesItsLine(t *testing.T) {
	for name, c := range map[string]struct{ dockerfile, want string }{
		"no such base": {"FROM ubuntu:24.04\n", "Dockerfile line 1: FROM ubuntu:24.04: the sandbox has python:*"},
		"no such file": {
			"FROM python:3.12\n\nCOPY missing.py /app/\n",
			"Dockerfile line 3: COPY missing.py: no such file in the build context",
		},
		"out of context": {"FROM python:3.12\nCOPY ../../etc/passwd /\n", "Dockerfile line 2: COPY ../../etc/passwd: no such file"},
		"no such stage":  {"FROM python:3.12\nCOPY --from=later /a /b\n", "line 2: COPY --from=later: no such stage before it"},
		"no network":     {"FROM python:3.12\nADD https://example.com/a.tar /\n", "the sandbox has no network"},
		"no instruction": {"FROM python:3.12\nCOPPY . .\n", "unknown instruction: COPPY"},
		"empty":          {"", "file with no instructions"},
	} {
		_, _, err := built(t, empty(t), map[string]string{"Dockerfile": c.dockerfile}, BuildRequest{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", name, err, c.want)
		}
	}
	if _, _, err := built(t, empty(t), nil, BuildRequest{Dockerfile: "docker/Dockerfile"}); err == nil ||
		!strings.Contains(err.Error(), "docker/Dockerfile") {
		t.Errorf("no Dockerfile: %v", err)
	}
}

func TestDigestTellsContentAndNothingElse(t *testing.T) {
	files := map[string]string{"Dockerfile": "FROM python:3.12\nCOPY app.py /app/\n", "app.py": "1"}
	one, _, err := built(t, empty(t), files, BuildRequest{})
	if err != nil {
		t.Fatal(err)
	}
	again, _, _ := built(t, empty(t), files, BuildRequest{})
	files["app.py"] = "2"
	other, _, _ := built(t, empty(t), files, BuildRequest{})
	if one != again || one == other || !strings.HasPrefix(one, "sha256:") {
		t.Errorf("got %s, again %s, of other content %s", one, again, other)
	}
}

func TestPullByTagAndByDigest(t *testing.T) {
	r := empty(t)
	one, _, err := built(t, r, map[string]string{"Dockerfile": "FROM scratch\nENV N=1\n"}, BuildRequest{})
	if err != nil {
		t.Fatal(err)
	}
	two, _, _ := built(t, r, map[string]string{"Dockerfile": "FROM scratch\nENV N=2\n"}, BuildRequest{})
	for _, push := range [][2]string{{"r.test/a", one}, {"r.test/a:1", one}, {"r.test/a:1", two}} {
		if err := r.Push(push[0], push[1]); err != nil {
			t.Fatal(err)
		}
	}
	for ref, want := range map[string]string{
		"r.test/a": one, "r.test/a:latest": one, "r.test/a:1": two, "r.test/a@" + one: one,
		"r.test/a:1@" + one: one,
	} {
		i, id, err := r.Pull(ref)
		if err != nil || i.Digest != want || id != "r.test/a@"+want {
			t.Errorf("%s: %s as %s, %v; want %s", ref, i.Digest, id, err, want)
		}
	}
	for _, ref := range []string{"r.test/a:2", "r.test/b:1", "r.test/b@" + one} {
		if _, _, err := r.Pull(ref); !errors.Is(err, ErrNotFound) {
			t.Errorf("%s: %v, want not found", ref, err)
		}
	}
	if _, _, err := r.Pull("r.test/A:1"); !errors.Is(err, ErrInvalidName) {
		t.Errorf("a name with a capital: %v", err)
	}
	if err := r.Push("r.test/a:3", "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, ErrNotFound) {
		t.Errorf("pushing an image that was never built: %v", err)
	}
}

func TestLinksOutOfTheContextAreLeftOut(t *testing.T) {
	r, dir := empty(t), t.TempDir()
	for name, text := range map[string]string{"Dockerfile": "FROM scratch\nCOPY . /app\n", "real.txt": "here", ".git/config": "secret"} {
		if err := writeFile(filepath.Join(dir, name), []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	for link, to := range map[string]string{"inside.txt": "real.txt", "outside.txt": "/etc/passwd"} {
		if err := os.Symlink(to, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	digest, err := r.Build(t.Context(), BuildRequest{Context: dir})
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(r.images[digest].Root, "app")
	if text, err := os.ReadFile(filepath.Join(root, "inside.txt")); err != nil || string(text) != "here" {
		t.Errorf("a link inside: %q, %v", text, err)
	}
	for _, name := range []string{"outside.txt", ".git/config"} {
		if _, err := os.Stat(filepath.Join(root, name)); !os.IsNotExist(err) {
			t.Errorf("the image has %s", name)
		}
	}
}
