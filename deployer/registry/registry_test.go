package registry

import (
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/oauth2"

	"github.com/turnout-dev/turnout/internal/publicnet"
)

var loopback = publicnet.Dialer([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")})

// serve is a registry whose answers a test may spoil.
func serve(t *testing.T, spoil func(w http.ResponseWriter, r *http.Request) bool) string {
	t.Helper()
	real := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("%s was sent credentials", r.Host)
		}
		if spoil == nil || !spoil(w, r) {
			real.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	return strings.TrimPrefix(server.URL, "http://")
}

func parsed(t *testing.T, reference string) name.Reference {
	t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		t.Fatal(err)
	}
	return ref
}

// secret is a token that must not be used.
type secret struct{ t *testing.T }

func (s secret) Token() (*oauth2.Token, error) {
	s.t.Error("the registry got a request for a token")
	return &oauth2.Token{AccessToken: "secret"}, nil
}

func TestDigestIsWhatTheTagPointsTo(t *testing.T) {
	t.Parallel()
	for what, spoil := range map[string]func(http.ResponseWriter, *http.Request) bool{
		"HEAD": nil,
		"GET": func(w http.ResponseWriter, r *http.Request) bool {
			if r.Method == http.MethodHead {
				w.WriteHeader(http.StatusMethodNotAllowed)
			}
			return r.Method == http.MethodHead && strings.Contains(r.URL.Path, "/manifests/")
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var strict atomic.Bool
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool { return strict.Load() && spoil != nil && spoil(w, r) })
			image, err := random.Image(64, 1)
			if err != nil {
				t.Fatal(err)
			}
			index, err := random.Index(64, 1, 2)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(remote.Write(parsed(t, host+"/orders:one"), image),
				remote.WriteIndex(parsed(t, host+"/orders:many"), index)); err != nil {
				t.Fatal(err)
			}
			strict.Store(true)
			c := &Client{Dial: loopback}
			one, err := image.Digest()
			if err != nil {
				t.Fatal(err)
			}
			many, err := index.Digest()
			if err != nil {
				t.Fatal(err)
			}
			for tag, want := range map[string]string{"one": one.String(), "many": many.String()} {
				if got, err := c.Digest(t.Context(), host+"/orders:"+tag, secret{t}); err != nil || got != want {
					t.Errorf("%s is %s, %v, want %s", tag, got, err, want)
				}
			}
		})
	}
}

func TestARegistrysAnswersAreDistinguished(t *testing.T) {
	t.Parallel()
	answers := func(status int) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, r *http.Request) bool {
			if strings.Contains(r.URL.Path, "/manifests/") {
				w.WriteHeader(status)
			}
			return strings.Contains(r.URL.Path, "/manifests/")
		}
	}
	tests := map[string]struct {
		spoil            func(http.ResponseWriter, *http.Request) bool
		missing, refused bool
	}{
		"no such tag": {nil, true, false},
		"401":         {answers(http.StatusUnauthorized), false, true},
		"403":         {answers(http.StatusForbidden), false, true},
		"429":         {answers(http.StatusTooManyRequests), false, false},
		"503":         {answers(http.StatusServiceUnavailable), false, false},
		"no registry": {func(w http.ResponseWriter, _ *http.Request) bool {
			w.WriteHeader(http.StatusBadGateway)
			return true
		}, false, false},
	}
	for what, test := range tests {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			_, err := (&Client{Dial: loopback}).Digest(t.Context(), serve(t, test.spoil)+"/orders:x", nil)
			var missing *MissingError
			var refused *RefusedError
			if err == nil || errors.As(err, &missing) != test.missing || errors.As(err, &refused) != test.refused {
				t.Errorf("error %T %v", err, err)
			}
		})
	}
}

func TestOnlyAPublicRegistryIsAsked(t *testing.T) {
	t.Parallel()
	host := serve(t, func(http.ResponseWriter, *http.Request) bool {
		t.Error("it was asked")
		return true
	})
	_, err := (&Client{Dial: publicnet.Dialer(nil)}).Digest(t.Context(), host+"/orders:x", nil)
	if _, ok := errors.AsType[*publicnet.RefusedError](err); !ok {
		t.Errorf("error %v", err)
	}
}

func TestOnlyGooglesHostsAreGoogles(t *testing.T) {
	t.Parallel()
	for reference, project := range map[string]string{
		"gcr.io/p/a:1": "p", "eu.gcr.io/p/b/a:1": "p", "europe-west1-docker.pkg.dev/p/r/a:1": "p", "gcr.io/example.com/p/a:1": "example.com:p",
		"gcr.io.evil.example/p/a:1": "", "notgcr.io/p/a:1": "", "gcr.io:8443/p/a:1": "", "pkg.dev.evil.example/p/a": "", "evilpkg.dev/p/a": "",
		"docker.io/gcr.io/p": "", "orders:1": "", "localhost:5000/gcr.io/p/a": "",
	} {
		if got := Project(reference); got != project || IsGoogle(reference) != (project != "") {
			t.Errorf("%s has the project %q and is Google's: %v", reference, got, IsGoogle(reference))
		}
	}
}

// Google's registry gets a token, and its refusal names the role.
func TestGooglesRegistryIsAskedWithItsCredentials(t *testing.T) {
	t.Parallel()
	const host = "europe-west1-docker.pkg.dev"
	server, err := registry.TLS(host)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Close)
	real := server.Config.Handler
	var status atomic.Int32
	server.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		switch {
		case password != "for acme":
			w.Header().Set("WWW-Authenticate", `Basic realm="https://`+host+`"`)
			w.WriteHeader(http.StatusUnauthorized)
		case status.Load() != 0 && strings.Contains(r.URL.Path, "/manifests/"):
			w.WriteHeader(int(status.Load()))
		default:
			real.ServeHTTP(w, r)
		}
	})
	trusted, ok := server.Client().Transport.(*http.Transport)
	if !ok {
		t.Fatal("no transport")
	}
	c := &Client{Dial: trusted.DialContext, TLS: trusted.TLSClientConfig}
	tokens := oauth2.StaticTokenSource(&oauth2.Token{AccessToken: "for acme"})
	image, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	const reference = host + "/acme/apps/orders:x"
	if err := remote.Write(parsed(t, reference), image, remote.WithTransport(trusted), remote.WithAuth(tokenAuth{tokens})); err != nil {
		t.Fatal(err)
	}
	want, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := c.Digest(t.Context(), reference, tokens); err != nil || got != want.String() {
		t.Errorf("digest %s, error %v", got, err)
	}
	status.Store(http.StatusForbidden)
	if _, err := c.Digest(t.Context(), reference, tokens); err == nil ||
		!strings.Contains(err.Error(), "roles/artifactregistry.reader in project acme") {
		t.Errorf("error %v", err)
	}
}

func TestAsksOnceAndEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	var asked atomic.Int32
	host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
		if strings.Contains(r.URL.Path, "/manifests/") {
			asked.Add(1)
			w.WriteHeader(http.StatusServiceUnavailable)
			return true
		}
		return false
	})
	if _, err := (&Client{Dial: loopback}).Digest(ctx, host+"/orders:x", nil); err == nil || asked.Load() != 1 {
		t.Errorf("asked %d times, error %v", asked.Load(), err)
	}
	cancel()
	if _, err := (&Client{Dial: loopback}).Digest(ctx, host+"/orders:x", nil); !errors.Is(err, context.Canceled) || asked.Load() != 1 {
		t.Errorf("asked %d times, error %v", asked.Load(), err)
	}
}

// slow is a token source that waits for a server.
type slow struct{ end chan struct{} }

func (s slow) Token() (*oauth2.Token, error) {
	<-s.end
	return &oauth2.Token{}, nil
}

// The token source takes no context; no caller waits longer than it wants to.
func TestSigningInEndsWithItsCaller(t *testing.T) {
	t.Parallel()
	s := slow{make(chan struct{})}
	defer close(s.end)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := (tokenAuth{s}).AuthorizationContext(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

// Any registry may send an endless answer. It is not kept, whether it is long already or becomes
// long when unpacked.
func TestNoAnswerIsReadWithoutEnd(t *testing.T) {
	t.Parallel()
	for what, status := range map[string]int{"manifest": http.StatusOK, "error": http.StatusNotFound} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			host := serve(t, func(w http.ResponseWriter, r *http.Request) bool {
				switch {
				case r.URL.Path == "/v2/":
				case r.Method == http.MethodHead:
					w.WriteHeader(http.StatusMethodNotAllowed)
				default:
					w.Header().Set("Content-Type", "application/vnd.oci.image.manifest.v1+json")
					if how := r.Header.Get("Accept-Encoding"); how != "" {
						t.Errorf("the answer may be compressed by %s, so its length is unknown", how)
					}
					w.WriteHeader(status)
					for block := make([]byte, 64<<10); sent.Load() < 64<<20; sent.Add(int64(len(block))) {
						if _, err := w.Write(block); err != nil {
							break
						}
					}
				}
				return true
			})
			if digest, err := (&Client{Dial: loopback}).Digest(t.Context(), host+"/orders:one", nil); err == nil {
				t.Errorf("the digest is %s", digest)
			}
			if n := sent.Load(); n >= 64<<20 {
				t.Errorf("%d bytes were read", n)
			}
		})
	}
}
