package githubapp_test

import (
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
	"github.com/turnout-dev/turnout/bot/report"
)

func TestGitHubAddressIsChecked(t *testing.T) {
	w := newWorld(t)
	for address, good := range map[string]bool{
		"": true, "https://github.com": true, "https://ghe.example.com": true, "https://ghe.example.com/api/v3/": true, "ghe.example.com": false,
		"ftp://x": false,
	} {
		_, err := githubapp.New(githubapp.Config{URL: address, AppID: 1, PrivateKey: w.app.PrivateKeyPEM()})
		if (err == nil) != good {
			t.Errorf("address %q: %v", address, err)
		}
	}
	for _, cfg := range []githubapp.Config{{AppID: 1}, {PrivateKey: w.app.PrivateKeyPEM()}} {
		if _, err := githubapp.New(cfg); err == nil || !strings.Contains(err.Error(), "TURNOUT_") {
			t.Errorf("incomplete configuration: %v, want the variable's name", err)
		}
	}
}

// TestEnterpriseServerIsAskedUnderItsPathPrefix: for every form of its address, and for
// tokens, reading, writing, and the archive.
func TestEnterpriseServerIsAskedUnderItsPathPrefix(t *testing.T) {
	w := newWorld(t)
	head := w.commit("topic", "app.py", "print('v2')\n")
	pr, err := w.repo.OpenPullRequest(githubtest.NewPullRequest{Title: "A change", Head: "topic"})
	check(t, err)
	for _, typed := range []string{w.github.URL(), w.github.URL() + "/", w.github.URL() + "/api/v3", w.github.URL() + "/api/v3/"} {
		client := w.newClient(githubapp.Config{URL: typed})
		before := len(w.github.Requests())
		permission, err := client.Permission(t.Context(), "acme/shop", "wanda")
		check(t, err)
		if permission != "write" {
			t.Errorf("%s: wanda has %s, want write", typed, permission)
		}
		archive, err := githubapp.Source{GitHub: client}.Archive(t.Context(), "acme/shop", head)
		check(t, err)
		_, err = io.Copy(io.Discard, archive)
		check(t, err)
		check(t, archive.Close())
		_, err = client.CreateComment(t.Context(), "acme/shop", pr.Number, "a comment")
		check(t, err)
		_, err = client.CreateDeployment(t.Context(), "acme/shop", report.Deployment{Ref: head, Task: "deploy", Environment: "production"})
		check(t, err)
		requests := w.github.Requests()[before:]
		if len(requests) < 5 {
			t.Errorf("%s: %d requests", typed, len(requests))
		}
		for _, r := range requests {
			if !strings.HasPrefix(r.Path, "/api/v3/") {
				t.Errorf("%s: asked for %s, want it below /api/v3", typed, r.Path)
			}
		}
	}
}

// TestAFailedTokenLeavesNoConnectionOpen: an installation's client does not close the answer
// that refuses it a token. One connection still serves all attempts.
func TestAFailedTokenLeavesNoConnectionOpen(t *testing.T) {
	w := newWorld(t)
	client := w.newClient(githubapp.Config{URL: w.github.URL(), Transport: &http.Transport{}})
	w.github.Inject(githubtest.Fault{
		Kind: githubtest.BadGateway, Method: "POST", Route: "/app/installations/{installation_id}/access_tokens",
		Times: 50,
	})
	made := 0
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{GotConn: func(c httptrace.GotConnInfo) {
		if !c.Reused {
			made++
		}
	}})
	for range 50 {
		if _, err := client.Permission(ctx, "acme/shop", "wanda"); err == nil {
			t.Fatal("a permission without a token")
		}
	}
	if made > 2 {
		t.Errorf("%d connections for 50 failed tokens, want one reused connection", made)
	}
}

// slow is a proxy before GitHub with its own limit.
type slow struct{}

func (slow) RoundTrip(*http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("slow down"))},
		nil
}

// TestTooManyRequestsIsALimitInWhateverWords: a proxy does not answer as GitHub does.
func TestTooManyRequestsIsALimitInWhateverWords(t *testing.T) {
	w := newWorld(t)
	client := w.newClient(githubapp.Config{URL: w.github.URL(), Transport: slow{}})
	_, err := client.Head(t.Context(), "acme/shop", "main")
	if wait, limited := githubapp.RetryAfter(err, time.Now()); !limited || wait < 50*time.Second || wait > time.Minute {
		t.Errorf("%v: a limit %v, of %s; want one of a minute", err, limited, wait)
	}
}
