package githubapp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/bradleyfalzon/ghinstallation/v2"
	"github.com/google/go-github/v60/github"
)

// defaultCallTimeout bounds one call to GitHub. GitHub's own servers give up on a request
// after 10 s (GitHub docs, "Troubleshooting the REST API").
const defaultCallTimeout = 10 * time.Second

// Config says which GitHub to use, and as which App.
type Config struct {
	// URL is the address of GitHub's pages. Default: https://github.com. Any other is a
	// GitHub Enterprise Server, with its API under /api/v3.
	URL string
	// AppID is the number of the GitHub App.
	AppID int64
	// PrivateKey is the App's key, in PEM.
	PrivateKey []byte
	// Transport is the one below authentication. Default: http.DefaultTransport.
	Transport http.RoundTripper
	// CallTimeout bounds one call. Default: 10 s.
	CallTimeout time.Duration
}

// Client is the App's client. For each repository it uses the token of the installation
// that has it. All methods may be called concurrently; repositories are owner/name.
type Client struct{ to *connections }

// connections has the clients of the App and of its installations, each with its own token.
type connections struct {
	appID   int64
	base    string // address of the API, without a final slash
	timeout time.Duration
	key     []byte         // of the App, PEM
	app     *github.Client // authenticated as the App itself
	plain   *http.Client   // not authenticated, for addresses that carry their own token

	transport http.RoundTripper // below authentication

	mu            sync.Mutex
	clients       map[string]*github.Client // by repository in lower case; dropped when the installation refuses
	installations map[int64]*github.Client  // each with its own token and rate limit
	slug          string                    // the App's; empty until read
}

// New checks the configuration. It does not call GitHub.
func New(cfg Config) (*Client, error) {
	base, err := apiURL(cfg.URL)
	if err != nil {
		return nil, err
	}
	if cfg.AppID <= 0 {
		return nil, errors.New("--github-app-id (TURNOUT_GITHUB_APP_ID): the App's numeric id is missing")
	}
	transport := cfg.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	g := &connections{
		appID: cfg.AppID, base: base, timeout: cfg.CallTimeout, key: cfg.PrivateKey, transport: transport,
		plain: &http.Client{Transport: transport}, clients: map[string]*github.Client{}, installations: map[int64]*github.Client{},
	}
	if g.timeout <= 0 {
		g.timeout = defaultCallTimeout
	}
	apps, err := g.asApp()
	if err != nil {
		return nil, err
	}
	if g.app, err = g.newClient(apps); err != nil {
		return nil, err
	}
	return &Client{g}, nil
}

// asApp returns a transport that authenticates as the App. It has its own rate limit:
// GitHub counts the App and each installation separately, so a refusal of one says nothing
// about the others.
func (g *connections) asApp() (*ghinstallation.AppsTransport, error) {
	apps, err := ghinstallation.NewAppsTransport(newPoliteness(g.transport), g.appID, g.key)
	if err != nil {
		return nil, fmt.Errorf("--github-private-key-file (TURNOUT_GITHUB_PRIVATE_KEY_FILE): reading the App's key: %w", err)
	}
	apps.BaseURL = g.base
	return apps, nil
}

// installation returns the client of an installation. All of its repositories share it.
func (g *connections) installation(id int64) (*github.Client, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if c := g.installations[id]; c != nil {
		return c, nil
	}
	apps, err := g.asApp()
	if err != nil {
		return nil, err
	}
	c, err := g.newClient(ghinstallation.NewFromAppsTransport(apps, id))
	if err != nil {
		return nil, err
	}
	g.installations[id] = c
	return c, nil
}

// apiURL turns the configured address into that of the REST API.
func apiURL(typed string) (string, error) {
	if typed == "" {
		typed = "https://github.com"
	}
	u, err := url.Parse(strings.TrimSuffix(typed, "/"))
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") {
		return "", fmt.Errorf("--github-url (TURNOUT_GITHUB_URL): %q is not an address such as https://github.com", typed)
	}
	switch {
	case u.Host == "github.com" || u.Host == "api.github.com":
		return "https://api.github.com", nil
	case strings.HasSuffix(u.Path, "/api/v3"):
		return u.String(), nil
	}
	return u.String() + "/api/v3", nil
}

func (g *connections) newClient(transport http.RoundTripper) (*github.Client, error) {
	c := github.NewClient(&http.Client{Transport: transport})
	base, err := url.Parse(g.base + "/")
	if err != nil {
		return nil, fmt.Errorf("parsing the API's address %s: %w", g.base, err)
	}
	c.BaseURL = base
	c.UserAgent = "turnout"
	return c, nil
}

// repo is a repository with the client that may access it.
type repo struct {
	*github.Client
	owner, name string
}

// path returns an API path below the repository.
func (r repo) path(format string, args ...any) string {
	return fmt.Sprintf("repos/%s/%s/", r.owner, r.name) + fmt.Sprintf(format, args...)
}

// get requests a path below the repository and decodes the answer into out.
func (r repo) get(ctx context.Context, path string, out any) (*github.Response, error) {
	req, err := r.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, fmt.Errorf("building the request: %w", err)
	}
	return r.Do(ctx, req, out)
}

// call runs fn with a repository's client and the timeout of one call. Its error says what
// was attempted.
func (g *connections) call(ctx context.Context, repository, what string, fn func(context.Context, repo) error) error {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	r, err := g.repo(ctx, repository)
	if err == nil {
		err = fn(ctx, r)
	}
	if err == nil {
		return nil
	}
	_, limited := RetryAfter(err, time.Now())
	if refused := (*ghinstallation.HTTPError)(nil); errors.As(err, &refused) && !limited {
		// The App may have been reinstalled under another id.
		g.forget(repository)
	}
	return fmt.Errorf("%s of %s: %w", what, repository, err)
}

// repo returns the client of the installation that has a repository.
func (g *connections) repo(ctx context.Context, repository string) (repo, error) {
	owner, name, found := strings.Cut(repository, "/")
	if !found || owner == "" || name == "" || strings.ContainsAny(name, "/?#%") {
		return repo{}, fmt.Errorf("repository %q is not owner/name", repository)
	}
	g.mu.Lock()
	c := g.clients[strings.ToLower(repository)]
	g.mu.Unlock()
	if c != nil {
		return repo{c, owner, name}, nil
	}
	why, err := g.find(ctx, repository)
	if err != nil {
		return repo{}, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if c = g.clients[strings.ToLower(repository)]; c == nil {
		// Not wrapped: this is not GitHub's answer to the request, and may pass.
		return repo{}, errors.New(cmp.Or(why, "the App's installation was forgotten meanwhile"))
	}
	return repo{c, owner, name}, nil
}

// closed says why the App cannot read a repository, "" if it can. It asks GitHub each time.
func (g *connections) closed(ctx context.Context, repository string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	return g.find(ctx, repository)
}

// find looks up the installation that has a repository, and remembers its client. It says
// why no installation can be used; "" if one can.
func (g *connections) find(ctx context.Context, repository string) (why string, err error) {
	owner, name, _ := strings.Cut(repository, "/")
	in, _, err := g.app.Apps.FindRepositoryInstallation(ctx, owner, name)
	switch {
	case isStatus(err, http.StatusNotFound):
		g.forget(repository)
		return fmt.Sprintf("the App is not installed on %s: install it there, or give its installation that repository", repository), nil
	case err != nil:
		return "", fmt.Errorf("looking for the App's installation on %s: %w", repository, err)
	case in.SuspendedAt != nil:
		g.forget(repository)
		return fmt.Sprintf("the App's installation on %s is suspended: its owner ends that in the installation's settings", repository), nil
	}
	c, err := g.installation(in.GetID())
	if err != nil {
		return "", err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clients[strings.ToLower(repository)] = c
	return "", nil
}

func (g *connections) forget(repository string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.clients, strings.ToLower(repository))
}

// botLogin returns the login that the App writes as.
func (g *connections) botLogin(ctx context.Context) (string, error) {
	g.mu.Lock()
	slug := g.slug
	g.mu.Unlock()
	if slug == "" {
		ctx, cancel := context.WithTimeout(ctx, g.timeout)
		defer cancel()
		app, _, err := g.app.Apps.Get(ctx, "")
		if err != nil {
			return "", fmt.Errorf("asking GitHub for the App's own name: %w", err)
		}
		slug = app.GetSlug()
		g.mu.Lock()
		g.slug = slug
		g.mu.Unlock()
	}
	return slug + "[bot]", nil
}

// isStatus reports whether GitHub answered with an HTTP status.
func isStatus(err error, status int) bool {
	answer := (*github.ErrorResponse)(nil)
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode == status
}

// RefusedForGood reports whether GitHub refused a request permanently.
func RefusedForGood(err error) bool {
	answer := (*github.ErrorResponse)(nil)
	if !errors.As(err, &answer) || answer.Response == nil {
		return false
	}
	if _, limited := RetryAfter(err, time.Now()); limited {
		return false
	}
	switch answer.Response.StatusCode {
	case http.StatusForbidden, http.StatusNotFound, http.StatusGone, http.StatusUnprocessableEntity:
		return true
	}
	return false
}

// Answered reports whether GitHub itself answered. It did not if the connection broke, or
// if a server in between gave up.
func Answered(err error) bool {
	answer := (*github.ErrorResponse)(nil)
	if _, limited := RetryAfter(err, time.Now()); limited {
		return true
	}
	return errors.As(err, &answer) && answer.Response != nil && answer.Response.StatusCode < http.StatusInternalServerError
}

// Answer is GitHub's explanation of a refusal.
func Answer(err error) string {
	answer := (*github.ErrorResponse)(nil)
	if errors.As(err, &answer) && answer.Response != nil {
		return fmt.Sprintf("%s (%d)", answer.Message, answer.Response.StatusCode)
	}
	return err.Error()
}
