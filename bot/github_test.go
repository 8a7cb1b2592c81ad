package bot_test

import (
	"io"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// TestEnterpriseServerIsAskedUnderItsPathPrefix, whichever of its addresses was
// typed, and for everything: tokens, reading, writing, and the archive.
func TestEnterpriseServerIsAskedUnderItsPathPrefix(t *testing.T) {
	w := newWorld(t)
	_, rel := ended(w)
	for _, typed := range []string{w.github.URL(), w.github.URL() + "/", w.github.URL() + "/api/v3", w.github.URL() + "/api/v3/"} {
		client, err := githubapp.New(githubapp.Config{URL: typed, AppID: w.app.ID, PrivateKey: w.app.PrivateKeyPEM()})
		check(t, err)
		before := len(w.github.Requests())
		permission, err := client.Permission(t.Context(), "acme/shop", "wanda")
		check(t, err)
		if permission != "write" {
			t.Errorf("%s: wanda has %s, want write", typed, permission)
		}
		archive, err := githubapp.Source{GitHub: client}.Archive(t.Context(), "acme/shop", rel.Spec.Deploy.Commit)
		check(t, err)
		_, err = io.Copy(io.Discard, archive)
		check(t, err)
		check(t, archive.Close())
		p := w.publisher()
		p.GitHub, p.Web = client, typed
		untilPublished(t, w, p, rel.Name)
		requests := w.github.Requests()[before:]
		if len(requests) < 3 {
			t.Errorf("%s: %d requests", typed, len(requests))
		}
		for _, r := range requests {
			if !strings.HasPrefix(r.Path, "/api/v3/") {
				t.Errorf("%s: asked for %s, want it below /api/v3", typed, r.Path)
			}
		}
		if r := report.Of(new(bottest.Shop()), rel, report.Around{Web: typed}); !strings.Contains(r.Comment,
			"]("+w.github.URL()+"/acme/shop/commit/") {
			t.Errorf("%s: the comment does not link to the server's pages:\n%s", typed, r.Comment)
		}
	}
}
