package githubtest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// manifestLife is how long a registration by manifest may take (GitHub docs, "Registering a
// GitHub App from a manifest").
const manifestLife = time.Hour

// longestAppName is the longest name of an App, in characters (GitHub docs, "Registering a
// GitHub App").
const longestAppName = 34

// manifest has the parameters that GitHub documents.
type manifest struct {
	Name           string   `json:"name"`
	URL            string   `json:"url"`
	RedirectURL    string   `json:"redirect_url"`
	CallbackURLs   []string `json:"callback_urls"`
	SetupURL       string   `json:"setup_url"`
	Description    string   `json:"description"`
	Public         bool     `json:"public"`
	HookAttributes struct {
		URL    string `json:"url"`
		Active *bool  `json:"active"`
	} `json:"hook_attributes"`
	DefaultPermissions    map[string]string `json:"default_permissions"`
	DefaultEvents         []string          `json:"default_events"`
	RequestOAuthOnInstall bool              `json:"request_oauth_on_install"`
	SetupOnUpdate         bool              `json:"setup_on_update"`
}

// conversion is an App that waits for its code to be exchanged.
type conversion struct {
	app  *App
	made time.Time
}

// parseManifest reads the form field "manifest" of a request. A parameter that GitHub does
// not document is refused: nobody knows what GitHub does with it.
func parseManifest(text string) (m manifest, err error) {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return m, fmt.Errorf("the manifest is not valid: %w", err)
	}
	if m.URL == "" || m.HookAttributes.URL == "" {
		return m, errors.New("the manifest needs url and hook_attributes.url")
	}
	return m, nil
}

// serveManifest is the page on which a person names an App and creates it.
func (s *Server) serveManifest(w http.ResponseWriter, r *http.Request) {
	m, err := parseManifest(r.PostFormValue("manifest"))
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	shown := view{Title: "Create GitHub App", Register: registerView{
		Name: m.Name, Manifest: r.PostFormValue("manifest"), State: r.URL.Query().Get("state"), Owner: r.PathValue("org"),
		Permissions: m.DefaultPermissions, Events: m.DefaultEvents,
	}}
	var body bytes.Buffer
	if err := pageTemplates.ExecuteTemplate(&body, "register", shown); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = body.WriteTo(w) // the reader may be gone
}

// createFromManifest creates an App as its page was sent, and returns to whoever asked for
// it, with a code.
func (s *Server) createFromManifest(w http.ResponseWriter, r *http.Request) {
	m, err := parseManifest(r.PostFormValue("manifest"))
	name := r.PostFormValue("name")
	if err == nil && (name == "" || len([]rune(name)) > longestAppName) {
		err = fmt.Errorf("the name %q is empty or longer than %d characters", name, longestAppName)
	}
	back, parseErr := url.Parse(m.RedirectURL)
	if err = errors.Join(err, parseErr); err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	slug := strings.ReplaceAll(strings.ToLower(name), " ", "-")
	if slices.ContainsFunc(s.Apps(), func(a *App) bool { return a.Slug == slug }) {
		http.Error(w, "the name "+name+" is taken", http.StatusUnprocessableEntity)
		return
	}
	app, err := s.AddApp(AppConfig{
		Slug: slug, Owner: r.PostFormValue("owner"), WebhookURL: m.HookAttributes.URL,
		Permissions: m.DefaultPermissions, Events: m.DefaultEvents,
	})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	s.mu.Lock()
	code := randomHex(20)
	s.conversions[code] = conversion{app, time.Now()}
	s.notify()
	s.mu.Unlock()
	query := back.Query()
	query.Set("code", code)
	if state := r.PostFormValue("state"); state != "" {
		query.Set("state", state)
	}
	back.RawQuery = query.Encode()
	http.Redirect(w, r, back.String(), http.StatusFound)
}

// ExpireManifests lets an hour pass for every App whose code was not exchanged.
func (s *Server) ExpireManifests() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for code, c := range s.conversions {
		c.made = c.made.Add(-manifestLife)
		s.conversions[code] = c
	}
}

// Apps are all registered Apps, oldest first.
func (s *Server) Apps() []*App {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*App(nil), s.apps...)
}

// Grant changes the permissions and events of an App, as its owner may on its page.
// Installations keep theirs until their owners accept.
func (a *App) Grant(permissions map[string]string, events []string) {
	a.server.mu.Lock()
	defer a.server.mu.Unlock()
	a.permissions, a.events = withMetadata(permissions), events
}

// convertManifest exchanges a code, once, for what only GitHub and the App's owner know.
func convertManifest(c *call) (reply, error) {
	made, ok := c.conversions[c.params["code"]]
	delete(c.conversions, c.params["code"])
	if !ok || time.Since(made.made) >= manifestLife {
		return reply{}, errNotFound
	}
	body := map[string]any{
		"client_id": made.app.ClientID, "client_secret": randomHex(20), "webhook_secret": made.app.WebhookSecret,
		"pem": string(made.app.PrivateKeyPEM()),
	}
	maps.Copy(body, c.appJSON(made.app))
	return reply{status: http.StatusCreated, body: body}, nil
}

// getHookConfig is the configuration of the App's webhook. GitHub never shows the secret.
func getHookConfig(c *call) (reply, error) {
	return reply{body: map[string]any{
		"url": c.app.webhookURL, "content_type": "json", "insecure_ssl": "0", "secret": "********",
	}}, nil
}
