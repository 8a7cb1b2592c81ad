package builder

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"

	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// github has a repository acme/shop with two versions of web/version, and the
// private acme/secret. first is the id of the first version.
func github(t *testing.T) (server *githubtest.Server, first string) {
	t.Helper()
	server = githubtest.New(t, githubtest.Config{})
	shop, err := server.AddRepository("acme/shop", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{
		"web/Dockerfile": "FROM scratch\nCOPY version /version\n", "web/version": "one",
	})})
	if err != nil {
		t.Fatal(err)
	}
	if first, err = shop.Head("main"); err != nil {
		t.Fatal(err)
	}
	if _, err := shop.CommitFiles(githubtest.Commit{
		Message: "Second",
		Files:   githubtest.Text(map[string]string{"web/version": "two"}),
	}); err != nil {
		t.Fatal(err)
	}
	_, err = server.AddRepository("acme/secret",
		githubtest.RepositoryConfig{Private: true, Files: githubtest.Text(map[string]string{"a": "b"})})
	if err != nil {
		t.Fatal(err)
	}
	return server, first
}

// buildGit builds a source with one docker build that starts in a directory.
func buildGit(t *testing.T, at string, source *cloudbuildpb.GitSource, dir string) (cloudbuildtest.Result, string, *registry.Registry) {
	t.Helper()
	store, err := registry.New(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	b := New(Config{Registry: store, Dir: t.TempDir(), GitHub: at})
	result, err := b.Build(t.Context(), &cloudbuildpb.Build{
		Id: "b1", Images: []string{"r.test/a:1"},
		Source: &cloudbuildpb.Source{Source: &cloudbuildpb.Source_GitSource{GitSource: source}},
		Steps:  []*cloudbuildpb.BuildStep{{Name: docker, Dir: dir, Args: []string{"build", "-t", "r.test/a:1", "."}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return result, b.Log("b1"), store
}

func TestAGitSourceIsBuiltAtItsRevision(t *testing.T) {
	server, first := github(t)
	for name, c := range map[string]struct {
		source *cloudbuildpb.GitSource
		dir    string
		want   string
	}{
		"a commit that is no head": {&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop.git", Revision: first}, "web", "one"},
		"a branch":                 {&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop.git", Revision: "main"}, "web", "two"},
		"no revision":              {&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop.git"}, "web", "two"},
		"an address at github.com": {&cloudbuildpb.GitSource{Url: "https://github.com/acme/shop.git", Revision: first}, "web", "one"},
		"the source's directory":   {&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop", Revision: first, Dir: "web"}, "", "one"},
		"an absolute one of a step": {
			&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop", Revision: first, Dir: "api"}, "/workspace/web",
			"one",
		},
		"the step's below the other": {&cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop", Revision: first, Dir: "web/sub"}, "..", "one"},
	} {
		t.Run(name, func(t *testing.T) {
			result, log, images := buildGit(t, server.URL(), c.source, c.dir)
			if len(result.Images) != 1 {
				t.Fatalf("got %+v; log:\n%s", result, log)
			}
			image, _, err := images.Pull("r.test/a:1")
			if err != nil {
				t.Fatal(err)
			}
			if got, err := os.ReadFile(filepath.Join(image.Root, "version")); err != nil || string(got) != c.want {
				t.Errorf("built %q, %v, want %q", got, err, c.want)
			}
			if !strings.Contains(log, "-> FETCH_HEAD") {
				t.Errorf("the log does not say what git fetched:\n%s", log)
			}
		})
	}
}

func TestAGitSourceHasNoHistory(t *testing.T) {
	server, _ := github(t)
	b := New(Config{})
	b.logs["b1"] = &bytes.Buffer{}
	w := &work{Builder: b, id: "b1", workspace: t.TempDir()}
	if err := w.fetchGit(t.Context(), &cloudbuildpb.GitSource{Url: server.URL() + "/acme/shop.git", Revision: "main"}); err != nil {
		t.Fatal(err)
	}
	if err := w.git(t.Context(), "rev-list", "--count", "HEAD"); err != nil {
		t.Fatal(err)
	}
	if log := b.Log("b1"); !strings.HasSuffix(log, "\n1\n") {
		t.Errorf("not one commit was fetched:\n%s", log)
	}
}

func TestAGitSourceThatCannotBeFetchedFailsTheBuildInGitsWords(t *testing.T) {
	server, _ := github(t)
	unknown := strings.Repeat("d", 40)
	for name, c := range map[string]struct{ url, revision, want string }{
		"an unknown commit":      {server.URL() + "/acme/shop.git", unknown, "not our ref " + unknown},
		"a private repository":   {server.URL() + "/acme/secret.git", "main", "could not read Username"},
		"a file of this machine": {"file://" + server.Repository("acme/shop").GitDir(), "main", "transport 'file' not allowed"},
		"a command":              {"ext::sh -c date", "main", "transport 'ext' not allowed"},
		"an address like a flag": {"--upload-pack=date", "main", "blocked"},
	} {
		t.Run(name, func(t *testing.T) {
			result, log, _ := buildGit(t, "", &cloudbuildpb.GitSource{Url: c.url, Revision: c.revision}, "web")
			if result.Failure == nil || result.Failure.Type != cloudbuildpb.Build_FailureInfo_FETCH_SOURCE_FAILED || len(result.Steps) > 0 {
				t.Fatalf("got %+v; log:\n%s", result, log)
			}
			if !strings.Contains(result.Detail, c.want) || !strings.Contains(log, c.want) {
				t.Errorf("%q is not in the detail %q and the log:\n%s", c.want, result.Detail, log)
			}
		})
	}
}
