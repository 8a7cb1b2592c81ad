package githubtest

import (
	"net/http"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v4"
	"github.com/google/go-github/v60/github"
)

func TestWithoutPermissionTheAppIsForbidden(t *testing.T) {
	w := newWorld(t, Config{})
	w.app.InstallOn(w.repo, map[string]string{"contents": "read", "deployments": "read"})
	ctx := t.Context()
	_, _, err := w.client.Repositories.ListDeployments(ctx, "acme", "shop", nil)
	check(t, err)
	_, _, err = w.client.Repositories.CreateDeployment(ctx, "acme", "shop", &github.DeploymentRequest{Ref: new("main")})
	if status(err) != http.StatusForbidden {
		t.Errorf("deploying with deployments:read: %v", err)
	}
	_, _, err = w.client.PullRequests.List(ctx, "acme", "shop", nil)
	if status(err) != http.StatusForbidden {
		t.Errorf("listing pull requests without the permission: %v", err)
	}
}

func TestForeignRepositoryDoesNotExist(t *testing.T) {
	w := newWorld(t, Config{})
	_, err := w.AddRepository("acme/secret", RepositoryConfig{Files: Text(map[string]string{"a": "a"}), Private: true})
	check(t, err)
	for _, name := range []string{"secret", "nothing"} {
		_, _, err = w.client.Repositories.Get(t.Context(), "acme", name)
		if status(err) != http.StatusNotFound {
			t.Errorf("acme/%s: %v", name, err)
		}
	}
}

func TestTokenCanBeNarrowed(t *testing.T) {
	w := newWorld(t, Config{})
	ctx := t.Context()
	other, err := w.AddRepository("acme/other", RepositoryConfig{Files: Text(map[string]string{"a": "a"})})
	check(t, err)
	w.app.InstallOn(other, nil)
	token, _, err := w.asApp.Apps.CreateInstallationToken(ctx, w.installation.ID, &github.InstallationTokenOptions{
		Repositories: []string{"other"}, Permissions: &github.InstallationPermissions{Contents: new("read")},
	})
	check(t, err)
	if len(token.Repositories) != 1 || time.Until(token.GetExpiresAt().Time) > time.Hour {
		t.Errorf("the token: %v", token)
	}
	narrow := w.clientOver(t, http.DefaultTransport).WithAuthToken(token.GetToken())
	narrow.BaseURL.Path = "/"
	_, _, err = narrow.Repositories.GetBranch(ctx, "acme", "other", "main", 0)
	check(t, err)
	if _, _, err = narrow.Repositories.Get(ctx, "acme", "shop"); status(err) != http.StatusNotFound {
		t.Errorf("a repository outside of the token: %v", err)
	}
	if _, _, err = narrow.Repositories.ListDeployments(ctx, "acme", "other", nil); status(err) != http.StatusForbidden {
		t.Errorf("a permission outside of the token: %v", err)
	}
	_, _, err = w.asApp.Apps.CreateInstallationToken(ctx, w.installation.ID, &github.InstallationTokenOptions{
		Permissions: &github.InstallationPermissions{Contents: new("write")},
	})
	if status(err) != http.StatusUnprocessableEntity {
		t.Errorf("a token with more than the installation's permissions: %v", err)
	}
}

func TestBadCredentialsAreRefused(t *testing.T) {
	w := newWorld(t, Config{})
	foreign, err := w.AddApp(AppConfig{Slug: "foreign"})
	check(t, err)
	sign := func(issuer *App, life time.Duration) string {
		claims := jwt.RegisteredClaims{Issuer: itoa(w.app.ID), ExpiresAt: jwt.NewNumericDate(time.Now().Add(life))}
		token, err := jwt.NewWithClaims(jwt.SigningMethodRS256, claims).SignedString(issuer.key)
		check(t, err)
		return token
	}
	for name, tt := range map[string]struct{ path, token string }{
		"no token":             {"/repos/acme/shop", ""},
		"a made up token":      {"/repos/acme/shop", "ghs_1_x"},
		"a token for the App":  {"/app", "ghs_1_x"},
		"another App's key":    {"/app", sign(foreign, time.Minute)},
		"an expired JWT":       {"/app", sign(w.app, -time.Minute)},
		"a JWT of eleven min.": {"/app", sign(w.app, 11*time.Minute)},
	} {
		request, err := http.NewRequest("GET", w.APIURL()+tt.path, nil)
		check(t, err)
		if tt.token != "" {
			request.Header.Set("Authorization", "Bearer "+tt.token)
		}
		response, err := http.DefaultClient.Do(request)
		check(t, err)
		response.Body.Close()
		if response.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s: %d, want 401", name, response.StatusCode)
		}
	}
}

func TestExpiredTokenIsRefusedUntilRenewed(t *testing.T) {
	w := newWorld(t, Config{})
	_, _, err := w.client.Repositories.Get(t.Context(), "acme", "shop")
	check(t, err)
	w.ExpireTokens()
	if _, _, err = w.client.Repositories.Get(t.Context(), "acme", "shop"); status(err) != http.StatusUnauthorized {
		t.Errorf("an expired token: %v", err)
	}
}
