package bot_test

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// TestRenamedRepositoryIsKnownByItsNumber: GitHub sends whoever asks under the old name on, until another repository
// has it.
func TestRenamedRepositoryIsKnownByItsNumber(t *testing.T) {
	w := newWorld(t)
	s := githubapp.Source{GitHub: w.client}
	merged, err := w.repo.Head("main")
	check(t, err)
	unmerged, err := w.repo.CommitFiles(githubtest.Commit{
		Branch: "topic", Message: "two",
		Files: githubtest.Text(map[string]string{"x": "y"}),
	})
	check(t, err)
	expect := func(name string, id int64) {
		t.Helper()
		if got, err := s.RepositoryID(t.Context(), name); got != id || err != nil {
			t.Errorf("%s has number %d, %v; want %d", name, got, err, id)
		}
	}
	contains := func(name string) {
		t.Helper()
		for commit, want := range map[string]bool{merged: true, unmerged: false} {
			if got, err := s.BranchContains(t.Context(), name, "main", commit); got != want || err != nil {
				t.Errorf("main of %s contains %.7s: %v, %v; want %v", name, commit, got, err, want)
			}
		}
		if _, err := s.BranchContains(t.Context(), name, "main", strings.Repeat("d", 40)); !errors.Is(err, githubapp.ErrUnknown) {
			t.Errorf("a commit that %s does not have: %v, want ErrUnknown", name, err)
		}
		if _, err := s.BranchContains(t.Context(), name, "none", merged); !errors.Is(err, githubapp.ErrUnknown) {
			t.Errorf("a branch that %s does not have: %v, want ErrUnknown", name, err)
		}
	}
	expect("acme/shop", w.repo.ID)
	contains("acme/shop")
	check(t, w.repo.Rename("store"))
	for _, name := range []string{"acme/shop", "acme/store", "ACME/Shop"} {
		expect(name, w.repo.ID)
		contains(name)
	}
	if !slices.ContainsFunc(w.github.Requests(), func(r githubtest.Request) bool { return r.Status == http.StatusMovedPermanently }) {
		t.Error("nobody was sent on")
	}
	taken, err := w.github.AddRepository("acme/shop", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"x": "y"})})
	check(t, err)
	w.app.InstallOn(taken, nil)
	expect("acme/shop", taken.ID)
	expect("acme/store", w.repo.ID)
}
