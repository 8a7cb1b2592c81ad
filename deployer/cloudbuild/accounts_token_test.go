package cloudbuild

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"google.golang.org/api/option"
)

// iam is Google's service for the credentials of service accounts.
type iam func(*http.Request) string

func (i iam) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: http.StatusOK, Request: r, Header: http.Header{"Content-Type": {"application/json"}},
		Body: io.NopCloser(strings.NewReader(i(r))),
	}, nil
}

// The token is that of the account that a namespace names, not of the account that impersonates
// it.
func TestTokensAreTheAccounts(t *testing.T) {
	t.Parallel()
	var asked []string
	a := NewAccounts(Config{})
	a.iam = []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: iam(func(r *http.Request) string {
		asked = append(asked, r.Method+" "+r.URL.Host+r.URL.Path)
		return `{"accessToken": "the account's", "expireTime": "2100-01-01T00:00:00Z"}`
	})})}
	tokens, err := a.Tokens(t.Context(), "shop@acme-prod.iam.gserviceaccount.com")
	if err != nil {
		t.Fatal(err)
	}
	token, err := tokens.Token()
	if err != nil {
		t.Fatal(err)
	}
	const want = "POST iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/shop@acme-prod.iam.gserviceaccount.com:generateAccessToken"
	if token.AccessToken != "the account's" || len(asked) != 1 || asked[0] != want {
		t.Errorf("the token is %q, the request was %q", token.AccessToken, asked)
	}
}
