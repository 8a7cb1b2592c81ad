package cloudbuild

import (
	"context"
	"fmt"
	"net/http"
	"sync"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/impersonate"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"k8s.io/utils/lru"
)

// maxAccounts bounds the cached accounts; beyond it, the least recently used
// account's connections are closed.
const maxAccounts = 64

// cloudPlatform is the broadest scope; IAM decides what the caller may do.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Accounts calls Google as this process's own identity, or as an account that it may
// impersonate (roles/iam.serviceAccountTokenCreator on it).
type Accounts struct {
	config Config
	mu     sync.Mutex
	kept   *lru.Cache
	iam    []option.ClientOption // for tests: where to impersonate accounts
}

// identity holds the connections of one account.
type identity struct {
	builds *Client
	store  *Store
}

// NewAccounts connects lazily, see [NewClient]. The environment decides where Cloud Storage is:
// see [NewStore].
func NewAccounts(cfg Config) *Accounts {
	return &Accounts{config: cfg, kept: lru.NewWithEvictionFunc(maxAccounts, func(_ lru.Key, v any) {
		if old, ok := v.(identity); ok {
			_ = old.builds.Close() // calls in progress fail, and their callers retry
		}
	})}
}

// As returns Cloud Build and the source store, called as an account; "" means this
// process's own identity.
func (a *Accounts) As(ctx context.Context, account string) (*Client, *Store, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kept, ok := a.kept.Get(account); ok {
		i := kept.(identity) //nolint:forcetypeassert // nothing else is stored
		return i.builds, i.store, nil
	}
	// The connection outlives the call that makes it.
	i, err := a.connect(context.WithoutCancel(ctx), account)
	if err != nil {
		return nil, nil, err
	}
	a.kept.Add(account, i)
	return i.builds, i.store, nil
}

// Tokens returns an account's tokens for Google's registries; "" means this process's own
// identity. With an emulator there are none.
func (a *Accounts) Tokens(ctx context.Context, account string) (oauth2.TokenSource, error) {
	ctx = context.WithoutCancel(ctx) // a source outlives the call that makes it
	switch {
	case a.config.Insecure:
		return nil, nil // an emulator has no IAM, and no host of Google's is called
	case account != "":
		return a.impersonated(ctx, account)
	}
	source, err := google.DefaultTokenSource(ctx, cloudPlatform)
	if err != nil {
		return nil, fmt.Errorf("find this process's own Google credentials: %w", err)
	}
	return source, nil
}

func (a *Accounts) impersonated(ctx context.Context, account string) (oauth2.TokenSource, error) {
	source, err := impersonate.CredentialsTokenSource(ctx,
		impersonate.CredentialsConfig{TargetPrincipal: account, Scopes: []string{cloudPlatform}}, a.iam...)
	if err != nil {
		return nil, fmt.Errorf("impersonate %s: %w", account, err)
	}
	return source, nil
}

// Close ends all connections.
func (a *Accounts) Close() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.kept.Clear()
}

func (a *Accounts) connect(ctx context.Context, account string) (identity, error) {
	builds, bucket, err := a.as(ctx, account)
	if err != nil {
		return identity{}, err
	}
	client, err := NewClient(ctx, a.config, builds...)
	if err != nil {
		return identity{}, err
	}
	store, err := NewStore(ctx, bucket...)
	if err != nil {
		_ = client.Close()
		return identity{}, err
	}
	return identity{client, store}, nil
}

// as returns the options for calls as an account. An emulator has no IAM: it gets the account's
// name.
func (a *Accounts) as(ctx context.Context, account string) (builds, bucket []option.ClientOption, err error) {
	if account == "" {
		return nil, nil, nil
	}
	if a.config.Insecure {
		name := standIn(account)
		return []option.ClientOption{option.WithGRPCDialOption(grpc.WithPerRPCCredentials(name))},
			[]option.ClientOption{option.WithHTTPClient(&http.Client{Transport: name})}, nil
	}
	source, err := a.impersonated(ctx, account)
	if err != nil {
		return nil, nil, err
	}
	both := []option.ClientOption{option.WithTokenSource(source)}
	return both, both, nil
}

// standIn replaces an account's credentials at an emulator: a token that names the account.
type standIn string

func (s standIn) header() string { return "Bearer emulated:" + string(s) }

// GetRequestMetadata implements gRPC's credentials.
func (s standIn) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": s.header()}, nil
}

// RequireTransportSecurity implements gRPC's credentials: an emulator has no TLS.
func (s standIn) RequireTransportSecurity() bool { return false }

// RoundTrip implements http.RoundTripper.
func (s standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", s.header())
	return http.DefaultTransport.RoundTrip(r)
}
