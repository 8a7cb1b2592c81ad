package setup

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/config"
	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) { os.Exit(controlplanetest.Run(m, controlplane.Options{}, &plane)) }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// world is a GitHub Enterprise Server, a namespace with Turnout's rights in it, and a token.
type world struct {
	t         *testing.T
	github    *githubtest.Server
	admin     client.Client
	namespace string
	token     string
	logs      lockedBuffer
}

// lockedBuffer is written by the pages and read by the test.
type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, github: githubtest.New(t, githubtest.Config{Enterprise: true})}
	var err error
	w.admin, err = client.New(plane.Config, client.Options{Scheme: clientgoscheme.Scheme})
	check(t, err)
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "setup-"}}
	check(t, w.admin.Create(t.Context(), ns))
	w.namespace = ns.Name
	w.token, err = (&Secret{Client: w.admin, Namespace: w.namespace}).Issue(t.Context())
	check(t, err)
	return w
}

// kube is Turnout's own client, with the rights of config/rbac/own.yaml in the namespace.
func (w *world) kube() client.Client {
	w.t.Helper()
	user := "turnout-" + w.namespace
	cfg, _, err := plane.User(user, nil)
	check(w.t, err)
	text, err := os.ReadFile("../../config/rbac/own.yaml")
	check(w.t, err)
	first, _, _ := strings.Cut(string(text), "\n---\n")
	role := &rbacv1.Role{}
	check(w.t, yaml.UnmarshalStrict([]byte(first), role))
	role.Namespace = w.namespace
	check(w.t, client.IgnoreAlreadyExists(w.admin.Create(w.t.Context(), role)))
	check(w.t, client.IgnoreAlreadyExists(w.admin.Create(w.t.Context(), &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: role.Name},
		RoleRef:    rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "Role", Name: role.Name},
		Subjects:   []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: "User", Name: user}},
	})))
	kube, err := client.New(cfg, client.Options{Scheme: clientgoscheme.Scheme})
	check(w.t, err)
	return kube
}

func (w *world) secret() *corev1.Secret {
	w.t.Helper()
	s := &corev1.Secret{}
	check(w.t, w.admin.Get(w.t.Context(), client.ObjectKey{Namespace: w.namespace, Name: config.SecretName}, s))
	return s
}

// replica is a process that runs a page.
type replica struct {
	*Page
	address string
	stop    context.CancelFunc
	ended   chan struct{}
	app     App
	err     error
}

// hooks is where the webhook's address leads.
type hooks func(*http.Request) (*http.Response, error)

func (f hooks) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// start runs a page, as a replica of Turnout does.
func (w *world) start(transport http.RoundTripper) *replica {
	w.t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(w.t, err)
	r := &replica{address: "http://" + listener.Addr().String(), ended: make(chan struct{}), Page: &Page{
		GitHub: githubapp.Config{URL: w.github.URL(), Transport: transport},
		Secret: &Secret{Client: w.kube(), Namespace: w.namespace}, Log: slog.New(slog.NewTextHandler(&w.logs, nil)),
		Poll: 20 * time.Millisecond,
	}}
	r.Hooks = hooks(func(req *http.Request) (*http.Response, error) {
		answer := httptest.NewRecorder()
		r.Ping(answer, req)
		return answer.Result(), nil
	})
	var ctx context.Context
	ctx, r.stop = context.WithCancel(context.Background())
	go func() {
		defer close(r.ended)
		r.app, r.err = r.Run(ctx, listener)
	}()
	w.t.Cleanup(func() {
		r.stop()
		<-r.ended
	})
	return r
}

// browser is a person's browser: it keeps cookies, follows links, and sends forms.
type browser struct {
	t      *testing.T
	client *http.Client
	at     *url.URL
	status int
	text   string
	// location is where it was sent and did not go.
	location string
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	jar, err := cookiejar.New(nil)
	check(t, err)
	return &browser{t: t, client: &http.Client{Jar: jar}}
}

func (b *browser) do(r *http.Request) {
	b.t.Helper()
	resp, err := b.client.Do(r)
	check(b.t, err)
	body, err := io.ReadAll(resp.Body)
	check(b.t, errors.Join(err, resp.Body.Close()))
	b.at, b.status, b.text = resp.Request.URL, resp.StatusCode, string(body)
	b.location = resp.Header.Get("Location")
}

func (b *browser) open(address string) {
	b.t.Helper()
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodGet, address, nil)
	check(b.t, err)
	b.do(r)
}

var (
	formAction = regexp.MustCompile(`<form method="post" action="([^"]*)"`)
	inputField = regexp.MustCompile(`<input [^>]*name="([^"]*)"(?: value="([^"]*)")?`)
)

// send fills in the form of the page and sends it.
func (b *browser) send(values map[string]string) {
	b.t.Helper()
	action := formAction.FindStringSubmatch(b.text)
	if action == nil {
		b.t.Fatalf("%s has no form:\n%s", b.at, b.text)
	}
	form := url.Values{}
	for _, field := range inputField.FindAllStringSubmatch(b.text, -1) {
		form.Set(field[1], unescape(field[2]))
	}
	for name, value := range values {
		form.Set(name, value)
	}
	to, err := b.at.Parse(unescape(action[1]))
	check(b.t, err)
	r, err := http.NewRequestWithContext(b.t.Context(), http.MethodPost, to.String(), strings.NewReader(form.Encode()))
	check(b.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Origin", b.at.Scheme+"://"+b.at.Host)
	b.do(r)
}

func unescape(s string) string {
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#39;", "'", "&#43;", "+", "&lt;", "<", "&gt;", ">").Replace(s)
}

// says checks the page's status and that it has a text.
func (b *browser) says(status int, text string) {
	b.t.Helper()
	if b.status != status || !strings.Contains(b.text, text) {
		b.t.Fatalf("%s: status %d, want %d and %q in\n%s", b.at, b.status, status, text, b.text)
	}
}

// until fills in the forms up to GitHub's page, for an App of a name.
func (b *browser) until(w *world, r *replica, name string) {
	b.t.Helper()
	b.open(r.address)
	if strings.Contains(b.text, "The token that") {
		b.send(map[string]string{"token": w.token})
	}
	b.says(http.StatusOK, "Name of the App")
	b.send(map[string]string{"name": name, "organization": "acme", "webhook": "https://turnout.example.com/webhook"})
	b.says(http.StatusOK, "pull_requests: write")
	b.send(nil)
	b.says(http.StatusOK, "For the organization <b>acme</b>")
}

// answer creates the App on GitHub's page, and returns what GitHub sends the browser back with.
func (b *browser) answer() (code, state string) {
	b.t.Helper()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	b.send(nil)
	b.client.CheckRedirect = nil
	back, err := url.Parse(b.location)
	check(b.t, err)
	return back.Query().Get("code"), back.Query().Get("state")
}

// conversions are the codes that were exchanged.
func (w *world) conversions() []githubtest.Request {
	var all []githubtest.Request
	for _, r := range w.github.Requests() {
		if strings.HasSuffix(r.Route, "/conversions") {
			all = append(all, r)
		}
	}
	return all
}
