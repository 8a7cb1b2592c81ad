package bot_test

import (
	"net/http"
	"net/http/httptrace"
	"testing"

	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

// TestAFailedTokenLeavesNoConnectionOpen: the client of an installation does not
// close the answer that refuses it a token. One connection serves all of them.
func TestAFailedTokenLeavesNoConnectionOpen(t *testing.T) {
	w := newWorld(t)
	client, err := githubapp.New(githubapp.Config{
		URL: w.github.URL(), AppID: w.app.ID, PrivateKey: w.app.PrivateKeyPEM(), Transport: &http.Transport{},
	})
	check(t, err)
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
		t.Errorf("%d connections for 50 failed tokens, want one that is used again", made)
	}
}
