package setup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/turnout-dev/turnout"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/internal/doctor"
)

// Page is the setup page of one process.
type Page struct {
	// GitHub is its address, and how to reach it. Neither App nor key is used.
	GitHub githubapp.Config
	Secret *Secret
	Log    *slog.Logger
	// Poll is how often the Secret is read to see whether an App is registered, here or by another
	// process. Default: 2 s.
	Poll time.Duration

	// Hooks sends the test delivery. Default: [http.DefaultTransport].
	Hooks http.RoundTripper

	known atomic.Pointer[App] // once this process has stored or found it
	mu    sync.Mutex
	// unstored is an App whose credentials are not in the Secret yet, with its code.
	unstored     *githubapp.Registered
	unstoredCode string
}

const (
	cookieName = "turnout_setup"
	// maxForm bounds what a browser may send, in bytes.
	maxForm = 16 << 10
)

// handler serves the page.
func (p *Page) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /{$}", http.RedirectHandler("/setup", http.StatusSeeOther))
	mux.HandleFunc("GET /setup", p.withSecret(p.show))
	mux.HandleFunc("POST /setup/session", p.withSecret(p.begin))
	mux.HandleFunc("POST /setup/app", p.withSecret(p.describe))
	mux.HandleFunc("GET /setup/callback", p.withSecret(p.complete))
	return guard(http.NewCrossOriginProtection().Handler(mux))
}

// guard refuses requests by a name: another site can let its name point here and then read
// the answers. An address or localhost it cannot.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		host := (&url.URL{Host: r.Host}).Hostname()
		if _, err := netip.ParseAddr(host); err != nil && host != "localhost" {
			http.Error(w, "open this page by localhost or by an IP address", http.StatusForbidden)
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxForm)
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		next.ServeHTTP(w, r)
	})
}

// withSecret reads the Secret for a request. Once there is an App, there is nothing to do.
func (p *Page) withSecret(serve func(http.ResponseWriter, *http.Request, kept)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		now, err := p.Secret.read(r.Context())
		switch {
		case err != nil:
			p.Log.ErrorContext(r.Context(), "the setup page cannot read its secret", "error", err)
			p.refuse(w, http.StatusServiceUnavailable, "Kubernetes does not answer: "+err.Error())
		case now.app != nil:
			p.refuse(w, http.StatusConflict, "A GitHub App is registered already. To register another one, delete the Secret first.")
		case now.token == "":
			p.refuse(w, http.StatusServiceUnavailable, "There is no token for this page yet: turnout install prints one.")
		default:
			serve(w, r, now)
		}
	}
}

// session is the session of a request; empty if it has none that is valid.
func session(r *http.Request, now kept) string {
	cookie, err := r.Cookie(cookieName)
	if err != nil || !validSession(now.token, cookie.Value, time.Now()) {
		return ""
	}
	return cookie.Value
}

// show shows what comes next: the token, or the form of the App.
func (p *Page) show(w http.ResponseWriter, r *http.Request, now kept) {
	if session(r, now) == "" {
		p.render(w, http.StatusOK, shown{Step: "token"})
		return
	}
	p.render(w, http.StatusOK, shown{Step: "app", Name: turnout.AppManifest().Name})
}

// begin exchanges the token for a session.
func (p *Page) begin(w http.ResponseWriter, r *http.Request, now kept) {
	if !matches(now.token, strings.TrimSpace(r.PostFormValue("token"))) {
		p.Log.WarnContext(r.Context(), "somebody gave the setup page a wrong token")
		p.render(w, http.StatusForbidden, shown{Step: "token", Wrong: "This is not the token. turnout install --upgrade prints it again."})
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: newSession(now.token, time.Now()), Path: "/setup", MaxAge: int(sessionLife.Seconds()), HttpOnly: true,
		SameSite: http.SameSiteLaxMode, // GitHub sends the browser back by a link
	})
	http.Redirect(w, r, "/setup", http.StatusSeeOther)
}

// organizationForm is a login of GitHub.
var organizationForm = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,98}[A-Za-z0-9])?$`)

// describe makes the App's manifest, and the form that takes it to GitHub.
func (p *Page) describe(w http.ResponseWriter, r *http.Request, now kept) {
	of := session(r, now)
	if of == "" {
		http.Redirect(w, r, "/setup", http.StatusSeeOther)
		return
	}
	form := shown{
		Step: "app", Name: strings.TrimSpace(r.PostFormValue("name")), Organization: strings.TrimSpace(r.PostFormValue("organization")),
		Webhook: strings.TrimSpace(r.PostFormValue("webhook")),
	}
	if form.Wrong = form.check(); form.Wrong != "" {
		p.render(w, http.StatusUnprocessableEntity, form)
		return
	}
	m := turnout.AppManifest()
	m.Name, m.HookAttributes.URL = form.Name, form.Webhook
	m.RedirectURL = "http://" + r.Host + "/setup/callback"
	text, err := json.Marshal(m)
	page, pageErr := githubapp.NewAppPage(p.GitHub.URL, form.Organization)
	if err = errors.Join(err, pageErr); err != nil {
		p.refuse(w, http.StatusInternalServerError, err.Error())
		return
	}
	form.Step, form.Manifest, form.Permissions, form.Events = "send", string(text), m.Permissions, m.Events
	form.Action = page + "?state=" + url.QueryEscape(newState(now.token, of))
	p.render(w, http.StatusOK, form)
}

// check says what is wrong with what a person wrote.
func (f shown) check() string {
	hook, err := url.Parse(f.Webhook)
	switch {
	case f.Name == "" || len([]rune(f.Name)) > 34: // GitHub docs, "Registering a GitHub App"
		return "Give the App a name of at most 34 characters, which no other App at GitHub has."
	case f.Organization != "" && !organizationForm.MatchString(f.Organization):
		return "The organization is its login at GitHub, such as acme."
	case err != nil || hook.Scheme != "https" || hook.Hostname() == "" || hook.Path != "/webhook" || hook.RawQuery != "" || hook.User != nil:
		return "The webhook's address is where GitHub reaches Turnout, such as https://turnout.example.com/webhook."
	}
	return ""
}

// complete exchanges the code that GitHub gave for the App's credentials, and stores them.
func (p *Page) complete(w http.ResponseWriter, r *http.Request, now kept) {
	of := session(r, now)
	if of == "" || !validState(now.token, of, r.URL.Query().Get("state")) {
		p.refuse(w, http.StatusForbidden, "This answer of GitHub belongs to no session of this browser. If an App was registered, "+
			"delete it at GitHub, and begin again.")
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unstored == nil || p.unstoredCode != r.URL.Query().Get("code") {
		made, err := githubapp.Convert(r.Context(), p.GitHub, r.URL.Query().Get("code"))
		if err != nil {
			p.Log.ErrorContext(r.Context(), "registering the App failed", "error", err)
			p.refuse(w, http.StatusBadGateway, "GitHub did not give the App's credentials: "+err.Error()+
				". If the App is among your Apps at GitHub, delete it there, and begin again.")
			return
		}
		p.unstored, p.unstoredCode = &made, r.URL.Query().Get("code")
	}
	p.keep(w, r, now)
}

// keep stores the App that GitHub has made. Its caller holds p.mu.
func (p *Page) keep(w http.ResponseWriter, r *http.Request, now kept) {
	made := *p.unstored
	app := App{ID: made.ID, PrivateKey: made.PrivateKey, WebhookSecret: []byte(made.WebhookSecret + "\n")}
	// The browser may go away; what GitHub tells only once is stored all the same.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), 10*time.Second)
	defer cancel()
	err := p.Secret.store(ctx, now, app)
	switch {
	case errors.Is(err, ErrRegistered):
		p.unstored = nil
		p.refuse(w, http.StatusConflict, "Somebody else has registered an App meanwhile. Delete this one at GitHub: "+made.Settings()+"/advanced")
		return
	case err != nil:
		p.Log.ErrorContext(ctx, "storing the new App failed", "app_id", app.ID, "error", err)
		p.refuse(w, http.StatusServiceUnavailable, "The App is registered, but its credentials are not stored yet: load this page again. "+
			"If that does not help, delete the App at GitHub: "+made.Settings()+"/advanced. "+err.Error())
		return
	}
	p.Log.InfoContext(ctx, "the GitHub App is registered", "app_id", app.ID, "app", made.Slug)
	p.unstored = nil
	p.known.Store(&app)
	address, lost := p.tryDelivery(context.WithoutCancel(r.Context()), app)
	if lost != "" {
		p.Log.WarnContext(ctx, "the test delivery did not arrive", "webhook", address, "error", lost)
	}
	p.render(w, http.StatusOK, shown{
		Step: "done", Name: made.Slug, Install: made.Install(), Findings: doctor.AppFindings(made.App, turnout.AppManifest()),
		Webhook: address, Lost: lost,
	})
}

// refuse shows why a request goes no further.
func (p *Page) refuse(w http.ResponseWriter, status int, why string) {
	p.render(w, status, shown{Step: "refused", Wrong: why})
}

// formTargets are the sites that a form of this page may be sent to.
func (p *Page) formTargets() string {
	page, err := githubapp.NewAppPage(p.GitHub.URL, "")
	u, parseErr := url.Parse(page)
	if err != nil || parseErr != nil {
		return "'self'"
	}
	return fmt.Sprintf("'self' %s://%s", u.Scheme, u.Host)
}
