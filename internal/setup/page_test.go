package setup

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/config"
)

// From the token to the App in the Secret: with the permissions and events of app.yml, the
// token gone, and both replicas started with it.
func TestAPersonRegistersTheApp(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	here, there := w.start(nil), w.start(nil)
	b := newBrowser(t)
	b.until(w, here, "Turnout Acme")
	b.send(nil)
	b.says(http.StatusOK, "Install the App on a repository")
	for _, next := range []string{
		"A test delivery has arrived at https://turnout.example.com/webhook", "This page is closed now", "turnout doctor",
		w.github.URL() + "/apps/turnout-acme/installations/new",
	} {
		if !strings.Contains(b.text, next) {
			t.Errorf("the last page has no %q:\n%s", next, b.text)
		}
	}
	if strings.Contains(b.text, "Mend it") {
		t.Errorf("something is wrong with the App:\n%s", b.text)
	}
	made := w.github.Apps()[0]
	want := App{ID: made.ID, PrivateKey: made.PrivateKeyPEM(), WebhookSecret: []byte(made.WebhookSecret + "\n")}
	for _, r := range []*replica{here, there} {
		<-r.ended
		check(t, r.err)
		if diff := cmp.Diff(want, r.app); diff != "" {
			t.Errorf("the App (-want +got)\n%s", diff)
		}
		if _, err := http.Get(r.address + "/setup"); err == nil { //nolint:bodyclose,noctx // it must fail
			t.Errorf("%s is still open", r.address)
		}
	}
	if diff := cmp.Diff(map[string][]byte{
		config.SecretAppID: []byte(strconv.FormatInt(made.ID, 10)), config.SecretPrivateKey: want.PrivateKey,
		config.SecretWebhookSecret: want.WebhookSecret,
	}, w.secret().Data); diff != "" {
		t.Errorf("the Secret (-want +got)\n%s", diff)
	}
	asApp, err := githubapp.New(githubapp.Config{URL: w.github.URL(), AppID: want.ID, PrivateKey: want.PrivateKey})
	check(t, err)
	app, err := githubapp.RegistrationOf(asApp).App(t.Context())
	check(t, err)
	m := turnout.AppManifest()
	slices.Sort(m.Events)
	slices.Sort(app.Events)
	if diff := cmp.Diff(m.Permissions, app.Permissions) + cmp.Diff(m.Events, app.Events); diff != "" || app.Owner != "acme" {
		t.Errorf("the App belongs to %s and has (-app.yml +App)\n%s", app.Owner, diff)
	}
	for _, secret := range []string{w.token, made.WebhookSecret, "PRIVATE KEY"} {
		if strings.Contains(w.logs.String(), secret) {
			t.Errorf("the log has %q:\n%s", secret, w.logs.String())
		}
	}
}

// Whoever does not have the token sees nothing, and can do nothing.
func TestNothingWithoutTheToken(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	b := newBrowser(t)
	b.open(r.address + "/setup")
	for _, wrong := range []string{"", "x", w.token[:len(w.token)-1], w.token + "x", strings.ToLower(w.token)} {
		b.send(map[string]string{"token": wrong})
		b.says(http.StatusForbidden, "This is not the token")
	}
	for _, path := range []string{"/setup/app", "/setup/callback?code=1&state=2", "/other"} {
		b.open(r.address + path)
		if b.status == http.StatusOK {
			t.Errorf("%s answers\n%s", path, b.text)
		}
	}
	post, err := http.NewRequestWithContext(t.Context(), http.MethodPost, r.address+"/setup/app",
		strings.NewReader("name=x&webhook=https://x/webhook"))
	check(t, err)
	post.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	b.do(post)
	b.says(http.StatusOK, "The token that")
	if len(w.github.Requests()) != 0 {
		t.Errorf("GitHub was asked: %v", w.github.Requests())
	}
}

// An answer of GitHub that this session did not ask for is not used: it may be somebody else's
// App, whose key they have.
func TestAnswerOfAnotherSessionIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	mine, other := newBrowser(t), newBrowser(t)
	mine.until(w, r, "Turnout Acme")
	other.until(w, r, "Turnout Other")
	code, state := other.answer()
	for name, query := range map[string]string{
		"another session's": "code=" + code + "&state=" + state, "none": "code=" + code, "forged": "code=" + code + "&state=a." + state,
	} {
		mine.open(r.address + "/setup/callback?" + query)
		if mine.status != http.StatusForbidden {
			t.Errorf("the state is %s: status %d\n%s", name, mine.status, mine.text)
		}
	}
	if len(w.secret().Data[config.SecretAppID]) != 0 {
		t.Error("it was stored")
	}
}

// A code that was used, or is too old, leads nowhere; and the person can begin again.
func TestACodeWorksOnceAndForAnHour(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	b := newBrowser(t)
	b.until(w, r, "Turnout Acme")
	code, state := b.answer()
	w.github.ExpireManifests()
	for _, code := range []string{code, "unknown", "../../app", ""} {
		b.open(r.address + "/setup/callback?code=" + code + "&state=" + state)
		b.says(http.StatusBadGateway, "older than an hour")
	}
	if strings.Contains(w.logs.String(), code) {
		t.Errorf("the log has the code:\n%s", w.logs.String())
	}
	b.until(w, r, "Turnout Again")
	b.send(nil)
	b.says(http.StatusOK, "Install the App on a repository")
}

// The stand-in gives the App's key for a code once, as GitHub does.
func TestTheStandInTakesACodeOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := newBrowser(t)
	b.until(w, w.start(nil), "Turnout Acme")
	code, _ := b.answer()
	made, err := githubapp.Convert(t.Context(), githubapp.Config{URL: w.github.URL()}, code)
	check(t, err)
	if made.Slug != "turnout-acme" || len(made.PrivateKey) == 0 {
		t.Errorf("the first exchange gives %+v", made.App)
	}
	again, err := githubapp.Convert(t.Context(), githubapp.Config{URL: w.github.URL()}, code)
	if !errors.Is(err, githubapp.ErrCode) || len(again.PrivateKey) != 0 {
		t.Errorf("the second exchange: %v, want that the code is not known", err)
	}
}

// Whoever has the code gets the App's key. It is in the address that is called, which errors
// repeat: neither the log nor the page has it, whatever goes wrong.
func TestAFailedExchangeTellsNobodyTheCode(t *testing.T) {
	t.Parallel()
	for name, fail := range map[string]func(*http.Request) (*http.Response, error){
		"GitHub is broken": func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			answer.WriteHeader(http.StatusBadGateway)
			_, _ = answer.WriteString(`{"message":"Server Error"}`)
			resp := answer.Result()
			resp.Request = r // go-github repeats its address
			return resp, nil
		},
		"GitHub is away": func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
		"a page instead": func(r *http.Request) (*http.Response, error) {
			answer := httptest.NewRecorder()
			_, _ = answer.WriteString("<html>" + r.URL.Path)
			resp := answer.Result()
			resp.Request = r
			return resp, nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start(transport(func(req *http.Request) (*http.Response, error) {
				if strings.HasSuffix(req.URL.Path, "/conversions") {
					return fail(req)
				}
				return http.DefaultTransport.RoundTrip(req)
			}))
			b := newBrowser(t)
			b.until(w, r, "Turnout Acme")
			code, state := b.answer()
			b.open(r.address + "/setup/callback?code=" + code + "&state=" + state)
			b.says(http.StatusBadGateway, "begin again")
			if !strings.Contains(w.logs.String(), "registering the App failed") {
				t.Errorf("the log says nothing:\n%s", w.logs.String())
			}
			if strings.Contains(w.logs.String(), code) || strings.Contains(b.text, code) {
				t.Errorf("the code %s is in the log or on the page:\n%s\n%s", code, w.logs.String(), b.text)
			}
		})
	}
}

// The page says whether a delivery arrives at the webhook's address, signed as GitHub's are.
// Only that one is taken there, and only with the new App's secret.
func TestATestDeliveryShowsWhetherGitHubReachesTurnout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r, other := w.start(nil), w.start(nil)
	ping := func(of *replica, event, signature string) int {
		req := httptest.NewRequest(http.MethodPost, "/webhook", strings.NewReader("{}"))
		req.Header.Set("X-GitHub-Event", event)
		req.Header.Set("X-Hub-Signature-256", signature)
		answer := httptest.NewRecorder()
		of.Ping(answer, req)
		return answer.Code
	}
	if got := ping(r, "ping", ""); got != http.StatusServiceUnavailable {
		t.Errorf("before there is an App, a ping gets %d", got)
	}
	var first sync.Once
	r.Hooks = hooks(func(req *http.Request) (*http.Response, error) { // the load balancer sends it to the other replica
		answer := httptest.NewRecorder()
		first.Do(func() { answer.WriteHeader(http.StatusServiceUnavailable) }) // which does not know the App yet
		other.Ping(answer, req)
		return answer.Result(), nil
	})
	b := newBrowser(t)
	b.until(w, r, "Turnout Acme")
	b.send(nil)
	b.says(http.StatusOK, "A test delivery has arrived at https://turnout.example.com/webhook")
	for event, want := range map[string]int{"ping": http.StatusUnauthorized, "push": http.StatusServiceUnavailable} {
		if got := ping(r, event, "sha256="+strings.Repeat("0", 64)); got != want {
			t.Errorf("a forged %s gets %d, want %d", event, got, want)
		}
	}
}

// What becomes of a test delivery that does not arrive is said, with what to look at.
func TestATestDeliveryThatIsLostIsSaid(t *testing.T) {
	t.Parallel()
	for want, hook := range map[string]hooks{
		"no such host": func(*http.Request) (*http.Response, error) { return nil, errors.New("lookup: no such host") },
		"the answer was 404 Not Found": func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody}, nil
		},
		"the answer was 302 Found": func(*http.Request) (*http.Response, error) {
			elsewhere := http.Header{"Location": {"https://elsewhere.example"}}
			return &http.Response{StatusCode: http.StatusFound, Header: elsewhere, Body: http.NoBody}, nil
		},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			r := w.start(nil)
			r.Hooks = hook
			b := newBrowser(t)
			b.until(w, r, "Turnout Acme")
			b.send(nil)
			b.says(http.StatusOK, want)
			for _, text := range []string{"look at the DNS name, the certificate and the Ingress", "Install the App on a repository"} {
				if !strings.Contains(b.text, text) {
					t.Errorf("no %q in\n%s", text, b.text)
				}
			}
		})
	}
}

// A Secret that has an App, or a part of one, is left alone.
func TestAnAppThatIsThereIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	b := newBrowser(t)
	b.until(w, r, "Turnout Acme")
	s := w.secret()
	s.Data[config.SecretPrivateKey] = []byte("somebody's")
	check(t, w.admin.Update(t.Context(), s))
	b.send(nil)
	b.says(http.StatusServiceUnavailable, "has a part of a GitHub App")
	if len(w.conversions()) != 0 {
		t.Error("the code was exchanged, so the App's key is lost")
	}
	s = w.secret()
	if string(s.Data[config.SecretPrivateKey]) != "somebody's" || len(s.Data) != 2 {
		t.Errorf("the Secret has now %v", s.Data)
	}
	s.Data = map[string][]byte{
		config.SecretAppID: []byte("1"), config.SecretPrivateKey: []byte("k"), config.SecretWebhookSecret: []byte("s"),
		"setup-token": []byte("t"),
	}
	check(t, w.admin.Update(t.Context(), s))
	r.stop()
	<-r.ended
	answer := httptest.NewRecorder()
	r.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/setup", nil))
	if answer.Code != http.StatusConflict || !strings.Contains(answer.Body.String(), "registered already") {
		t.Errorf("beside an App, the page says %d\n%s", answer.Code, answer.Body)
	}
	delete(s.Data, config.SecretAppID)
	check(t, w.admin.Update(t.Context(), s))
	token, err := (&Secret{Client: w.admin, Namespace: w.namespace}).Issue(t.Context())
	if err == nil {
		t.Errorf("a token was issued: %q", token)
	}
}

// Of two people at two replicas, one registers the App; the other one is told which to delete.
func TestOfTwoAppsOneIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var late sync.Once
	overtaken := make(chan struct{})
	here := w.start(transport(func(r *http.Request) (*http.Response, error) {
		resp, err := http.DefaultTransport.RoundTrip(r)
		if strings.HasSuffix(r.URL.Path, "/conversions") {
			late.Do(func() { <-overtaken })
		}
		return resp, err
	}))
	there := w.start(nil)
	slow, quick := newBrowser(t), newBrowser(t)
	slow.until(w, here, "Turnout Slow")
	quick.until(w, there, "Turnout Quick")
	done := make(chan struct{})
	go func() {
		defer close(done)
		slow.send(nil)
	}()
	check(t, w.github.Wait(t.Context(), func() bool { return len(w.conversions()) == 1 }))
	quick.send(nil)
	quick.says(http.StatusOK, "Install the App")
	close(overtaken)
	<-done
	slow.says(http.StatusConflict, "Delete this one at GitHub: "+w.github.URL()+"/organizations/acme/settings/apps/turnout-slow/advanced")
	<-here.ended
	<-there.ended
	if here.app.ID != there.app.ID || here.app.ID == 0 {
		t.Errorf("the replicas have the Apps %d and %d", here.app.ID, there.app.ID)
	}
}

// What GitHub tells only once is kept until it is stored: loading the page again tries again,
// without another exchange.
func TestStoringIsTriedAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(nil)
	broken := &breaking{Client: r.Secret.Client, err: errors.New("etcd has no leader")}
	r.Secret.Client = broken
	b := newBrowser(t)
	b.until(w, r, "Turnout Acme")
	broken.set(true)
	b.send(nil)
	b.says(http.StatusServiceUnavailable, "load this page again")
	broken.set(false)
	b.open(b.at.String())
	b.says(http.StatusOK, "Install the App")
	if n := len(w.conversions()); n != 1 {
		t.Errorf("%d exchanges", n)
	}
}

// What GitHub granted less than app.yml asks for is said at the end.
func TestWhatTheAppLacksIsSaid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	r := w.start(transport(func(req *http.Request) (*http.Response, error) {
		w.github.Apps()[0].Grant(map[string]string{"contents": "read", "issues": "read"}, []string{"push"})
		return http.DefaultTransport.RoundTrip(req)
	}))
	b := newBrowser(t)
	b.until(w, r, "Turnout Acme")
	b.send(nil)
	b.says(http.StatusOK, "permissions.deployments")
	for _, want := range []string{
		"permissions.issues</b>: Turnout needs write here and has &#34;read&#34;", "events.issue_comment",
		"/settings/apps/turnout-acme/permissions",
	} {
		if !strings.Contains(b.text, want) {
			t.Errorf("no %q in\n%s", want, b.text)
		}
	}
}

// Other sites can neither read the page by a name of theirs, nor send its forms, nor frame it.
func TestOtherSitesCannotUseThePage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := &Page{GitHub: githubapp.Config{URL: w.github.URL()}, Secret: &Secret{Client: w.admin, Namespace: w.namespace}}
	ask := func(host, site string) *httptest.ResponseRecorder {
		r := httptest.NewRequest(http.MethodPost, "http://"+host+"/setup/session", strings.NewReader("token="+w.token))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", site)
		answer := httptest.NewRecorder()
		page.handler().ServeHTTP(answer, r)
		return answer
	}
	for host, want := range map[string]int{
		"127.0.0.1:8081": http.StatusSeeOther, "localhost:8081": http.StatusSeeOther, "[::1]:8081": http.StatusSeeOther,
		"evil.example:8081": http.StatusForbidden, "localhost.evil.example": http.StatusForbidden,
	} {
		if got := ask(host, "same-origin").Code; got != want {
			t.Errorf("by %s: status %d, want %d", host, got, want)
		}
	}
	if got := ask("127.0.0.1:8081", "cross-site").Code; got != http.StatusForbidden {
		t.Errorf("a form of another site: status %d", got)
	}
	answer := httptest.NewRecorder()
	page.handler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "http://127.0.0.1/setup", nil))
	policy := answer.Header().Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'none'", "frame-ancestors 'none'", "form-action 'self' " + w.github.URL()} {
		if !strings.Contains(policy, want) {
			t.Errorf("the policy %q has no %q", policy, want)
		}
	}
	cookie := ask("127.0.0.1:8081", "same-origin").Result().Cookies()[0]
	if !cookie.HttpOnly || cookie.SameSite != http.SameSiteLaxMode || strings.Contains(cookie.Value, w.token) {
		t.Errorf("the cookie is %v", cookie)
	}
}

// What a person wrote is checked before it goes to GitHub.
func TestTheFormIsChecked(t *testing.T) {
	t.Parallel()
	good := shown{Name: "Turnout", Organization: "acme", Webhook: "https://turnout.example.com/webhook"}
	if wrong := good.check(); wrong != "" {
		t.Errorf("a good form: %s", wrong)
	}
	for _, bad := range []shown{
		{Name: "", Webhook: good.Webhook},
		{Name: strings.Repeat("x", 35), Webhook: good.Webhook},
		{Name: "x", Organization: "a/../b", Webhook: good.Webhook},
		{Name: "x", Webhook: "http://turnout.example.com/webhook"},
		{Name: "x", Webhook: "https://turnout.example.com/"},
		{Name: "x", Webhook: "https:///webhook"},
		{Name: "x", Webhook: "https://a:b@c/webhook"},
	} {
		if bad.check() == "" {
			t.Errorf("%+v is accepted", bad)
		}
	}
}

// A session belongs to its token and ends after an hour; a state belongs to its session.
func TestASessionEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		session := newSession("token", time.Now())
		state := newState("token", session)
		if !validSession("token", session, time.Now()) || !validState("token", session, state) {
			t.Error("a new session is not valid")
		}
		if validSession("other", session, time.Now()) || validState("other", session, state) ||
			validSession("", sign("", "session", "a.9999999999"),
				time.Now()) {
			t.Error("another token's session is valid")
		}
		if validState("token", newSession("token", time.Now()), state) || validState("token", session, session) ||
			validSession("token", state, time.Now()) {
			t.Error("another session's state is valid")
		}
		time.Sleep(sessionLife)
		if validSession("token", session, time.Now()) {
			t.Error("a session is valid after an hour")
		}
	})
}

// transport is a function as a transport.
type transport func(*http.Request) (*http.Response, error)

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// breaking is a Kubernetes whose writes can fail.
type breaking struct {
	client.Client
	mu     sync.Mutex
	broken bool
	err    error
}

func (b *breaking) set(broken bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.broken = broken
}

func (b *breaking) Patch(ctx context.Context, o client.Object, p client.Patch, options ...client.PatchOption) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken {
		return b.err
	}
	return b.Client.Patch(ctx, o, p, options...)
}
