package githubtest

import (
	"bytes"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
)

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

// heads are the commits of all branches, by name.
func (d gitDir) heads() (map[string]string, error) {
	const prefix = "refs/heads/"
	out, err := d.git("for-each-ref", "--format=%(objectname) %(refname)", prefix)
	if err != nil {
		return nil, err
	}
	heads := map[string]string{}
	for line := range strings.Lines(out) {
		sha, ref, _ := strings.Cut(strings.TrimSpace(line), " ")
		heads[strings.TrimPrefix(ref, prefix)] = sha
	}
	return heads, nil
}
