package githubtest

import (
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// proposes opens a pull request that sets files.
func proposes(t *testing.T, w *world, branch string, files map[string]string) *PullRequest {
	t.Helper()
	_, err := w.repo.CommitFiles(Commit{Branch: branch, Message: branch, Files: Text(files), Author: w.writer})
	check(t, err)
	pr, err := w.repo.OpenPullRequest(NewPullRequest{Title: "Add " + branch, Head: branch, Author: w.writer})
	check(t, err)
	return pr
}

// atMain is a file's content on the main branch; empty if there is none.
func atMain(t *testing.T, w *world, file string) string {
	t.Helper()
	head, err := w.repo.Head("main")
	check(t, err)
	text, _ := gitDir(w.repo.GitDir()).file(head, file)
	return text
}

func TestARevertUndoesItsPullRequestAlone(t *testing.T) {
	for name, merge := range map[string]func(*PullRequest, *User) (string, error){
		"a merge commit": (*PullRequest).Merge, "one commit": (*PullRequest).Squash, "rebased": (*PullRequest).Rebase,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, Config{})
			bad := proposes(t, w, "bad", map[string]string{"app.py": "print('bad')\n", "new.py": "1\n"})
			if _, err := bad.Revert(w.writer); err == nil || !strings.Contains(err.Error(), "not merged") {
				t.Errorf("before its merge: %v", err)
			}
			later := proposes(t, w, "later", map[string]string{"later.py": "2\n"})
			for _, pr := range []*PullRequest{bad, later} {
				_, err := merge(pr, w.writer)
				check(t, err)
			}
			if _, err := bad.Revert(w.reader); err == nil || !strings.Contains(err.Error(), "may not write") {
				t.Errorf("as a reader: %v", err)
			}
			revert, err := bad.Revert(w.writer)
			check(t, err)
			if _, err := bad.Revert(w.writer); err == nil || !strings.Contains(err.Error(), "revert-1-bad exists already") {
				t.Errorf("twice: %v", err)
			}
			_, err = merge(revert, w.writer)
			check(t, err)
			if app, made, kept := atMain(t, w, "app.py"), atMain(t, w, "new.py"), atMain(t, w, "later.py"); app != "print('v1')\n" ||
				made != "" || kept != "2\n" {
				t.Errorf("app.py is %q, new.py %q, later.py %q", app, made, kept)
			}
		})
	}
}

func TestARevertOfChangedLinesIsRefused(t *testing.T) {
	w := newWorld(t, Config{})
	bad := proposes(t, w, "bad", map[string]string{"app.py": "print('bad')\n"})
	_, err := bad.Merge(w.writer)
	check(t, err)
	worse := Text(map[string]string{"app.py": "print('worse')\n"})
	_, err = w.repo.CommitFiles(Commit{Branch: "main", Message: "more", Files: worse, Author: w.writer})
	check(t, err)
	if _, err := bad.Revert(w.writer); err == nil || !strings.Contains(err.Error(), "app.py") {
		t.Errorf("it does not name the file: %v", err)
	}
}

// The button leads to the new pull request.
func TestTheRevertButton(t *testing.T) {
	w := newWorld(t, Config{})
	bad := proposes(t, w, "bad", map[string]string{"app.py": "print('bad')\n"})
	_, err := bad.Merge(w.writer)
	check(t, err)
	form := strings.Replace(bad.WebURL(), "/acme/shop/pull/", "/_sandbox/acme/shop/revert/", 1)
	resp, err := http.PostForm(form, url.Values{"user": {"wanda"}}) //nolint:noctx,gosec // G107: this test's own server
	check(t, err)
	page, err := io.ReadAll(resp.Body)
	check(t, err)
	check(t, resp.Body.Close())
	if !strings.HasSuffix(resp.Request.URL.Path, "/pull/2") || !strings.Contains(string(page), "Reverts acme/shop#1") ||
		!strings.Contains(string(page), "Merge pull request") {
		t.Errorf("%s shows\n%s", resp.Request.URL, page)
	}
}
