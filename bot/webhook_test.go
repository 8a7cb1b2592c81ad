package bot_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/turnout-dev/turnout/bot"
)

func captured(t *testing.T, name string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join("testdata", "webhooks", name+".json"))
	check(t, err)
	return body
}

func TestDerivedPayloadsFitGitHubsSchemas(t *testing.T) {
	file, err := os.Open("githubtest/description/webhooks.json.gz")
	check(t, err)
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	check(t, err)
	doc, err := jsonschema.UnmarshalJSON(unzipped)
	check(t, err)
	compiler := jsonschema.NewCompiler()
	check(t, compiler.AddResource("webhooks.json", doc))
	for name, schema := range map[string]string{
		"push.branch-deleted": "push", "issue_comment.created.pull": "issue-comment-created",
		"issue_comment.edited.pull": "issue-comment-edited", "issue_comment.created.bot": "issue-comment-created",
	} {
		compiled, err := compiler.Compile("webhooks.json#/components/schemas/webhook-" + schema)
		check(t, err)
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(captured(t, name)))
		check(t, err)
		if err := compiled.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDecodeOfCapturedPayloads(t *testing.T) {
	coder := bot.Account{ID: 21031067, Login: "Codertocat", Type: "User"}
	stranger := bot.Account{ID: 21031067, Login: "someone[bot]", Type: "Bot"}
	tests := []struct {
		file string
		want bot.Event
	}{
		{"ping", bot.Event{Name: "ping"}},
		{"push.branch", bot.Event{Name: "push", Push: &bot.Push{
			Repository: "Codertocat/Hello-World", RepositoryID: 186853002, Branch: "master", Commit: "6113728f27ae82c7b1a177c8d03f9e96e0adf246",
			Actor: "Codertocat",
			URL:   "https://github.com/Codertocat/Hello-World/commit/6113728f27ae82c7b1a177c8d03f9e96e0adf246",
		}}},
		{"push.branch-deleted", bot.Event{Name: "push"}},
		{"push.tag", bot.Event{Name: "push"}},
		{"push.tag-deleted", bot.Event{Name: "push"}},
		{"issue_comment.created.issue", bot.Event{Name: "issue_comment.created"}},
		{"issue_comment.edited.issue", bot.Event{Name: "issue_comment.edited"}},
		{"issue_comment.deleted.issue", bot.Event{Name: "issue_comment.deleted"}},
		{"issue_comment.edited.pull", bot.Event{Name: "issue_comment.edited"}},
		{
			"issue_comment.created.pull",
			bot.Event{Name: "issue_comment.created", Comment: &bot.Comment{Body: "/promote", Author: coder, Sender: coder}},
		},
		{
			"issue_comment.created.bot",
			bot.Event{Name: "issue_comment.created", Comment: &bot.Comment{Body: "/promote", Author: stranger, Sender: stranger}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			event, _, _ := strings.Cut(tt.file, ".")
			got, err := bot.Decode(event, "1", captured(t, tt.file))
			check(t, err)
			tt.want.Delivery = "1"
			if c := tt.want.Comment; c != nil && got.Comment != nil {
				c.ID, c.Repository, c.RepositoryID, c.PullRequest, c.URL, c.WrittenAt = got.Comment.ID, "Codertocat/Hello-World", 186853002, 1,
					got.Comment.URL, got.Comment.WrittenAt
				if c.ID == 0 || c.URL == "" || c.WrittenAt.Year() != 2019 {
					t.Errorf("comment %+v lacks its id, address or time", got.Comment)
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("decoded (-want +got):\n%s", diff)
			}
		})
	}
}

// TestSignatureMatchesGitHubsExample uses the vector of GitHub's documentation,
// "Validating webhook deliveries".
func TestSignatureMatchesGitHubsExample(t *testing.T) {
	const want = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
	if got := bot.Sign("It's a Secret to Everybody", []byte("Hello, World!")); got != want {
		t.Errorf("signature %s, want %s", got, want)
	}
	s, err := bot.NewSecrets("the new one, which is longer", "It's a Secret to Everybody")
	check(t, err)
	if !s.Verify(want, []byte("Hello, World!")) {
		t.Error("a signature by the second of two secrets is refused")
	}
	if s.Verify(want, []byte("Hello, World?")) || s.Verify("sha256=", nil) || s.Verify("", nil) ||
		(bot.Secrets{}).Verify(want, []byte("Hello, World!")) {
		t.Error("a wrong signature is accepted")
	}
}

func TestSecretsMustBeThere(t *testing.T) {
	for _, secrets := range [][]string{nil, {""}, {secret, " "}, {"x"}, {secret, "fifteen letters"}} {
		if _, err := bot.NewSecrets(secrets...); err == nil {
			t.Errorf("secrets %q are accepted", secrets)
		}
	}
}

func TestWebhookAnswers(t *testing.T) {
	push := captured(t, "push.branch")
	signed := http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {"guid"},
		"X-Hub-Signature-256": {bot.Sign(secret, push)},
	}
	with := func(changes ...string) http.Header {
		h := signed.Clone()
		for i := 0; i < len(changes); i += 2 {
			h.Set(changes[i], changes[i+1])
			if changes[i+1] == "" {
				h.Del(changes[i])
			}
		}
		return h
	}
	huge := append(bytes.Repeat([]byte(" "), 25<<20), push...)
	tests := []struct {
		name    string
		method  string
		header  http.Header
		body    []byte
		handle  error
		want    int
		handled bool
	}{
		{name: "push", header: signed, body: push, want: 202, handled: true},
		{name: "charset", header: with("Content-Type", "application/json; charset=utf-8"), body: push, want: 202, handled: true},
		{name: "record down", header: signed, body: push, handle: errors.New("down"), want: 503, handled: true},
		{name: "unknown event", header: with("X-GitHub-Event", "star"), body: push, want: 202},
		{name: "GET", method: "GET", header: signed, body: push, want: 405},
		{name: "form", header: with("Content-Type", "application/x-www-form-urlencoded"), body: push, want: 415},
		{name: "no content type", header: with("Content-Type", ""), body: push, want: 415},
		{name: "no event", header: with("X-GitHub-Event", ""), body: push, want: 400},
		{name: "no delivery", header: with("X-GitHub-Delivery", ""), body: push, want: 400},
		{name: "no signature", header: with("X-Hub-Signature-256", ""), body: push, want: 401},
		{name: "SHA-1 signature only", header: with("X-Hub-Signature-256", "", "X-Hub-Signature", "sha1=00"), body: push, want: 401},
		{name: "signature of another secret", header: with("X-Hub-Signature-256", bot.Sign("other", push)), body: push, want: 401},
		{name: "signature of another body", header: signed, body: append([]byte(" "), push...), want: 401},
		{name: "signature of another shape", header: with("X-Hub-Signature-256", "sha256=00"), body: push, want: 401},
		{name: "over 25 MB", header: with("X-Hub-Signature-256", bot.Sign(secret, huge)), body: huge, want: 413},
		{name: "not JSON", header: with("X-Hub-Signature-256", bot.Sign(secret, []byte("hello"))), body: []byte("hello"), want: 400},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var log bytes.Buffer
			handled, counted := false, 0
			secrets, err := bot.NewSecrets(secret)
			check(t, err)
			h := &bot.Webhook{
				Secrets: secrets, Log: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
				Handle:   func(context.Context, bot.Event) error { handled = true; return tt.handle },
				Answered: func(_ string, status int) { counted = status },
			}
			if tt.method == "" {
				tt.method = http.MethodPost
			}
			req := httptest.NewRequest(tt.method, "/", bytes.NewReader(tt.body))
			req.Header = tt.header
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, req)
			if rec.Code != tt.want || counted != tt.want || handled != tt.handled {
				t.Errorf("answered %d, counted %d, handled %v; want %d and %v", rec.Code, counted, handled, tt.want, tt.handled)
			}
			for _, part := range []string{"Codertocat", "hello"} {
				if strings.Contains(log.String(), part) {
					t.Errorf("the log contains %q of the body: %s", part, log.String())
				}
			}
		})
	}
}

func TestWebhookSurvivesAPanic(t *testing.T) {
	secrets, err := bot.NewSecrets(secret)
	check(t, err)
	h := &bot.Webhook{Secrets: secrets, Log: slog.New(slog.DiscardHandler), Handle: func(context.Context, bot.Event) error { panic("boom") }}
	body := captured(t, "push.branch")
	req := httptest.NewRequest(http.MethodPost, "/", bytes.NewReader(body))
	req.Header = http.Header{
		"Content-Type": {"application/json"}, "X-Github-Event": {"push"}, "X-Github-Delivery": {"guid"},
		"X-Hub-Signature-256": {bot.Sign(secret, body)},
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, req)
	if answer, _ := io.ReadAll(rec.Body); rec.Code != 500 || strings.Contains(string(answer), "boom") {
		t.Errorf("answered %d %q, want 500 without the panic", rec.Code, answer)
	}
}

// TestCommandOfABotIsIgnoredUnlessItIsTrusted needs no GitHub: the bot must not call GitHub
// for an ignored comment.
func TestCommandOfABotIsIgnoredUnlessItIsTrusted(t *testing.T) {
	record := newRecord()
	record.down = true // a comment that counts reads the record first
	e, err := bot.Decode("issue_comment", "1", captured(t, "issue_comment.created.bot"))
	check(t, err)
	in := &bot.Inbox{Record: record, Deliveries: record, Log: slog.New(slog.DiscardHandler)}
	if err := in.Handle(t.Context(), e); err != nil {
		t.Errorf("a bot's command reached the record: %v", err)
	}
	in.TrustedBots = []int64{21031067}
	if err := in.Handle(t.Context(), e); !errors.Is(err, errDown) {
		t.Errorf("a trusted bot's command gave %v, want a call of the record", err)
	}
	e, err = bot.Decode("issue_comment", "1", captured(t, "issue_comment.created.pull"))
	check(t, err)
	e.Comment.Author.ID++ // somebody else's comment
	if err := in.Handle(t.Context(), e); err != nil {
		t.Errorf("a command from another user than the author reached the record: %v", err)
	}
}

// TestACommentThroughAnAppSaysSo: GitHub names the App that wrote for a person, and the
// person as the author.
func TestACommentThroughAnAppSaysSo(t *testing.T) {
	typed := captured(t, "issue_comment.created.pull")
	sent := bytes.ReplaceAll(typed, []byte(`"performed_via_github_app": null`),
		[]byte(`"performed_via_github_app": {"id": 77, "slug": "chat"}`))
	for _, tt := range []struct {
		body []byte
		want int64
	}{{typed, 0}, {sent, 77}} {
		e, err := bot.Decode("issue_comment", "1", tt.body)
		check(t, err)
		if e.Comment.ViaApp != tt.want {
			t.Errorf("the comment came through App %d, want %d", e.Comment.ViaApp, tt.want)
		}
	}
}

// FuzzDecode: whatever GitHub, or somebody with the secret, sends, a push has a branch and
// a full hash, and a comment is a new one.
// Only the bodies of pushes and comments are read: an App may be subscribed to many events.
func TestBodiesOfOtherEventsAreNotRead(t *testing.T) {
	for event, read := range map[string]bool{"push": true, "issue_comment": true, "ping": false, "check_run": false, "pull_request": false} {
		e, err := bot.Decode(event, "1", []byte(`{"action": `))
		if (err != nil) != read {
			t.Errorf("%s with half a body: %v", event, err)
		}
		if !read && (e.Name != event || e.Delivery != "1" || e.Push != nil || e.Comment != nil) {
			t.Errorf("%s is %+v", event, e)
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{
		"push.branch", "push.tag", "push.branch-deleted", "issue_comment.created.pull",
		"issue_comment.created.issue", "ping",
	} {
		body, err := os.ReadFile(filepath.Join("testdata", "webhooks", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		event, _, _ := strings.Cut(name, ".")
		f.Add(event, body)
	}
	f.Add("push", []byte(`{"ref":"refs/heads/","after":"0000000000000000000000000000000000000001"}`))
	hash := regexp.MustCompile(`^[0-9a-f]{40,64}$`)
	f.Fuzz(func(t *testing.T, event string, body []byte) {
		e, err := bot.Decode(event, "1", body)
		if err != nil {
			return
		}
		if p := e.Push; p != nil && (event != "push" || p.Branch == "" || !hash.MatchString(p.Commit)) {
			t.Errorf("push %+v", p)
		}
		if c := e.Comment; c != nil && (event != "issue_comment" || e.Name != "issue_comment.created") {
			t.Errorf("comment %+v", c)
		}
	})
}
