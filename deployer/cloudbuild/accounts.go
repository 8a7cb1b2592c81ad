package cloudbuild

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"

	"cloud.google.com/go/storage"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/impersonate"
	"google.golang.org/api/option"
	"google.golang.org/grpc"
	"k8s.io/utils/lru"
)

// maxAccounts bounds the accounts whose connections are kept; one more than that
// costs another's connection.
const maxAccounts = 64

// cloudPlatform is the scope of whoever asks; what it may do is for IAM to say.
const cloudPlatform = "https://www.googleapis.com/auth/cloud-platform"

// Accounts asks Google as this process's own identity, or as an account that it may
// impersonate (roles/iam.serviceAccountTokenCreator on it).
type Accounts struct {
	config Config
	mu     sync.Mutex
	kept   *lru.Cache
	iam    []option.ClientOption // of tests: where accounts are impersonated
}

// identity is what is kept of an account.
type identity struct {
	builds *Client
	store  *Store
}

func (i identity) close() error {
	return errors.Join(i.builds.Close(), i.store.Client.Close())
}

// NewAccounts connects lazily, see [NewClient]. Where Cloud Storage is, the
// environment says: storage.NewClient honours STORAGE_EMULATOR_HOST.
func NewAccounts(cfg Config) *Accounts {
	return &Accounts{config: cfg, kept: lru.NewWithEvictionFunc(maxAccounts, func(_ lru.Key, v any) {
		if old, ok := v.(identity); ok {
			_ = old.close() // what it is asked for just now is asked again
		}
	})}
}

// As returns Cloud Build and the store of sources, asked as an account; empty: as
// this process's own.
func (a *Accounts) As(ctx context.Context, account string) (*Client, *Store, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if kept, ok := a.kept.Get(account); ok {
		i := kept.(identity) //nolint:forcetypeassert // nothing else is put in
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

// Tokens are what an account signs in to Google's registries with; empty: this
// process's own. An emulator's are nobody's.
func (a *Accounts) Tokens(ctx context.Context, account string) (oauth2.TokenSource, error) {
	ctx = context.WithoutCancel(ctx) // a source outlives the call that makes it
	switch {
	case a.config.Insecure:
		return nil, nil // an emulator has no IAM, and none of Google's hosts is asked
	case account != "":
		return a.impersonated(ctx, account)
	}
	source, err := google.DefaultTokenSource(ctx, cloudPlatform)
	if err != nil {
		return nil, fmt.Errorf("find this process's own credentials of Google: %w", err)
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
	store, err := storage.NewClient(ctx, bucket...)
	if err != nil {
		_ = client.Close()
		return identity{}, fmt.Errorf("connect to Cloud Storage (STORAGE_EMULATOR_HOST names another): %w", err)
	}
	return identity{client, &Store{Client: store}}, nil
}

// as are the options that make an account of whoever asks. An emulator has no IAM:
// it is told the account's name.
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

// standIn is an account before an emulator: a token that names it.
type standIn string

func (s standIn) header() string { return "Bearer emulated:" + string(s) }

// GetRequestMetadata is for gRPC.
func (s standIn) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": s.header()}, nil
}

// RequireTransportSecurity is for gRPC: an emulator has none.
func (s standIn) RequireTransportSecurity() bool { return false }

// RoundTrip is for HTTP.
func (s standIn) RoundTrip(r *http.Request) (*http.Response, error) {
	r = r.Clone(r.Context())
	r.Header.Set("Authorization", s.header())
	return http.DefaultTransport.RoundTrip(r)
}
