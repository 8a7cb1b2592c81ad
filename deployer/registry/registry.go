// Package registry asks registries for the digest of an image's name.
//
// # Decisions
//
// Only Google's hosts get Google's credentials. The name comes from a repository's file or from a
// namespace's owner, and any other host could keep the credentials. Other registries are asked
// anonymously.
//
// For a multi-platform image, the digest is that of its index, from which each node picks its own
// platform.
//
// It asks once. The caller knows how long to keep trying, and what to do in between.
package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"golang.org/x/oauth2"
)

// timeout is how long a registry may take to answer, including signing in.
const timeout = 30 * time.Second

// Client asks registries.
type Client struct {
	// Dial makes connections, see publicnet.Dialer. Required.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Proxy through which registries are asked. Optional.
	Proxy func(*http.Request) (*url.URL, error)
	// UserAgent of the requests.
	UserAgent string
	// TLS says which certificates to trust. Optional: those the system trusts.
	TLS *tls.Config
}

// MissingError is a name that the registry does not have.
type MissingError struct{ Reference string }

// Error names the image.
func (e *MissingError) Error() string { return e.Reference + " is not in its registry" }

// RefusedError is a registry that refuses access to an image.
type RefusedError struct {
	Reference string
	// Google: the request used Google's credentials.
	Google bool
	// Project that keeps the image, on Google's hosts.
	Project string
	Err     error
}

// Error names the image, and the role to grant.
func (e *RefusedError) Error() string {
	if !e.Google {
		return fmt.Sprintf("the registry does not serve %s anonymously, and Turnout has credentials only for Google's registries (gcr.io, "+
			"pkg.dev); list the image under images in cloudbuild.yaml, or push it to one of those: %v", e.Reference, e.Err)
	}
	return fmt.Sprintf("the registry refuses %s; grant Turnout's service account, or the one the namespace impersonates, "+
		"roles/artifactregistry.reader in project %s: %v", e.Reference, e.Project, e.Err)
}

func (e *RefusedError) Unwrap() error { return e.Err }

// IsGoogle reports whether a reference's host is a registry of Google's.
func IsGoogle(reference string) bool {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return false
	}
	host := ref.Context().RegistryStr()
	return host == "gcr.io" || strings.HasSuffix(host, ".gcr.io") || strings.HasSuffix(host, ".pkg.dev")
}

// Project is the project that keeps an image in Google's registries; "" for others. If it
// belongs to an organisation's domain, it is written DOMAIN:PROJECT.
func Project(reference string) string {
	if !IsGoogle(reference) {
		return ""
	}
	ref, err := name.ParseReference(reference)
	if err != nil {
		return ""
	}
	parts := strings.Split(ref.Context().RepositoryStr(), "/")
	if len(parts) > 1 && strings.Contains(parts[0], ".") {
		return parts[0] + ":" + parts[1]
	}
	return parts[0]
}

// Digest is the digest, "sha256:…", of a name with a tag. tokens are Google's, for Google's
// hosts; nil means none. An error is a [*MissingError], a [*RefusedError], or temporary trouble.
func (c *Client) Digest(ctx context.Context, reference string, tokens oauth2.TokenSource) (string, error) {
	ref, err := name.ParseReference(reference)
	if err != nil {
		return "", fmt.Errorf("asking for %s: %w", reference, err)
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	t := &http.Transport{
		DialContext: c.Dial, Proxy: c.Proxy, TLSClientConfig: c.TLS, ForceAttemptHTTP2: true, MaxResponseHeaderBytes: 64 << 10,
		DisableCompression: true, // a small compressed answer may be large
	}
	defer t.CloseIdleConnections()
	auth := authn.Anonymous
	google := IsGoogle(reference) && tokens != nil
	if google {
		auth = tokenAuth{tokens}
	}
	digest, err := ask(ref, remote.WithContext(ctx), remote.WithTransport(bounded{t}), remote.WithAuth(auth),
		remote.WithUserAgent(c.UserAgent),
		remote.WithRetryBackoff(remote.Backoff{Steps: 1}), remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes())
	var answer *transport.Error
	switch {
	case err == nil:
		return digest, nil
	case !errors.As(err, &answer):
	case answer.StatusCode == http.StatusNotFound:
		return "", &MissingError{Reference: reference}
	case answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden:
		return "", &RefusedError{Reference: reference, Google: google, Project: Project(reference), Err: err}
	}
	return "", fmt.Errorf("asking for %s: %w", reference, err)
}

// ask reads the manifest's digest. If the registry does not report it without the manifest, it
// reads the manifest.
func ask(ref name.Reference, options ...remote.Option) (string, error) {
	head, err := remote.Head(ref, options...)
	if err == nil {
		return head.Digest.String(), nil
	}
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode != http.StatusMethodNotAllowed && answer.StatusCode != http.StatusNotImplemented {
		return "", err
	}
	var failed *net.OpError
	if errors.As(err, &failed) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return "", err
	}
	full, err := remote.Get(ref, options...)
	if err != nil {
		return "", err
	}
	return full.Digest.String(), nil
}

// maxAnswer bounds an answer in bytes: registries accept manifests of at most 4 MB (OCI
// Distribution Specification, "Pushing Manifests"), and any registry may be asked.
const maxAnswer = 4 << 20

// bounded is a transport whose answers end in an error after maxAnswer bytes.
type bounded struct{ to http.RoundTripper }

// RoundTrip implements [http.RoundTripper].
func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	answer, err := b.to.RoundTrip(r)
	if err == nil {
		answer.Body = http.MaxBytesReader(nil, answer.Body, maxAnswer)
	}
	return answer, err //nolint:wrapcheck // a transport does not change errors
}

// tokenAuth signs in with one of Google's tokens.
type tokenAuth struct{ tokens oauth2.TokenSource }

// Authorization implements go-containerregistry's authenticator.
func (t tokenAuth) Authorization() (*authn.AuthConfig, error) {
	return t.AuthorizationContext(context.Background())
}

// AuthorizationContext does the same within a context. A token source takes no context, and may
// itself wait for a server. A token that arrives later is discarded.
func (t tokenAuth) AuthorizationContext(ctx context.Context) (*authn.AuthConfig, error) {
	type answer struct {
		token *oauth2.Token
		err   error
	}
	got := make(chan answer, 1)
	go func() {
		token, err := t.tokens.Token()
		got <- answer{token, err}
	}()
	select {
	case <-ctx.Done():
		return nil, fmt.Errorf("signing in to Google's registry: %w", ctx.Err())
	case a := <-got:
		if a.err != nil {
			return nil, fmt.Errorf("signing in to Google's registry: %w", a.err)
		}
		return &authn.AuthConfig{Username: "oauth2accesstoken", Password: a.token.AccessToken}, nil
	}
}
