package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/turnout-dev/turnout/bot"
)

// TestMain lets scripts call the program by its name.
func TestMain(m *testing.M) {
	testscript.Main(withPlane{m}, map[string]func(){"turnout": main})
}

// TestScripts runs testdata/*.txt, each named for the behaviour it shows. In them $WEBHOOK
// is a receiver that knows the secret "known to both sides", like [bot.Webhook].
func TestScripts(t *testing.T) {
	secrets, err := bot.NewSecrets("known to both sides")
	if err != nil {
		t.Fatal(err)
	}
	receiver := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body := make([]byte, r.ContentLength)
		if _, err := r.Body.Read(body); err != nil && err.Error() != "EOF" {
			t.Error(err)
		}
		if !secrets.Verify(r.Header.Get("X-Hub-Signature-256"), body) {
			http.Error(w, "the signature does not match", http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusAccepted)
		fmt.Fprintf(w, "%s %s", r.Header.Get("X-GitHub-Event"), body)
	}))
	t.Cleanup(receiver.Close)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("WEBHOOK", receiver.URL)
			env.Setenv("nl", "\n")
			return nil
		},
	})
}
