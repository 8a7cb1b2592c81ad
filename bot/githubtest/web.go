package githubtest

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

//go:embed pages
var pages embed.FS

// pageTemplates are the web pages. They escape everything but what [Config.Markdown] made.
var pageTemplates = template.Must(template.ParseFS(pages, "pages/*.html"))

// webRoutes are all routes outside the REST API: downloads, git, pages, and the sandbox's
// forms. The forms do not exist at GitHub. In the sandbox they let a person act as any
// user, which at GitHub needs a login and a browser.
func (s *Server) webRoutes() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /_codeload/{owner}/{repo}/legacy.tar.gz/{sha}", s.serveDownload)
	mux.HandleFunc("GET /{owner}/{repo}/info/refs", s.serveGit)
	mux.HandleFunc("POST /{owner}/{repo}/"+gitService, s.serveGit)
	if s.cfg.Pushes {
		mux.HandleFunc("POST /{owner}/{repo}/"+pushService, s.servePush)
	}
	mux.HandleFunc("GET /favicon.ico", http.NotFound) // every browser asks for it
	mux.HandleFunc("POST /settings/apps/new", s.serveManifest)
	mux.HandleFunc("POST /organizations/{org}/settings/apps/new", s.serveManifest)
	mux.HandleFunc("POST /_sandbox/apps", s.createFromManifest)
	mux.HandleFunc("GET /{owner}/{repo}", s.page("repository"))
	mux.HandleFunc("GET /{owner}/{repo}/deployments", s.page("deployments"))
	mux.HandleFunc("GET /{owner}/{repo}/pull/{number}", s.page("pull"))
	mux.HandleFunc("GET /{owner}/{repo}/commit/{sha}", s.page("commit"))
	mux.HandleFunc("POST /_sandbox/{owner}/{repo}/comments/{number}", s.form(func(f *submitted) error {
		_, err := f.repo.Comment(f.pull.Number, f.user, strings.ReplaceAll(f.body, "\r\n", "\n"))
		return err
	}))
	mux.HandleFunc("POST /_sandbox/{owner}/{repo}/merge/{number}", s.form(func(f *submitted) error {
		_, err := f.pull.Merge(f.user)
		return err
	}))
	mux.HandleFunc("POST /_sandbox/{owner}/{repo}/revert/{number}", s.form(func(f *submitted) (err error) {
		f.pull, err = f.pull.Revert(f.user)
		return err
	}))
	return mux
}

// view is the data of a page. Its times are formatted: pages have no logic.
type view struct {
	Title, Repo string
	Pulls       []pullView
	Pull        pullView
	Comments    []commentView
	Deployments []deploymentView
	People      []string
	Commit      commitView
	Register    registerView
}

// registerView is an App that a manifest describes.
type registerView struct {
	Name, Owner, Manifest, State string
	Permissions                  map[string]string
	Events                       []string
}

type commitView struct {
	Author, At, Message string
	Files               []change
}

type pullView struct {
	Number                           int
	Title, Body, State, Author       string
	HTML                             template.HTML // of Body; empty if it is shown as written
	Head, Base, HeadSHA, MergeCommit string
}

type commentView struct {
	ID               int64
	Author, At, Body string
	HTML             template.HTML // of Body; empty if it is shown as written
	Edited           bool
	Reactions        []string
}

type deploymentView struct {
	Environment, SHA, Task, State string
	Statuses                      []statusView
}

type statusView struct{ At, State, Description, URL, Log string }

// page serves a template for the repository and the pull request in the path.
func (s *Server) page(name string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		repo := s.repos[strings.ToLower(r.PathValue("owner")+"/"+r.PathValue("repo"))]
		if repo == nil {
			s.mu.Unlock()
			s.unknownRoute(w, r) // most likely a REST route that is not served
			return
		}
		shown, ok := s.view(repo, name, r)
		s.mu.Unlock()
		if !ok {
			http.NotFound(w, r)
			return
		}
		var body bytes.Buffer
		if err := pageTemplates.ExecuteTemplate(&body, name, shown); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = body.WriteTo(w) // the reader may be gone
	}
}

// view collects the data of a page; false if the pull request or commit does not exist. The
// caller holds s.mu.
func (s *Server) view(repo *Repository, name string, r *http.Request) (view, bool) {
	shown := view{Title: repo.FullName(), Repo: repo.FullName()}
	for _, is := range repo.pulls(func(*issue) bool { return true }) {
		shown.Pulls = append(shown.Pulls, is.view())
	}
	switch name {
	case "repository", "deployments":
		shown.Deployments = repo.deploymentViews(func(*Deployment) bool { return true })
		return shown, true
	case "commit":
		commit, err := repo.commitView(r.PathValue("sha"))
		shown.Title, shown.Commit = "Commit "+r.PathValue("sha"), commit
		return shown, err == nil
	}
	n, _ := strconv.ParseInt(r.PathValue("number"), 10, 64)
	is := repo.issue(n)
	if is == nil || is.pull == nil {
		return view{}, false
	}
	shown.Pull = is.view()
	shown.Pull.HTML = s.render(is.body)
	shown.Title = fmt.Sprintf("%s #%d", is.title, is.number)
	shown.Comments, shown.People = s.commentViews(repo.commentsOn(n)), s.people()
	shown.Deployments = repo.deploymentViews(func(d *Deployment) bool {
		return d.SHA == is.pull.headSHA || d.SHA == is.pull.mergeCommit
	})
	return shown, true
}

// people are the logins of all persons, sorted.
func (s *Server) people() []string {
	var logins []string
	for _, user := range s.users {
		if user.Type == "User" {
			logins = append(logins, user.Login)
		}
	}
	slices.Sort(logins)
	return logins
}

func (is *issue) view() pullView {
	state := is.state
	if is.pull.mergedBy != nil {
		state = "merged"
	}
	return pullView{
		Number: is.number, Title: is.title, Body: is.body, State: state, Author: is.author.Login, Head: is.pull.head,
		Base: is.pull.base, HeadSHA: is.pull.headSHA, MergeCommit: is.pull.mergeCommit,
	}
}

// commitView is a commit with its changes against its first parent.
func (r *Repository) commitView(ref string) (commitView, error) {
	sha, ok := r.git.resolve(ref)
	if !ok {
		return commitView{}, fmt.Errorf("there is no commit %s", ref)
	}
	commit, err := r.git.commit(sha)
	if err != nil {
		return commitView{}, err
	}
	parent := ""
	if len(commit.Parents) > 0 {
		parent = commit.Parents[0]
	}
	files, err := r.git.changes(parent, sha)
	return commitView{Author: commit.Author.Name, At: clock(commit.Author.At), Message: commit.Message, Files: files}, err
}

// emoji are the reactions as people see them.
var emoji = map[string]string{
	"+1": "👍", "-1": "👎", "laugh": "😄", "confused": "😕", "heart": "❤️", "hooray": "🎉", "rocket": "🚀", "eyes": "👀",
}

// render makes HTML of Markdown, if the server can.
func (s *Server) render(text string) template.HTML {
	if s.cfg.Markdown == nil || text == "" {
		return ""
	}
	return s.cfg.Markdown(text)
}

func (s *Server) commentViews(comments []*Comment) []commentView {
	var list []commentView
	for _, comment := range comments {
		shown := commentView{
			ID: comment.ID, Author: comment.Author.Login, At: clock(comment.CreatedAt), Body: comment.Body, HTML: s.render(comment.Body),
			Edited: comment.Edits > 0,
		}
		for _, r := range comment.Reactions {
			shown.Reactions = append(shown.Reactions, emoji[r.Content])
		}
		list = append(list, shown)
	}
	return list
}

// deploymentViews are the matching deployments, newest first.
func (r *Repository) deploymentViews(match func(*Deployment) bool) []deploymentView {
	var list []deploymentView
	for _, d := range slices.Backward(r.deployments) {
		if !match(d) {
			continue
		}
		shown := deploymentView{Environment: d.Environment, SHA: d.SHA, Task: d.Task, State: d.State()}
		for _, status := range d.Statuses {
			shown.Statuses = append(shown.Statuses, statusView{
				At: clock(status.CreatedAt), State: status.State, Description: status.Description,
				URL: status.EnvironmentURL, Log: status.LogURL,
			})
		}
		list = append(list, shown)
	}
	return list
}

func clock(t time.Time) string { return t.Format("15:04:05") }

// submitted is a form that a person in the sandbox has sent.
type submitted struct {
	repo *Repository
	pull *PullRequest
	user *User
	body string
}

// form executes a form and leads to the page of its pull request. A refusal answers with its
// reason.
func (s *Server) form(do func(*submitted) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		repo := s.repos[strings.ToLower(r.PathValue("owner")+"/"+r.PathValue("repo"))]
		user := s.user(r.PostFormValue("user"))
		s.mu.Unlock()
		number, _ := strconv.Atoi(r.PathValue("number"))
		if repo == nil || user == nil || user.Type != "User" {
			http.Error(w, "there is no such repository, or no such user: "+r.PostFormValue("user"), http.StatusNotFound)
			return
		}
		pull, err := repo.PullRequest(number)
		if err != nil {
			http.Error(w, err.Error(), http.StatusNotFound)
			return
		}
		sent := &submitted{repo: repo, pull: pull, user: user, body: r.PostFormValue("body")}
		if err := do(sent); err != nil {
			http.Error(w, err.Error(), http.StatusUnprocessableEntity)
			return
		}
		http.Redirect(w, r, sent.pull.WebURL(), http.StatusSeeOther)
	}
}
