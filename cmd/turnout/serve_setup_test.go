package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/internal/setup"
)

// person sends forms in a browser with cookies.
type person struct {
	t      *testing.T
	client http.Client
}

func (p *person) send(address string, values url.Values) string {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), http.MethodPost, address, strings.NewReader(values.Encode()))
	check(p.t, err)
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := p.client.Do(r)
	check(p.t, err)
	defer func() { check(p.t, resp.Body.Close()) }()
	text, err := io.ReadAll(resp.Body)
	check(p.t, err)
	if resp.StatusCode != http.StatusOK {
		p.t.Fatalf("%s: status %d\n%s", address, resp.StatusCode, text)
	}
	return string(text)
}

// ask sends an empty request.
func ask(t *testing.T, method, address string) (status int, text string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	check(t, err)
	resp, err := http.DefaultClient.Do(r)
	check(t, err)
	defer func() { check(t, resp.Body.Close()) }()
	body, err := io.ReadAll(resp.Body)
	check(t, err)
	return resp.StatusCode, string(body)
}

// field finds what a pattern captures in a page.
func field(t *testing.T, page, pattern string) string {
	t.Helper()
	match := regexp.MustCompile(pattern).FindStringSubmatch(page)
	if match == nil {
		t.Fatalf("no %s in\n%s", pattern, page)
	}
	return strings.NewReplacer("&#34;", `"`, "&amp;", "&", "&#43;", "+").Replace(match[1])
}

// Without an App, serve shows the setup page, never on the webhook's address, and goes on to
// serve with the App that was registered there. Started again, it finds that App.
func TestServeWithoutAnAppRegistersOne(t *testing.T) {
	s := newSite(t)
	home := s.app.Namespace + "-home"
	check(t, s.admin.Create(t.Context(), &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: home}}))
	token, err := (&setup.Secret{Client: s.admin, Namespace: home}).Issue(t.Context())
	check(t, err)
	const user = "turnout-without-an-app"
	s.allow("namespaced/served/role.yaml", s.app.Namespace, user)
	s.allow("rbac/own.yaml", home, user)
	s.attests(user)
	plane, err := startPlane()
	check(t, err)
	_, kubeconfig, err := plane.User(user, nil)
	check(t, err)
	file := filepath.Join(t.TempDir(), "kubeconfig")
	check(t, os.WriteFile(file, kubeconfig, 0o600))
	github := githubtest.New(t, githubtest.Config{Enterprise: true})
	var logs lockedBuffer
	start := func() *exec.Cmd {
		cmd := exec.CommandContext(t.Context(), "turnout", "serve", //nolint:gosec // this program, see TestMain
			"--listen=127.0.0.1:0", "--metrics-listen=0", "--setup-listen=127.0.0.1:0", "--github-url="+github.URL(),
			"--github-private-key-file="+filepath.Join(t.TempDir(), "absent"), "--kubeconfig="+file, "--namespaces="+s.app.Namespace,
			"--own-namespace="+home, "--cloudbuild-endpoint=127.0.0.1:1", "--cloudbuild-insecure", "--leader-elect",
			"--leader-elect-namespace="+home)
		// The webhook's address does not exist, and nobody looks it up.
		cmd.Env, cmd.Stderr = append(os.Environ(), "STORAGE_EMULATOR_HOST=127.0.0.1:1", "HTTPS_PROXY=http://127.0.0.1:1"), &logs
		check(t, cmd.Start())
		return cmd
	}
	serving := start()
	logged := func(pattern string) string {
		t.Helper()
		err := wait.PollUntilContextTimeout(t.Context(), 20*time.Millisecond, time.Minute, true, func(context.Context) (bool, error) {
			return regexp.MustCompile(pattern).MatchString(logs.String()), nil
		})
		if err != nil {
			t.Fatalf("the log has no %s:\n%s", pattern, logs.String())
		}
		return field(t, logs.String(), pattern)
	}
	page := "http://" + logged(`"setup":"([^"]*)"`) + "/setup"
	public := "http://" + logged(`"listen":"([^"]*)"`)
	const no = http.StatusServiceUnavailable
	for asked, want := range map[string]int{
		"GET /healthz": http.StatusOK, "GET /readyz": http.StatusOK, // the kubelet's, and through it the load balancer's
		"GET /": no, "GET /setup": no, "POST /setup/session": no, "POST /setup/app": no, "GET /setup/callback?code=1&state=2": no,
		"POST /webhook": no,
	} {
		method, path, _ := strings.Cut(asked, " ")
		if status, text := ask(t, method, public+path); status != want || strings.Contains(text, "token") {
			t.Errorf("on the webhook's listener %s gets %d, want %d\n%s", asked, status, want, text)
		}
	}
	jar, err := cookiejar.New(nil)
	check(t, err)
	p := &person{t, http.Client{Jar: jar}}
	p.send(page+"/session", url.Values{"token": {token}})
	text := p.send(page+"/app", url.Values{"name": {"Turnout"}, "organization": {"acme"}, "webhook": {"https://turnout.example.com/webhook"}})
	manifest := url.Values{"manifest": {field(t, text, `name="manifest" value="([^"]*)"`)}}
	text = p.send(field(t, text, `action="([^"]*settings/apps/new[^"]*)"`), manifest)
	manifest.Set("name", "Turnout")
	manifest.Set("owner", "acme")
	manifest.Set("state", field(t, text, `name="state" value="([^"]*)"`))
	if text = p.send(github.URL()+"/_sandbox/apps", manifest); !strings.Contains(text, "is registered") {
		t.Fatalf("the last page is\n%s", text)
	}
	logged(`"msg":"serving","version":"([^"]*)"`)
	check(t, wait.PollUntilContextTimeout(t.Context(), 50*time.Millisecond, time.Minute, true, func(ctx context.Context) (bool, error) {
		bg := &v1alpha1.BlueGreen{}
		err := s.admin.Get(ctx, client.ObjectKeyFromObject(s.app), bg)
		return len(bg.Status.Conditions) > 0, err
	}))
	for _, secret := range []string{token, "PRIVATE KEY", github.Apps()[0].WebhookSecret} {
		if strings.Contains(logs.String(), secret) {
			t.Errorf("the log has %q", secret)
		}
	}
	check(t, serving.Process.Signal(os.Interrupt))
	check(t, serving.Wait())

	logs.reset()
	serving = start()
	logged(`"msg":"serving","version":"([^"]*)"`)
	if strings.Contains(logs.String(), `"setup"`) {
		t.Errorf("started again, it shows the setup page:\n%s", logs.String())
	}
	check(t, serving.Process.Signal(os.Interrupt))
	check(t, serving.Wait())
}

func (b *lockedBuffer) reset() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.buf.Reset()
}
