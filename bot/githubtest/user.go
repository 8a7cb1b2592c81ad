package githubtest

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

// User is an account: a person, an organization, or the bot of an App.
type User struct {
	ID        int64
	Login     string
	Name      string // as shown, and as author of commits
	Email     string
	Type      string // User, Organization or Bot
	CreatedAt time.Time
}

// AddUser adds a person, or returns the one with this login.
func (s *Server) AddUser(login string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUser(login, "User")
}

// AddOrganization adds an organization, or returns the account with this login.
func (s *Server) AddOrganization(login string) *User {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.addUser(login, "Organization")
}

// addUser finds or makes an account. The caller holds s.mu.
func (s *Server) addUser(login, kind string) *User {
	if user := s.users[strings.ToLower(login)]; user != nil {
		return user
	}
	id := s.nextID()
	user := &User{
		ID: id, Login: login, Name: login, Type: kind, CreatedAt: now(),
		Email: fmt.Sprintf("%d+%s@users.noreply.github.com", id, login),
	}
	s.users[strings.ToLower(login)] = user
	return user
}

// user finds an account. The caller holds s.mu.
func (s *Server) user(login string) *User { return s.users[strings.ToLower(login)] }

// sign is the user's signature of a commit made now.
func (u *User) sign() signature { return signature{Name: u.Name, Email: u.Email, At: now()} }

func getUser(c *call) (reply, error) {
	user := c.user(c.params["username"])
	if user == nil {
		return reply{}, errNotFound
	}
	return reply{body: merged(c.userJSON(user), map[string]any{
		"name": user.Name, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(user.CreatedAt), "updated_at": stamp(user.CreatedAt),
	})}, nil
}

// roles are a repository's roles, each with the "permission" that the API reports for it.
var roles = map[string]string{
	"none": "none", "read": "read", "triage": "read", "write": "write", "maintain": "write", "admin": "admin",
}

func getCollaboratorPermission(c *call) (reply, error) {
	user := c.user(c.params["username"])
	if user == nil {
		return reply{}, errNotFound
	}
	role := c.repo.role(user)
	able := map[string]any{}
	order := []string{"pull", "triage", "push", "maintain", "admin"}
	rank := map[string]int{"none": 0, "read": 1, "triage": 2, "write": 3, "maintain": 4, "admin": 5}[role]
	for i, name := range order {
		able[name] = rank > i
	}
	return reply{body: map[string]any{
		"permission": roles[role], "role_name": role,
		"user": merged(c.userJSON(user), map[string]any{"role_name": role, "permissions": able}),
	}}, nil
}

func getRateLimit(c *call) (reply, error) {
	q := c.quotas[c.who()]
	rate := map[string]any{
		"limit": c.cfg.RateLimit, "used": q.used, "remaining": c.cfg.RateLimit - q.used, "reset": q.reset.Unix(),
	}
	return reply{status: http.StatusOK, body: map[string]any{
		"resources": map[string]any{"core": rate, "search": rate}, "rate": rate,
	}}, nil
}
