package githubtest

import (
	"log/slog"
	"net/http"
	"net/http/cgi"
	"os/exec"
	"strings"
)

// gitService is the service of git over HTTP for reading.
const gitService = "git-upload-pack"

// serveGit answers git's smart HTTP protocol with git's own program. It serves clones and
// fetches of public repositories without credentials. The old protocol of plain files is an
// unknown route, and so is a push without [Config.Pushes].
//
// A repository that needs credentials gets the same answer as one that does not exist: 401.
// Git then asks for a password, and every password is wrong.
func (s *Server) serveGit(w http.ResponseWriter, r *http.Request) {
	owner, name := r.PathValue("owner"), r.PathValue("repo")
	s.mu.Lock()
	repo, outage := s.repos[strings.ToLower(owner+"/"+strings.TrimSuffix(name, ".git"))], s.outage
	s.mu.Unlock()
	service := r.URL.Query().Get("service")
	switch {
	case s.cfg.Pushes && service == pushService:
		s.servePush(w, r)
	case outage:
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
	case r.Method == http.MethodGet && service != gitService:
		s.unknownRoute(w, r)
	case repo == nil || repo.private:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Repository not found.", http.StatusUnauthorized)
	default:
		s.gitBackend(repo.git, "/"+owner+"/"+name).ServeHTTP(w, r)
	}
}

// gitBackend is git's CGI program for one repository, whose address starts with root, with more
// settings of git's, as NAME=VALUE.
func (s *Server) gitBackend(dir gitDir, root string, settings ...string) http.Handler {
	git, err := exec.LookPath("git")
	if err != nil {
		return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			http.Error(w, err.Error(), http.StatusInternalServerError)
		})
	}
	log := slog.NewLogLogger(s.log.Handler(), slog.LevelError)
	// GitHub serves every commit that a branch or tag contains, not only their heads.
	settings = append(settings, "uploadpack.allowTipSHA1InWant=true", "uploadpack.allowReachableSHA1InWant=true")
	var args []string
	for _, setting := range settings {
		args = append(args, "-c", setting)
	}
	return &cgi.Handler{
		Path: git, Dir: ".", Root: root, Logger: log, Stderr: log.Writer(), Args: append(args, "http-backend"),
		Env: append(dir.environ(), "GIT_PROJECT_ROOT="+string(dir), "GIT_HTTP_EXPORT_ALL=1"),
	}
}
