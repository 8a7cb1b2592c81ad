package githubtest

import (
	"bytes"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/cgi"
	"net/http/httptest"
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

// pushService is the service of git over HTTP for writing.
const pushService = "git-receive-pack"

// maxPush bounds a push, in bytes.
const maxPush = 64 << 20

// authenticated returns the person that a request's credentials name. The stand-in has no passwords:
// any will do.
func (s *Server) authenticated(r *http.Request) *User {
	login, _, _ := r.BasicAuth()
	user := s.user(login)
	if user == nil || user.Type != "User" {
		return nil
	}
	return user
}

// servePush takes a push from whoever may write, see [Config.Pushes]. Without credentials the answer
// is 401, as at GitHub, upon which git asks for a name. Deleted branches and tags reach no App.
func (s *Server) servePush(w http.ResponseWriter, r *http.Request) {
	owner, name := r.PathValue("owner"), r.PathValue("repo")
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxPush))
	if err != nil {
		http.Error(w, err.Error(), http.StatusRequestEntityTooLarge)
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock() // no branch may move but by this push
	repo, user := s.repos[strings.ToLower(owner+"/"+strings.TrimSuffix(name, ".git"))], s.authenticated(r)
	switch {
	case s.outage:
		http.Error(w, "Service Unavailable", http.StatusServiceUnavailable)
		return
	case user == nil || repo == nil:
		w.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(w, "Repository not found.", http.StatusUnauthorized)
		return
	case !repo.mayWrite(user):
		http.Error(w, "Permission to "+repo.FullName()+".git denied to "+user.Login+".", http.StatusForbidden)
		return
	}
	before, err := repo.git.heads()
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	r.TransferEncoding = nil // CGI programs know no chunks
	answer := httptest.NewRecorder()
	s.gitBackend(repo.git, "/"+owner+"/"+name, "http.receivepack=true").ServeHTTP(answer, r)
	after, err := repo.git.heads()
	if err != nil {
		s.log.ErrorContext(r.Context(), "read the branches after a push", "repository", repo.FullName(), "error", err)
	}
	for branch, sha := range after {
		if sha != before[branch] {
			repo.pushed(move{branch: branch, before: before[branch], after: sha, by: user})
		}
	}
	maps.Copy(w.Header(), answer.Header())
	w.WriteHeader(answer.Code)
	_, _ = answer.Body.WriteTo(w) // the reader may be gone
}
