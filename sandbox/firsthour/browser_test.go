package firsthour

import (
	"context"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// setupPage is where a port-forward of one replica shows the setup page.
const setupPage = "http://localhost:8081/setup"

// webhookAddress is what a person types there.
const webhookAddress = "https://" + hookHost + "/webhook"

// registerApp registers the App on the setup page and at GitHub, and returns the text of the last page: in
// Chromium, or where there is none, by sending the forms of each page as a browser would. With
// TURNOUT_TEST_CHROMIUM, as .ci/run sets it, Chromium must be there.
func (s *story) registerApp(token string) string {
	s.t.Helper()
	program, err := exec.LookPath("chromium")
	switch {
	case err == nil:
		return registerInChromium(s.t, program, token)
	case os.Getenv("TURNOUT_TEST_CHROMIUM") != "":
		s.t.Fatal(err)
	}
	return s.registerByForms(token)
}

func registerInChromium(t *testing.T, program, token string) string {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it would need rights that a test may not have; the pages are the story's own
		chromedp.WSURLReadTimeout(patience))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	err := chromedp.Do(ctx,
		chromedp.Navigate(setupPage),
		chromedp.SendKeys("#token", token+"\r"),
		chromedp.WaitVisible("#webhook"),
		chromedp.SetValue("#name", "Turnout"),
		chromedp.SendKeys("#organization", "acme"),
		chromedp.SendKeys("#webhook", webhookAddress+"\r"),
		chromedp.Click(`form[action*="settings/apps/new"] button`),
		chromedp.Click(`form[action="/_sandbox/apps"] button`),
		chromedp.WaitVisible(`a[href$="/installations/new"]`),
	)
	if err != nil {
		shown, _ := chromedp.Run(ctx, chromedp.Text("body")) // nothing if the browser has ended
		t.Fatalf("in the browser: %v; it shows\n%s", err, shown)
	}
	text, err := chromedp.Run(ctx, chromedp.Text("body"))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func (s *story) registerByForms(token string) string {
	s.t.Helper()
	s.sends(setupPage+"/session", url.Values{"token": {token}})
	text := s.sends(setupPage+"/app", url.Values{"name": {"Turnout"}, "organization": {"acme"}, "webhook": {webhookAddress}})
	manifest := url.Values{"manifest": {s.find(text, `name="manifest" value="([^"]*)"`)}}
	text = s.sends(s.find(text, `action="([^"]*settings/apps/new[^"]*)"`), manifest)
	manifest.Set("name", "Turnout")
	manifest.Set("owner", "acme")
	manifest.Set("state", s.find(text, `name="state" value="([^"]*)"`))
	text = s.sends(running.GitHub.URL()+"/_sandbox/apps", manifest)
	return strings.NewReplacer("<b>", "", "</b>", "").Replace(text)
}
