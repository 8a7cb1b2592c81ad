package cloudbuild_test

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// witness records the account of each call, over gRPC and HTTP, and answers with errors.
type witness struct {
	mu   sync.Mutex
	seen []string
}

func (w *witness) note(how string, values []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.seen = append(w.seen, strings.Join(append([]string{how}, values...), " "))
}

func (w *witness) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	seen := w.seen
	w.seen = nil
	return slices.Compact(seen)
}

// It also shows that accounts do not share connections, however many there are.
func TestCloudBuildAndTheStoreAreCalledAsTheAccount(t *testing.T) {
	var w witness
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	srv := grpc.NewServer(grpc.UnknownServiceHandler(func(_ any, s grpc.ServerStream) error {
		md, _ := metadata.FromIncomingContext(s.Context())
		w.note("builds", md.Get("authorization"))
		return status.Error(codes.PermissionDenied, "no")
	}))
	go func() { _ = srv.Serve(listener) }()
	t.Cleanup(srv.Stop)
	bucket := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.note("store", r.Header.Values("Authorization"))
		rw.WriteHeader(http.StatusForbidden)
	}))
	t.Cleanup(bucket.Close)
	t.Setenv("STORAGE_EMULATOR_HOST", strings.TrimPrefix(bucket.URL, "http://"))
	accounts := cloudbuild.NewAccounts(cloudbuild.Config{Endpoint: listener.Addr().String(), Insecure: true})
	t.Cleanup(accounts.Close)
	ask := func(account string) {
		t.Helper()
		builds, store, err := accounts.As(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := builds.Poll(t.Context(), cloudbuild.Handle{Project: "p", Location: "global", ID: "1"}); err == nil {
			t.Error("the poll was answered")
		}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		if _, err := store.Upload(ctx, cloudbuild.Upload{Project: "p", Repository: "a/b", Commit: "c", Release: "r"}); err == nil {
			t.Error("the upload was answered")
		}
	}
	for range 2 {
		for account, token := range map[string]string{"": "", "a@p": " Bearer emulated:a@p", "b@p": " Bearer emulated:b@p"} {
			ask(account)
			if got, want := w.taken(), []string{"builds" + token, "store" + token}; !slices.Equal(got, want) {
				t.Errorf("as %q: %q, want %q", account, got, want)
			}
		}
		for i := range 70 { // more than are cached
			if _, _, err := accounts.As(t.Context(), string(rune('c'+i))+"@p"); err != nil {
				t.Fatal(err)
			}
		}
	}
}
