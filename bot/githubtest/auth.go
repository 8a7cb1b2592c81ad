package githubtest

import (
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/golang-jwt/jwt/v4"
)

// tokenLife is how long an installation's token works (GitHub REST docs, "Create an installation access token").
const tokenLife = time.Hour

// maxJWTLife is the latest expiry of an App's own token.
const maxJWTLife = 10 * time.Minute

// grant is what an installation token allows.
type grant struct {
	token        string
	installation *Installation
	permissions  map[string]string // name → read or write
	repositories map[int64]bool    // by id; nil: all of the installation
	selected     []*Repository     // the requested ones, listed in the answer
	expires      time.Time
}

// authenticate finds out who sends the request.
func (c *call) authenticate(want credential) error {
	scheme, token, _ := strings.Cut(c.request.Header.Get("Authorization"), " ")
	switch {
	case want == anybody && token == "":
		return nil
	case token == "":
		return refuse(http.StatusUnauthorized, "Requires authentication")
	case !strings.EqualFold(scheme, "bearer") && !strings.EqualFold(scheme, "token"):
		return refuse(http.StatusUnauthorized, "Bad credentials")
	}
	if want == appJWT {
		return c.authenticateApp(token)
	}
	g := c.grants[token]
	if g == nil || time.Now().After(g.expires) || g.installation.deleted {
		return refuse(http.StatusUnauthorized, "Bad credentials")
	}
	if !g.installation.suspendedAt.IsZero() {
		return errSuspended
	}
	c.grant, c.app = g, g.installation.app
	return nil
}

// authenticateApp checks a JSON web token against the public key of the App that it names.
func (c *call) authenticateApp(token string) error {
	if strings.HasPrefix(token, "ghs_") {
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	}
	var claims jwt.RegisteredClaims
	_, err := jwt.NewParser(jwt.WithValidMethods([]string{"RS256"})).ParseWithClaims(token, &claims, func(*jwt.Token) (any, error) {
		for _, app := range c.apps {
			if claims.Issuer == strconv.FormatInt(app.ID, 10) || claims.Issuer == app.ClientID {
				c.app = app
				return &app.key.PublicKey, nil
			}
		}
		return nil, errors.New("integration not found")
	})
	switch {
	case err != nil && c.app == nil:
		return refuse(http.StatusNotFound, "Integration not found")
	case err != nil:
		return refuse(http.StatusUnauthorized, "A JSON web token could not be decoded")
	case claims.ExpiresAt == nil:
		return refuse(http.StatusUnauthorized,
			"'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires")
	case time.Until(claims.ExpiresAt.Time) > maxJWTLife:
		return refuse(http.StatusUnauthorized, "'Expiration time' claim ('exp') is too far in the future")
	}
	return nil
}

// who names the owner of a rate limit.
func (c *call) who() string {
	switch {
	case c.grant != nil:
		return "installation ID " + strconv.FormatInt(c.grant.installation.ID, 10)
	case c.app != nil:
		return "app ID " + strconv.FormatInt(c.app.ID, 10)
	}
	return "address"
}

// findRepository finds the repository in the path, if the caller may know that it exists.
func (c *call) findRepository() error {
	if c.params["owner"] == "" {
		return nil
	}
	repo := c.repos[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]
	moved := repo == nil
	if moved {
		repo = c.renamed[strings.ToLower(c.params["owner"]+"/"+c.params["repo"])]
	}
	if repo == nil {
		return errNotFound
	}
	if g := c.grant; g != nil {
		inside := g.installation.has(repo) && (g.repositories == nil || g.repositories[repo.ID])
		if !inside {
			return errNotFound
		}
	}
	if moved {
		return c.redirect(repo)
	}
	c.repo = repo
	return nil
}

// authorize checks that the token has one of the route's permissions.
func (c *call) authorize(rt route) error {
	if len(rt.needs) == 0 || slices.ContainsFunc(rt.needs, c.grant.allows) {
		return nil
	}
	return refuse(http.StatusForbidden, "Resource not accessible by integration")
}

func (g *grant) allows(p permission) bool { return suffices(g.permissions[p.name], p.write) }

// suffices reports whether a permission level ("", read, write, admin) is enough to read,
// or to write.
func suffices(level string, write bool) bool {
	return level == "write" || level == "admin" || level == "read" && !write
}

// ExpireTokens ends all installation tokens at once, as time or GitHub's secret scanning does.
func (s *Server) ExpireTokens() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.grants)
}
