package githubtest

import (
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
)

// Rename renames the repository. The old name leads to it until another repository takes
// it.
func (r *Repository) Rename(name string) error {
	s := r.server
	s.mu.Lock()
	defer s.mu.Unlock()
	old, now := strings.ToLower(r.FullName()), strings.ToLower(r.owner.Login+"/"+name)
	if name == "" || strings.Contains(name, "/") || s.repos[now] != nil {
		return fmt.Errorf("renaming %s to %q: the name is taken, or is none", r.FullName(), name)
	}
	r.name = name
	delete(s.repos, old)
	delete(s.renamed, now)
	s.repos[now], s.renamed[old] = r, r
	return nil
}

// numbered is a path by a repository's number. GitHub serves such paths, but does not
// describe them.
var numbered = regexp.MustCompile(`^/repositories/(\d+)(/.*)?$`)

// redirect is GitHub's answer under a repository's old name: its address by number. GitHub
// answers writes with a 307; nothing in this project writes under an old name.
func (c *call) redirect(repo *Repository) error {
	prefix := strings.TrimPrefix(c.APIURL(), c.url)
	parts := strings.SplitN(strings.TrimPrefix(c.request.URL.EscapedPath(), prefix), "/", 5) // "", repos, owner, name, rest
	location := c.APIURL() + "/repositories/" + strconv.FormatInt(repo.ID, 10)
	if len(parts) == 5 {
		location += "/" + parts[4]
	}
	if q := c.request.URL.RawQuery; q != "" {
		location += "?" + q
	}
	e := refuse(http.StatusMovedPermanently, "Moved Permanently")
	e.header = http.Header{"Location": {location}}
	return e
}

// byNumber replaces the repository's number in a path by its name.
func (s *Server) byNumber(path string) string {
	match := numbered.FindStringSubmatch(path)
	if match == nil {
		return path
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, repo := range s.repos {
		if strconv.FormatInt(repo.ID, 10) == match[1] {
			return "/repos/" + repo.FullName() + match[2]
		}
	}
	return path
}
