package bot_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func TestSourceReadsACommit(t *testing.T) {
	w := newWorld(t)
	s := githubapp.Source{GitHub: w.client}
	first, err := w.repo.Head("main")
	check(t, err)
	second, err := w.repo.CommitFiles(githubtest.Commit{
		Message: "two",
		Files:   githubtest.Text(map[string]string{"cloudbuild.yaml": "steps: [{}]\n"}),
	})
	check(t, err)

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
	for _, tt := range []struct {
		ancestor, descendant string
		want                 bool
	}{
		{first, second, true},
		{second, first, false},
		{first, first, true},
		{strings.Repeat("d", 40), second, false},
	} {
		if got, err := s.IsAncestor(t.Context(), "acme/shop", tt.ancestor, tt.descendant); got != tt.want || err != nil {
			t.Errorf("%s in %s: %v, %v; want %v", tt.ancestor[:7], tt.descendant[:7], got, err, tt.want)
		}
	}
	_, _ = io.Copy(io.Discard, archive)
}

func TestGitHubWithoutTheInstallationSaysWhatToDo(t *testing.T) {
	w := newWorld(t)
	_, err := w.github.AddRepository("acme/other", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	_, err = w.client.Head(t.Context(), "acme/other", "main")
	if err == nil || !strings.Contains(err.Error(), "the App is not installed on acme/other") {
		t.Errorf("error %v, want one that says where to install the App", err)
	}
}

func TestGitHubWaitsOutAShortSecondaryLimitAndReportsALongOne(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	w.github.Inject(githubtest.Fault{
		Kind: githubtest.SecondaryRateLimit, Method: "POST", Route: "/repos/{owner}/{repo}/deployments",
		RetryAfter: time.Second,
	})
	untilPublished(t, w, w.publisher(), rel.Name)
	if n := len(w.repo.Deployments()); n != 1 {
		t.Errorf("%d deployments after a short limit, want 1", n)
	}
	w.github.Inject(githubtest.Fault{Kind: githubtest.SecondaryRateLimit, Method: "GET", RetryAfter: time.Minute})
	_, err := w.client.Head(t.Context(), "acme/shop", "main")
	if err == nil {
		t.Error("a limit of a minute was waited out by the call itself")
	}
}

func TestGitHubAddressIsChecked(t *testing.T) {
	w := newWorld(t)
	for address, good := range map[string]bool{
		"": true, "https://github.com": true, "https://ghe.example.com": true, "https://ghe.example.com/api/v3/": true, "ghe.example.com": false,
		"ftp://x": false,
	} {
		_, err := githubapp.New(githubapp.Config{URL: address, AppID: 1, PrivateKey: w.app.PrivateKeyPEM()})
		if (err == nil) != good {
			t.Errorf("address %q: %v", address, err)
		}
	}
	for _, cfg := range []githubapp.Config{{AppID: 1}, {PrivateKey: w.app.PrivateKeyPEM()}} {
		if _, err := githubapp.New(cfg); err == nil || !strings.Contains(err.Error(), "TURNOUT_") {
			t.Errorf("incomplete configuration: %v, want the variable's name", err)
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
		client, err := githubapp.New(githubapp.Config{URL: address, AppID: 1, PrivateKey: w.app.PrivateKeyPEM()})
		check(t, err)
		if got := (githubapp.Source{GitHub: client}).CloneURL("acme/shop"); got != want {
			t.Errorf("of %q it is %s, want %s", address, got, want)
		}
	}
}
