package githubtest

import (
	"errors"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// clone runs git in an empty repository, without credentials, and returns the directory and
// git's output.
func clone(t *testing.T, args ...string) (dir, said string, err error) {
	t.Helper()
	dir = t.TempDir()
	for _, line := range [][]string{{"init", "--quiet"}, args} {
		cmd := exec.CommandContext(t.Context(), "git", line...)
		cmd.Dir = dir
		cmd.Env = append(gitDir(dir).environ(), "GIT_TERMINAL_PROMPT=0")
		var out []byte
		out, err = cmd.CombinedOutput()
		said += string(out)
	}
	return dir, said, err
}

func TestGitFetchesAnyCommitOfABranch(t *testing.T) {
	w := newWorld(t, Config{Enterprise: true})
	first, err := w.repo.Head("main")
	check(t, err)
	_, err = w.repo.CommitFiles(Commit{Message: "Second", Files: Text(map[string]string{"app.py": "print('v2')\n"})})
	check(t, err)
	for _, protocol := range []string{"0", "2"} { // by default, the old one refuses commits that are not heads
		for _, address := range []string{"/acme/shop.git", "/acme/shop", "/ACME/Shop.git"} {
			dir, said, err := clone(t, "-c", "protocol.version="+protocol, "fetch", "--depth=1", w.URL()+address, first)
			if err != nil {
				t.Errorf("protocol %s, %s: %v: %s", protocol, address, err, said)
				continue
			}
			got, err := gitDir(filepath.Join(dir, ".git")).git("show", "FETCH_HEAD:app.py")
			if err != nil || got != "print('v1')" {
				t.Errorf("protocol %s, %s: the file has %q, %v", protocol, address, got, err)
			}
		}
	}
	dir, said, err := clone(t, "clone", w.repo.WebURL()+".git", "all")
	check(t, err)
	if content, err := os.ReadFile(filepath.Join(dir, "all", "app.py")); err != nil || string(content) != "print('v2')\n" {
		t.Errorf("cloned %q, %v: %s", content, err, said)
	}
}

func TestGitRefusesWhatGitHubRefuses(t *testing.T) {
	w := newWorld(t, Config{})
	_, err := w.AddRepository("acme/secret", RepositoryConfig{Private: true, Files: Text(map[string]string{"a": "b"})})
	check(t, err)
	unknown := strings.Repeat("d", 40)
	for _, tt := range []struct{ name, address, revision, want string }{
		{"a private repository", w.URL() + "/acme/secret.git", "main", "could not read Username"},
		{"no repository", w.URL() + "/acme/nothing.git", "main", "could not read Username"},
		{"wrong credentials", strings.Replace(w.URL(), "://", "://x:y@", 1) + "/acme/secret.git", "main", "Authentication failed"},
		{"an unknown commit", w.URL() + "/acme/shop.git", unknown, "not our ref " + unknown},
		{"an unknown branch", w.URL() + "/acme/shop.git", "topic", "couldn't find remote ref topic"},
	} {
		if _, said, err := clone(t, "fetch", tt.address, tt.revision); err == nil || !strings.Contains(said, tt.want) {
			t.Errorf("%s: got %v, want git to say %q: %s", tt.name, err, tt.want, said)
		}
	}
	w.SetOutage(true)
	if _, said, err := clone(t, "fetch", w.repo.WebURL(), "main"); err == nil || !strings.Contains(said, "error: 503") {
		t.Errorf("during an outage: got %v: %s", err, said)
	}
}

func TestWhatGitIsNotServedIsAViolation(t *testing.T) {
	w := newWorld(t, Config{})
	for _, request := range [][2]string{
		{http.MethodGet, "/acme/shop.git/info/refs?service=git-receive-pack"},
		{http.MethodGet, "/acme/shop.git/info/refs"},
		{http.MethodPost, "/acme/shop.git/git-receive-pack"},
		{http.MethodGet, "/acme/shop.git/HEAD"},
	} {
		r, err := http.NewRequestWithContext(t.Context(), request[0], w.URL()+request[1], http.NoBody)
		check(t, err)
		response, err := http.DefaultClient.Do(r)
		check(t, err)
		response.Body.Close()
		if n := len(w.Violations()); n != 1 || response.StatusCode != http.StatusNotImplemented {
			t.Errorf("%v: %s, %d violations, want 1", request, response.Status, n)
		}
		w.ForgetViolations()
	}
}

func TestAFileIsReadAtItsCommit(t *testing.T) {
	w := newWorld(t, Config{})
	first, err := w.repo.Head("main")
	check(t, err)
	_, err = w.repo.CommitFiles(Commit{Message: "Second", Files: Text(map[string]string{"deploy/cloudbuild.yaml": "new\n"})})
	check(t, err)
	repo := w.Repository("Acme/shop")
	for ref, want := range map[string]string{first: "steps: []\n", "main": "new\n", "refs/heads/main": "new\n"} {
		if got, err := repo.File(ref, "deploy/cloudbuild.yaml"); err != nil || string(got) != want {
			t.Errorf("at %s the file has %q, %v, want %q", ref, got, err, want)
		}
	}
	for _, missing := range [][2]string{
		{"main", "nothing"},
		{"main", "deploy"},
		{"main", "deploy/"},
		{"main", "../app.py"},
		{"topic", "app.py"},
	} {
		if got, err := repo.File(missing[0], missing[1]); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v: got %q, %v", missing, got, err)
		}
	}
	if repo := w.Repository("acme/nothing"); repo != nil {
		t.Errorf("found %s", repo.FullName())
	}
}
