package githubapp_test

import (
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func TestSourceReadsACommit(t *testing.T) {
	w := newWorld(t)
	s := githubapp.Source{GitHub: w.client}
	first, err := w.repo.Head("main")
	check(t, err)
	second := w.commit("main", "cloudbuild.yaml", "steps: [{}]\n")

	file, err := s.File(t.Context(), "acme/shop", first, "cloudbuild.yaml")
	if string(file) != "steps: []\n" || err != nil {
		t.Errorf("file %q, %v; want that of the first commit", file, err)
	}
	for _, path := range []string{"nothing.yaml", "no/such/file"} {
		if _, err := s.File(t.Context(), "acme/shop", first, path); !errors.Is(err, githubapp.ErrNoFile) {
			t.Errorf("file %s: %v, want ErrNoFile", path, err)
		}
	}
	for commit, want := range map[string]bool{first: true, strings.Repeat("d", 40): false} {
		if has, err := s.HasCommit(t.Context(), "acme/shop", commit); has != want || err != nil {
			t.Errorf("commit %.7s: %v, %v; want %v", commit, has, err, want)
		}
	}
	archive, err := s.Archive(t.Context(), "acme/shop", second)
	check(t, err)
	defer archive.Close()
	files, err := githubtest.ReadTarball(archive)
	check(t, err)
	found := false
	for name, content := range files {
		found = found || strings.HasSuffix(name, "cloudbuild.yaml") && content == "steps: [{}]\n"
	}
	if !found {
		t.Errorf("the archive has %v, want the second commit's cloudbuild.yaml", files)
	}
	_, _ = io.Copy(io.Discard, archive)
}

func TestSourceComparesCommits(t *testing.T) {
	w := newWorld(t)
	first, err := w.repo.Head("main")
	check(t, err)
	second := w.commit("main", "x", "y")
	for _, tt := range []struct {
		ancestor, descendant string
		want                 bool
	}{
		{first, second, true},
		{second, first, false},
		{first, first, true},
		{strings.Repeat("d", 40), second, false},
	} {
		got, err := githubapp.Source{GitHub: w.client}.IsAncestor(t.Context(), "acme/shop", tt.ancestor, tt.descendant)
		if got != tt.want || err != nil {
			t.Errorf("%s in %s: %v, %v; want %v", tt.ancestor[:7], tt.descendant[:7], got, err, tt.want)
		}
	}
}

func TestCloneURLIsThatOfTheWebNotOfTheAPI(t *testing.T) {
	w := newWorld(t)
	for address, want := range map[string]string{
		"":                                    "https://github.com/acme/shop.git",
		"https://github.com/":                 "https://github.com/acme/shop.git",
		"https://ghe.example.com":             "https://ghe.example.com/acme/shop.git",
		"https://example.com/github":          "https://example.com/github/acme/shop.git",
		"https://ghe.example.com:8443/api/v3": "https://ghe.example.com:8443/acme/shop.git",
	} {
		client := w.newClient(githubapp.Config{URL: address})
		if got := (githubapp.Source{GitHub: client}).CloneURL("acme/shop"); got != want {
			t.Errorf("the status of %q is %s, want %s", address, got, want)
		}
	}
}

// TestRenamedRepositoryIsKnownByItsNumber: GitHub redirects the old name until another
// repository takes it.
func TestRenamedRepositoryIsKnownByItsNumber(t *testing.T) {
	w := newWorld(t)
	s := githubapp.Source{GitHub: w.client}
	merged, err := w.repo.Head("main")
	check(t, err)
	unmerged := w.commit("topic", "x", "y")
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
		t.Error("GitHub redirected nobody")
	}
	taken := w.other("acme/shop")
	w.app.InstallOn(taken, nil)
	expect("acme/shop", taken.ID)
	expect("acme/store", w.repo.ID)
}
