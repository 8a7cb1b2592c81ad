package setup

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/turnout-dev/turnout/config"
)

// newChromium is a headless Chromium. Where there is none, the test is skipped, unless
// TURNOUT_TEST_CHROMIUM is set, as .ci/run does.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	program, err := exec.LookPath("chromium")
	switch {
	case err != nil && os.Getenv("TURNOUT_TEST_CHROMIUM") != "":
		t.Fatal(err)
	case err != nil:
		t.Skip("there is no chromium; on Debian: apt-get install chromium")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.UserDataDir(t.TempDir()),
		chromedp.NoSandbox, // it would need rights that a test may not have; the pages are this test's own
		chromedp.WSURLReadTimeout(time.Minute))
	ctx, cancel := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// What a browser does with cookies, the policy of the page, and forms to another site, only a
// browser shows.
func TestABrowserRegistersTheApp(t *testing.T) {
	t.Parallel()
	ctx := newChromium(t)
	w := newWorld(t)
	r := w.start(nil)
	check(t, chromedp.Do(ctx, chromedp.Navigate(r.address), chromedp.SendKeys("#token", "another token\r")))
	wrong, err := chromedp.Run(ctx, chromedp.Text("[role=alert]"))
	check(t, err)
	check(t, chromedp.Do(ctx,
		chromedp.SendKeys("#token", w.token+"\r"),
		chromedp.WaitVisible("#webhook"),
		chromedp.SetValue("#name", "Turnout Acme"),
		chromedp.SendKeys("#organization", "acme"),
		chromedp.SendKeys("#webhook", "https://turnout.example.com/webhook\r"),
		chromedp.Click(`form[action*="settings/apps/new"] button`),
		chromedp.Click(`form[action="/_sandbox/apps"] button`),
		chromedp.WaitVisible(`a[href$="/installations/new"]`),
	))
	last, err := chromedp.Run(ctx, chromedp.Text("body"))
	check(t, err)
	if !strings.Contains(wrong, "This is not the token") || !strings.Contains(last, "turnout-acme is registered") {
		t.Errorf("a wrong token: %q; the last page:\n%s", wrong, last)
	}
	<-r.ended
	check(t, r.err)
	if made := w.github.Apps(); len(made) != 1 || r.app.ID != made[0].ID || len(w.secret().Data[config.SecretPrivateKey]) == 0 {
		t.Errorf("GitHub has %d Apps, Turnout has %d", len(made), r.app.ID)
	}
}
