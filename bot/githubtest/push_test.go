package githubtest

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// inClone runs git in a clone.
func inClone(t *testing.T, dir string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", args...)
	cmd.Dir = dir
	cmd.Env = append(gitDir(dir).environ(), "GIT_TERMINAL_PROMPT=0")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// pushes changes the application in a clone and pushes the branch as somebody.
func pushes(t *testing.T, w *world, as, branch, version string) (said string, err error) {
	t.Helper()
	dir, _, err := clone(t, "clone", w.repo.WebURL()+".git", "all")
	check(t, err)
	dir = filepath.Join(dir, "all")
	check(t, os.WriteFile(filepath.Join(dir, "app.py"), []byte("print('"+version+"')\n"), 0o600))
	said, err = inClone(t, dir, "-c", "user.name=Alice", "-c", "user.email=alice@example.com",
		"commit", "--quiet", "--all", "--message", version)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	to := strings.Replace(w.repo.WebURL(), "://", "://"+as, 1) + ".git"
	return inClone(t, dir, "push", to, "HEAD:"+branch)
}

func TestAPushMovesABranchAndReachesApps(t *testing.T) {
	w := newWorld(t, Config{Pushes: true})
	before, err := w.repo.Head("main")
	check(t, err)
	for _, as := range []string{w.writer.Login + ":any@", w.writer.Login + ":@"} {
		if said, err := pushes(t, w, as, "main", as); err != nil {
			t.Fatalf("as %s: %v: %s", as, err, said)
		}
		after, err := w.repo.Head("main")
		check(t, err)
		pushed, err := w.app.WaitForDelivery(t.Context(), func(d Delivery) bool {
			return d.Event == "push" && strings.Contains(string(d.Payload), `"after":"`+after+`"`)
		})
		check(t, err)
		for _, want := range []string{
			`"before":"` + before + `"`, `"ref":"refs/heads/main"`, `"pusher":{"email":"` + w.writer.Email, `"forced":false`,
		} {
			if !strings.Contains(string(pushed.Payload), want) {
				t.Errorf("the event lacks %s: %s", want, pushed.Payload)
			}
		}
		before = after
	}
	if n := len(w.Violations()); n > 0 {
		t.Errorf("%d violations", n)
	}
}

func TestAPushNeedsTheRightToWrite(t *testing.T) {
	w := newWorld(t, Config{Pushes: true})
	before, err := w.repo.Head("main")
	check(t, err)
	rita := w.AddUser("rita")
	check(t, w.repo.SetRole(rita, "read"))
	for as, want := range map[string]string{"": "could not read Username", "rita:x@": "403", "nobody:x@": "Authentication failed"} {
		if said, err := pushes(t, w, as, "main", "v2"); err == nil || !strings.Contains(said, want) {
			t.Errorf("as %q: got %v, want git to say %q: %s", as, err, want, said)
		}
	}
	w.SetOutage(true)
	if _, _, err := clone(t, "clone", w.repo.WebURL()); err == nil {
		t.Error("cloned during an outage")
	}
	w.SetOutage(false)
	if after, err := w.repo.Head("main"); err != nil || after != before {
		t.Errorf("main is at %s, %v; want %s", after, err, before)
	}
}
