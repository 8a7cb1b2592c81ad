package doctor

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout"
	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// atGitHub is a GitHub with the App of app.yml, installed on acme/shop, and an application.
type atGitHub struct {
	t            *testing.T
	server       *githubtest.Server
	app          *githubtest.App
	installation *githubtest.Installation
	repo         *githubtest.Repository
	world        *World
	hook         string // where GitHub sends deliveries; nothing there accepts one
}

func newGitHub(t *testing.T) *atGitHub {
	t.Helper()
	g := &atGitHub{t: t, server: githubtest.New(t, githubtest.Config{Enterprise: true})}
	m := turnout.AppManifest()
	hook := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }))
	t.Cleanup(hook.Close)
	var err error
	g.hook = hook.URL + "/webhook"
	g.app, err = g.server.AddApp(githubtest.AppConfig{
		Slug: "turnout", Owner: "acme", Permissions: m.Permissions, Events: m.Events, WebhookURL: g.hook,
	})
	check(t, err)
	g.repo, err = g.server.AddRepository("acme/shop", githubtest.RepositoryConfig{Files: githubtest.Text(map[string]string{"a": "1"})})
	check(t, err)
	g.installation = g.app.InstallOn(g.repo, nil)
	g.world = &World{Applications: []v1alpha1.BlueGreen{{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "shop"}, Spec: v1alpha1.BlueGreenSpec{Repository: "acme/shop"},
	}}}
	return g
}

// loses makes a push whose delivery is not accepted.
func (g *atGitHub) loses(content string) {
	g.t.Helper()
	before := len(g.app.Deliveries())
	_, err := g.repo.CommitFiles(githubtest.Commit{Message: "A change", Files: githubtest.Text(map[string]string{"a": content})})
	check(g.t, err)
	check(g.t, g.server.Wait(g.t.Context(), func() bool {
		return slices.ContainsFunc(g.app.Deliveries()[before:], func(d githubtest.Delivery) bool { return d.Event == "push" && d.Done })
	}))
}

// checks are GitHub's, at a time.
func (g *atGitHub) checks(now time.Time) *GitHub {
	g.t.Helper()
	client, err := githubapp.New(githubapp.Config{URL: g.server.URL(), AppID: g.app.ID, PrivateKey: g.app.PrivateKeyPEM()})
	check(g.t, err)
	return &GitHub{Client: client, World: g.world, Now: now}
}

// found are the findings of each check that has some: code, severity, object and field.
func (g *atGitHub) found() map[string][]string {
	g.t.Helper()
	all := map[string][]string{}
	for _, r := range Run(g.t.Context(), g.checks(time.Now()).Checks()) {
		for _, f := range r.Findings {
			all[r.Check] = append(all[r.Check],
				strings.TrimSpace(strings.Join([]string{string(f.Code), string(f.Severity), f.Object, f.Field}, " ")))
			if f.Severity != SeverityUnknown && (f.Page == "" || f.Users == "") {
				g.t.Errorf("%s: %s says not where to mend it, or what that does to users", r.Check, f.Code)
			}
		}
	}
	return all
}

// What GitHub's checks find is what is wrong at GitHub, and nothing if all is well.
func TestWhatIsWrongAtGitHubIsFound(t *testing.T) {
	t.Parallel()
	m := turnout.AppManifest()
	lesser := maps.Clone(m.Permissions)
	lesser["deployments"] = "read"
	delete(lesser, "issues")
	for name, tt := range map[string]struct {
		change func(*atGitHub)
		want   map[string][]string
	}{
		"all is well": {func(*atGitHub) {}, map[string][]string{}},
		"more than is needed": {func(g *atGitHub) {
			more := maps.Clone(m.Permissions)
			more["contents"] = "write"
			g.app.Grant(more, append(slices.Clone(m.Events), "pull_request"))
		}, map[string][]string{}},
		"the App has less than app.yml": {func(g *atGitHub) { g.app.Grant(lesser, []string{"push"}) }, map[string][]string{
			"app": {
				"Permission Error GitHub App turnout permissions.deployments", "Permission Error GitHub App turnout permissions.issues",
				"Event Error GitHub App turnout events.issue_comment",
			},
			"installations": {"Event Error installation of acme events.issue_comment"},
		}},
		"an owner has not accepted": {func(g *atGitHub) { g.app.InstallOn(g.repo, lesser) }, map[string][]string{
			"installations": {
				"Permission Error installation of acme permissions.deployments", "Permission Error installation of acme permissions.issues",
			},
		}},
		"suspended": {func(g *atGitHub) { g.installation.Suspend() }, map[string][]string{
			"installations": {"Suspended Error installation of acme suspended_at"},
		}},
		"installed nowhere": {func(g *atGitHub) { g.installation.Uninstall() }, map[string][]string{
			"installations": {"NoInstallation Error GitHub App turnout"},
			"repositories":  {"NotInstalledOn Error bluegreen shop/shop spec.repository"},
		}},
		"another repository": {func(g *atGitHub) { g.world.Applications[0].Spec.Repository = "acme/other" }, map[string][]string{
			"repositories": {"NotInstalledOn Error bluegreen shop/shop spec.repository"},
		}},
		"no webhook": {func(g *atGitHub) { g.app.SetWebhookURL("") }, map[string][]string{
			"webhook": {"NoWebhook Error webhook of GitHub App turnout url"},
		}},
		"the address of app.yml": {func(g *atGitHub) { g.app.SetWebhookURL(m.HookAttributes.URL) }, map[string][]string{
			"webhook": {"NoWebhook Error webhook of GitHub App turnout url"},
		}},
		"deliveries are refused": {func(g *atGitHub) { g.loses("2") }, map[string][]string{
			"webhook": {"LostDeliveries Warning webhook of GitHub App turnout"},
		}},
		"GitHub is down": {func(g *atGitHub) { g.server.SetOutage(true) }, map[string][]string{
			"app": {"Unchecked Unknown github app"}, "installations": {"Unchecked Unknown github installations"},
			"webhook": {"Unchecked Unknown github webhook"}, "repositories": {"Unchecked Unknown github repositories"},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := newGitHub(t)
			tt.change(g)
			if diff := cmp.Diff(tt.want, g.found()); diff != "" {
				t.Errorf("findings (-want +got)\n%s", diff)
			}
		})
	}
}

// The page where something is mended is that of the App's owner.
func TestAFindingLeadsToTheOwnersPage(t *testing.T) {
	t.Parallel()
	for want, app := range map[string]githubapp.App{
		"https://github.com/organizations/acme/settings/apps/turnout/permissions": {
			Slug: "turnout", Owner: "acme", Organization: true, Page: "https://github.com/apps/turnout",
		},
		"https://ghe.example.com/settings/apps/turnout/permissions": {
			Slug: "turnout", Owner: "olga", Page: "https://ghe.example.com/apps/turnout",
		},
	} {
		if got := AppFindings(app, turnout.AppManifest())[0].Page; got != want {
			t.Errorf("the page is %s, want %s", got, want)
		}
	}
}

// app.yml is a manifest as GitHub documents it.
func TestTheManifestIsGitHubs(t *testing.T) {
	t.Parallel()
	m := turnout.AppManifest()
	m.RedirectURL = "http://localhost:8081/setup/callback"
	text, err := json.Marshal(m)
	check(t, err)
	for _, key := range []string{
		`"name":"`, `"hook_attributes":{"url":"`, `"redirect_url":"http://`, `"default_permissions":{`,
		`"default_events":["push"`,
	} {
		if !strings.Contains(string(text), key) {
			t.Errorf("no %s in %s", key, text)
		}
	}
	m.Permissions["contents"] = "write"
	if turnout.AppManifest().Permissions["contents"] != "read" {
		t.Error("one caller's manifest changes another's")
	}
}
