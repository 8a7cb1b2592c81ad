package githubapp_test

import (
	"os"
	"testing"

	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// world is a GitHub Enterprise Server with one repository, the App installed on it, and its
// client.
type world struct {
	t      *testing.T
	github *githubtest.Server
	app    *githubtest.App
	repo   *githubtest.Repository
	client *githubapp.Client
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t, githubtest.Config{Enterprise: true})}
	raw, err := os.ReadFile("../../app.yml")
	check(t, err)
	var manifest struct {
		Permissions map[string]string `json:"default_permissions"` // no test has more
	}
	check(t, yaml.Unmarshal(raw, &manifest))
	w.app, err = w.github.AddApp(githubtest.AppConfig{Slug: "turnout", Permissions: manifest.Permissions})
	check(t, err)
	w.repo, err = w.github.AddRepository("acme/shop", githubtest.RepositoryConfig{
		Files: githubtest.Text(map[string]string{"app.py": "print('v1')\n", "cloudbuild.yaml": "steps: []\n"}),
	})
	check(t, err)
	check(t, w.repo.SetRole(w.github.AddUser("wanda"), "maintain"))
	w.client = w.newClient(githubapp.Config{URL: w.github.URL()})
	w.app.InstallOn(w.repo, nil)
	return w
}

// newClient makes a client with the App's id and key.
func (w *world) newClient(cfg githubapp.Config) *githubapp.Client {
	w.t.Helper()
	cfg.AppID, cfg.PrivateKey = w.app.ID, w.app.PrivateKeyPEM()
	c, err := githubapp.New(cfg)
	check(w.t, err)
	return c
}

// commit commits one file to a branch.
func (w *world) commit(branch, path, content string) (sha string) {
	w.t.Helper()
	sha, err := w.repo.CommitFiles(githubtest.Commit{
		Branch: branch, Message: "two", Files: githubtest.Text(map[string]string{path: content}),
	})
	check(w.t, err)
	return sha
}

// other adds a repository without an installation.
func (w *world) other(name string) *githubtest.Repository {
	w.t.Helper()
	r, err := w.github.AddRepository(name, githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"a": "b"})})
	check(w.t, err)
	return r
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
