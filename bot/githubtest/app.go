package githubtest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// AppConfig registers a GitHub App.
type AppConfig struct {
	Slug          string            // its name in addresses and in its bot's login
	Owner         string            // a login; default "turnout-dev". Made if it does not exist.
	WebhookURL    string            // where events go; empty: the webhook is switched off
	WebhookSecret string            // default: a random one
	Permissions   map[string]string // name → read or write; the default for installations
	Events        []string          // subscribed events: push, pull_request, issue_comment
}

// App is a registered GitHub App.
type App struct {
	ID            int64
	ClientID      string
	Slug          string
	WebhookSecret string

	server        *Server
	owner         *User
	bot           *User // slug[bot]: who comments and deploys in its name
	key           *rsa.PrivateKey
	hookID        int64
	webhookURL    string
	permissions   map[string]string
	events        []string
	createdAt     time.Time
	installations []*Installation
	deliveries    []*Delivery // oldest first
}

// Installation is an App's right to work in repositories of one owner.
type Installation struct {
	ID int64

	app          *App
	account      *User
	permissions  map[string]string
	repositories []*Repository
	createdAt    time.Time
	deleted      bool
	suspendedAt  time.Time // zero if not suspended
}

// AddApp registers an App with a key of its own.
func (s *Server) AddApp(cfg AppConfig) (*App, error) {
	key, err := s.nextKey()
	if err != nil {
		return nil, fmt.Errorf("creating the key of the App %s: %w", cfg.Slug, err)
	}
	if cfg.WebhookSecret == "" {
		cfg.WebhookSecret = randomHex(20)
	}
	if cfg.Owner == "" {
		cfg.Owner = "turnout-dev"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	id := s.nextID()
	app := &App{
		ID: id, ClientID: fmt.Sprintf("Iv23li%014d", id), Slug: cfg.Slug, WebhookSecret: cfg.WebhookSecret,
		server: s, owner: s.addUser(cfg.Owner, "Organization"), bot: s.addUser(cfg.Slug+"[bot]", "Bot"), key: key,
		hookID: s.nextID(), webhookURL: cfg.WebhookURL, permissions: withMetadata(cfg.Permissions),
		events: slices.Clone(cfg.Events), createdAt: now(),
	}
	s.apps = append(s.apps, app)
	return app, nil
}

// withMetadata adds the permission that every App has.
func withMetadata(permissions map[string]string) map[string]string {
	all := map[string]string{"metadata": "read"}
	maps.Copy(all, permissions)
	return all
}

// appKeys are the keys of this process's Apps. Generating one takes a tenth of a second, so
// every server uses the same keys in the same order.
var appKeys struct {
	sync.Mutex
	all []*rsa.PrivateKey
}

// nextKey returns a key that no other App of the server has.
func (s *Server) nextKey() (*rsa.PrivateKey, error) {
	s.mu.Lock()
	n := s.keys
	s.keys++
	s.mu.Unlock()
	appKeys.Lock()
	defer appKeys.Unlock()
	for len(appKeys.all) <= n {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		appKeys.all = append(appKeys.all, key)
	}
	return appKeys.all[n], nil
}

// PrivateKeyPEM is the App's private key as GitHub issues it: PKCS #1 in PEM.
func (a *App) PrivateKeyPEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(a.key)})
}

// BotLogin is the login that the App comments and deploys with.
func (a *App) BotLogin() string { return a.bot.Login }

// SetWebhookURL changes where the App's events go, and returns where they went; the empty URL switches its
// webhook off.
func (a *App) SetWebhookURL(url string) (before string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	before, a.webhookURL = a.webhookURL, url
	return before
}

// InstallOn gives the App access to a repository, in the installation of the repository's
// owner, which is created if needed. Nil permissions stand for the App's; others replace
// those of the installation.
func (a *App) InstallOn(repo *Repository, permissions map[string]string) *Installation {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	in := a.installationAt(repo.owner)
	isNew := in == nil
	if isNew {
		in = &Installation{ID: a.server.nextID(), app: a, account: repo.owner, permissions: a.permissions, createdAt: now()}
		a.installations = append(a.installations, in)
	}
	if permissions != nil {
		in.permissions = withMetadata(permissions)
	}
	if !in.has(repo) {
		in.repositories = append(in.repositories, repo)
	}
	if isNew {
		a.server.sendInstallation(in, "created")
	}
	return in
}

// Uninstall removes the App from the installation's repositories; its tokens stop working.
func (in *Installation) Uninstall() {
	in.app.server.mu.Lock()
	defer in.app.server.mu.Unlock()
	in.deleted = true
	in.app.installations = slices.DeleteFunc(in.app.installations, func(other *Installation) bool { return other == in })
	in.app.server.sendInstallation(in, "deleted")
}

// Suspend suspends the App's access, as an owner may: the installation remains, but gives
// no tokens.
func (in *Installation) Suspend() { in.suspend(now()) }

// Unsuspend ends the suspension.
func (in *Installation) Unsuspend() { in.suspend(time.Time{}) }

func (in *Installation) suspend(at time.Time) {
	in.app.server.mu.Lock()
	defer in.app.server.mu.Unlock()
	in.suspendedAt = at
}

// errSuspended is GitHub's answer to requests for a suspended installation (GitHub docs,
// "Suspending a GitHub App installation").
var errSuspended = refuse(http.StatusForbidden, "This installation has been suspended")

func (a *App) installationAt(owner *User) *Installation {
	for _, in := range a.installations {
		if in.account == owner {
			return in
		}
	}
	return nil
}

func (in *Installation) has(repo *Repository) bool { return slices.Contains(in.repositories, repo) }

func getApp(c *call) (reply, error) {
	return reply{body: merged(c.appJSON(c.app), map[string]any{"installations_count": len(c.app.installations)})}, nil
}

func listInstallations(c *call) (reply, error) {
	return listReply(c, c.app.installations, func(in *Installation) any { return c.installationJSON(in) })
}

// ownInstallation finds the installation in the path.
func (c *call) ownInstallation() (*Installation, error) {
	for _, in := range c.app.installations {
		if in.ID == c.number("installation_id") {
			return in, nil
		}
	}
	return nil, errNotFound
}

func getInstallation(c *call) (reply, error) {
	in, err := c.ownInstallation()
	if err != nil {
		return reply{}, err
	}
	return reply{body: c.installationJSON(in)}, nil
}

func getRepositoryInstallation(c *call) (reply, error) {
	in := c.app.installationAt(c.repo.owner)
	if in == nil || !in.has(c.repo) {
		return reply{}, errNotFound
	}
	return reply{body: c.installationJSON(in)}, nil
}

func createToken(c *call) (reply, error) {
	in, err := c.ownInstallation()
	if err != nil {
		return reply{}, err
	}
	var want struct {
		Repositories  []string          `json:"repositories"`
		RepositoryIDs []int64           `json:"repository_ids"`
		Permissions   map[string]string `json:"permissions"`
	}
	if err := c.decode(&want); err != nil {
		return reply{}, err
	}
	if !in.suspendedAt.IsZero() {
		return reply{}, errSuspended
	}
	g := &grant{installation: in, permissions: in.permissions, expires: now().Add(tokenLife)}
	if err := g.narrow(want.Repositories, want.RepositoryIDs); err != nil {
		return reply{}, err
	}
	if err := g.narrowPermissions(want.Permissions); err != nil {
		return reply{}, err
	}
	// Tokens have this form since April 2026 ("ghs_APPID_JWT"): neither 40 characters nor a
	// fixed length.
	g.token = fmt.Sprintf("ghs_%d_%s.%s.%s", c.app.ID, randomHex(16), randomHex(60), randomHex(32))
	c.grants[g.token] = g
	return reply{status: http.StatusCreated, body: c.tokenJSON(g)}, nil
}

// narrow limits a token to some repositories.
func (g *grant) narrow(names []string, ids []int64) error {
	if len(names)+len(ids) == 0 {
		return nil
	}
	g.repositories = map[int64]bool{}
	for _, repo := range g.installation.repositories {
		named := slices.ContainsFunc(names, func(name string) bool { return strings.EqualFold(name, repo.name) })
		if named || slices.Contains(ids, repo.ID) {
			g.repositories[repo.ID] = true
			g.selected = append(g.selected, repo)
		}
	}
	if len(g.selected) < len(names)+len(ids) {
		return refuse(http.StatusUnprocessableEntity,
			"There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	return nil
}

// narrowPermissions limits a token to some of the installation's permissions.
func (g *grant) narrowPermissions(want map[string]string) error {
	if len(want) == 0 {
		return nil
	}
	for name, level := range want {
		if !suffices(g.installation.permissions[name], level != "read") {
			return refuse(http.StatusUnprocessableEntity, "The permissions requested are not granted to this installation.")
		}
	}
	g.permissions = withMetadata(want)
	return nil
}

func listInstallationRepositories(c *call) (reply, error) {
	repos := c.grant.installation.repositories
	if c.grant.repositories != nil {
		repos = c.grant.selected
	}
	items, header := page(c, repos, func(r *Repository) any { return c.repositoryJSON(r) })
	return reply{body: map[string]any{"total_count": len(repos), "repositories": items}, header: header}, nil
}
