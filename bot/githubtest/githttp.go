package githubtest

import (
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"strings"
)

// gitService is the only served service of git over HTTP: reading.
const gitService = "git-upload-pack"

// serveGit answers git's smart HTTP protocol with git's own program. It serves clones and
// fetches of public repositories without credentials. A push, and the old protocol of plain
// files, are unknown routes.
//
// A repository that needs credentials gets the same answer as one that does not exist: 401.
// Git then asks for a password, and every password is wrong.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	owner, name := r.PathValue("owner"), r.PathValue("repo")
	s.mu.Lock()
	repo, outage := s.repos[strings.ToLower(owner+"/"+strings.TrimSuffix(name, ".git"))], s.outage
	s.mu.Unlock()
	switch {
	case outage:
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
	case r.Method == http.MethodGet && r.URL.Query().Get("service") != gitService:
		s.unknownRoute(w, r)
	case repo == nil || repo.private:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Repository not found.", http.StatusUnauthorized)
	default:
		s.gitBackend(repo.git, "/"+owner+"/"+name).ServeHTTP(w, r)
	}
}

// gitBackend is git's CGI program for one repository, whose address starts with root.
func (s *Server) gitBackend(dir gitDir, root string) http.Handler {
	git, err := exec.LookPath("git")
	if err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		})
	}
	log := slog.NewLogLogger(s.log.Handler(), slog.LevelError)
	return &cgi.Handler{
		Path: git, Dir: ".", Root: root, Logger: log, Stderr: log.Writer(),
		Args: []string{
			// GitHub serves every commit that a branch or tag contains, not only their
			// heads.
			"-c", "uploadpack.allowTipSHA1InWant=true", "-c", "uploadpack.allowReachableSHA1InWant=true", "http-backend",
		},
		Env: append(dir.environ(), "GIT_PROJECT_ROOT="+string(dir), "GIT_HTTP_EXPORT_ALL=1"),
	}
}
