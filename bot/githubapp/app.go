package githubapp

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/google/go-github/v60/github"
)

// App is what GitHub says about the App.
type App struct {
	ID   int64
	Slug string
	// Owner is the login of who registered it; Organization says whether that is one.
	Owner        string
	Organization bool
	// Page is its address for people.
	Page        string
	Permissions map[string]string
	Events      []string
}

// Settings is the address of the App's settings, for its owner.
func (a App) Settings() string {
	page, _, found := strings.Cut(a.Page, "/apps/")
	if !found {
		return a.Page
	}
	if a.Organization {
		page += "/organizations/" + url.PathEscape(a.Owner)
	}
	return page + "/settings/apps/" + url.PathEscape(a.Slug)
}

// Install is the address where an owner installs the App on repositories.
func (a App) Install() string { return a.Page + "/installations/new" }

// appJSON is the schema "integration" of GitHub's description, as far as it is used.
type appJSON struct {
	ID    int64  `json:"id"`
	Slug  string `json:"slug"`
	Owner struct {
		Login string `json:"login"`
		Type  string `json:"type"`
	} `json:"owner"`
	Page        string            `json:"html_url"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
}

func (a appJSON) app() App {
	return App{
		ID: a.ID, Slug: a.Slug, Owner: a.Owner.Login, Organization: a.Owner.Type == "Organization", Page: a.Page,
		Permissions: a.Permissions, Events: a.Events,
	}
}

// Registration is the App as GitHub has it: its rights, its webhook, where it is installed.
type Registration struct{ to *connections }

// RegistrationOf asks as the App of a client.
func RegistrationOf(c *Client) Registration { return Registration{c.to} }

// App asks GitHub about the App.
func (g Registration) App(ctx context.Context) (App, error) {
	var answer appJSON
	err := g.to.asked(ctx, "app", &answer)
	return answer.app(), err
}

// asked calls GitHub as the App.
func (g *connections) asked(ctx context.Context, path string, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	req, err := g.app.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return fmt.Errorf("asking GitHub for %s: %w", path, err)
	}
	if _, err := g.app.Do(ctx, req, answer); err != nil {
		return fmt.Errorf("asking GitHub for %s as App %d: %w", path, g.appID, err)
	}
	return nil
}

// HookURL is where GitHub sends the App's events; empty if the App has no webhook.
func (g Registration) HookURL(ctx context.Context) (string, error) {
	var answer struct {
		URL string `json:"url"`
	}
	err := g.to.asked(ctx, "app/hook/config", &answer)
	if isStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return answer.URL, err
}

// Installation is the App's access to the repositories of an account.
type Installation struct {
	ID        int64
	Account   string
	Suspended bool
	// Permissions and Events that the account's owner accepted.
	Permissions map[string]string
	Events      []string
	// Page is its address for the account's owner.
	Page string
}

// installationJSON is the schema "installation", as far as it is used.
type installationJSON struct {
	ID      int64 `json:"id"`
	Account struct {
		Login string `json:"login"`
	} `json:"account"`
	SuspendedAt *string           `json:"suspended_at"`
	Permissions map[string]string `json:"permissions"`
	Events      []string          `json:"events"`
	Page        string            `json:"html_url"`
}

func (i installationJSON) installation() Installation {
	return Installation{
		ID: i.ID, Account: i.Account.Login, Suspended: i.SuspendedAt != nil && *i.SuspendedAt != "", Permissions: i.Permissions,
		Events: i.Events, Page: i.Page,
	}
}

// Installations lists the App's installations, 100 a page, at most 10 pages.
func (g Registration) Installations(ctx context.Context) ([]Installation, error) {
	var all []Installation
	for page := 1; page <= pages; page++ {
		var list []installationJSON
		if err := g.to.asked(ctx, fmt.Sprintf("app/installations?per_page=100&page=%d", page), &list); err != nil {
			return nil, err
		}
		for _, i := range list {
			all = append(all, i.installation())
		}
		if len(list) < 100 {
			break
		}
	}
	return all, nil
}

// InstallationOf finds the installation that has a repository; nil if none has it.
func (g Registration) InstallationOf(ctx context.Context, repository string) (*Installation, error) {
	owner, name, ok := strings.Cut(repository, "/")
	if !ok {
		return nil, fmt.Errorf("repository %q is not owner/name", repository)
	}
	var answer installationJSON
	err := g.to.asked(ctx, "repos/"+url.PathEscape(owner)+"/"+url.PathEscape(name)+"/installation", &answer)
	if isStatus(err, http.StatusNotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	in := answer.installation()
	return &in, nil
}

// Registered is an App that was registered by a manifest, with what GitHub tells only once.
type Registered struct {
	App
	PrivateKey    []byte
	WebhookSecret string
}

// ErrCode says that GitHub does not know a code: it was used before, is older than an hour, or
// is none. Whoever gets it has to begin again.
var ErrCode = errors.New("GitHub does not know the code: it was used before, or is older than an hour")

// codeForm are the characters that a code can have; GitHub's are hexadecimal.
var codeForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,200}$`)

// Convert exchanges the code of a manifest for the App's credentials. GitHub answers once for
// each code, so if the answer is lost, the App has to be deleted at GitHub. Of the
// configuration it uses the address and the transport.
func Convert(ctx context.Context, cfg Config, code string) (Registered, error) {
	if !codeForm.MatchString(code) {
		return Registered{}, ErrCode
	}
	base, err := apiURL(cfg.URL)
	if err != nil {
		return Registered{}, err
	}
	g := &connections{base: base, transport: cfg.Transport}
	if g.transport == nil {
		g.transport = http.DefaultTransport
	}
	c, err := g.newClient(g.transport)
	if err != nil {
		return Registered{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, defaultCallTimeout)
	defer cancel()
	req, err := c.NewRequest(http.MethodPost, "app-manifests/"+code+"/conversions", nil)
	if err != nil {
		return Registered{}, fmt.Errorf("exchanging the code of a new App: %w", err)
	}
	var answer struct {
		appJSON
		Secret *string `json:"webhook_secret"`
		PEM    string  `json:"pem"`
	}
	_, err = c.Do(ctx, req, &answer)
	if isStatus(err, http.StatusNotFound) || isStatus(err, http.StatusUnprocessableEntity) {
		return Registered{}, ErrCode
	}
	if err != nil {
		return Registered{}, fmt.Errorf("exchanging the code of a new App: %w", withoutCode(err, code))
	}
	r := Registered{App: answer.app(), PrivateKey: []byte(answer.PEM)}
	if answer.Secret != nil {
		r.WebhookSecret = *answer.Secret
	}
	return r, nil
}

// withoutCode removes the code from an error, which has the address that was called: whoever
// knows it gets the App's key.
func withoutCode(err error, code string) error {
	if refused, ok := errors.AsType[*github.ErrorResponse](err); ok && refused.Response != nil {
		return fmt.Errorf("GitHub answers %s: %s", refused.Response.Status, refused.Message)
	}
	return errors.New(strings.ReplaceAll(err.Error(), code, "CODE"))
}

// NewAppPage is where a person registers an App of an organization, or of their own if there
// is none. It accepts a manifest by POST.
func NewAppPage(gitHubURL, organization string) (string, error) {
	if _, err := apiURL(gitHubURL); err != nil {
		return "", err
	}
	page := strings.TrimSuffix(gitHubURL, "/")
	if page = strings.TrimSuffix(page, "/api/v3"); page == "" || page == "https://api.github.com" {
		page = "https://github.com"
	}
	if organization != "" {
		page += "/organizations/" + url.PathEscape(organization)
	}
	return page + "/settings/apps/new", nil
}
