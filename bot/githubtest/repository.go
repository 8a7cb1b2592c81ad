package githubtest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// File is a file to commit.
type File struct {
	Content    string
	Executable bool
	Removed    bool // delete the file instead
}

// Text makes files from paths and contents.
func Text(contents map[string]string) map[string]File {
	files := make(map[string]File, len(contents))
	for path, content := range contents {
		files[path] = File{Content: content}
	}
	return files
}

// Directory reads the files below a directory, without .git.
func Directory(dir string) (map[string]File, error) {
	files := map[string]File{}
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == ".git":
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		files[filepath.ToSlash(name)] = File{Content: string(content), Executable: info.Mode()&0o100 != 0}
		return err
	})
	return files, err
}

// RepositoryConfig describes a new repository.
type RepositoryConfig struct {
	Files         map[string]File // of the first commit; at least one
	Private       bool
	DefaultBranch string // default "main"
}

// Repository is a repository with its pull requests, comments and deployments. Its commits
// are in a real git repository on disk.
type Repository struct {
	ID int64

	server        *Server
	owner         *User
	name          string
	private       bool
	defaultBranch string
	git           gitDir
	access        map[*User]string // role
	issues        []*issue         // issues and pull requests, by number - 1
	comments      []*Comment
	deployments   []*Deployment
	createdAt     time.Time
	pushedAt      time.Time
}

// AddRepository makes a repository with its first commit. If the owner in "owner/name" does
// not exist, it makes a person.
func (s *Server) AddRepository(fullName string, cfg RepositoryConfig) (*Repository, error) {
	ownerLogin, name, ok := strings.Cut(fullName, "/")
	if !ok || len(cfg.Files) == 0 {
		return nil, fmt.Errorf("adding repository %q: it needs a name like owner/name and at least one file", fullName)
	}
	if cfg.DefaultBranch == "" {
		cfg.DefaultBranch = "main"
	}
	s.mu.Lock()
	exists := s.repos[strings.ToLower(fullName)] != nil
	s.mu.Unlock()
	if exists || strings.Contains(name, "/") || strings.Contains(fullName, "..") {
		return nil, fmt.Errorf("adding repository %q: the name is taken, or is none", fullName)
	}
	git, err := initGit(filepath.Join(s.cfg.Dir, ownerLogin, name+".git"), cfg.DefaultBranch)
	if err != nil {
		return nil, fmt.Errorf("adding repository %s: %w", fullName, err)
	}
	s.mu.Lock()
	owner := s.addUser(ownerLogin, "User")
	repo := &Repository{
		ID: s.nextID(), server: s, owner: owner, name: name, private: cfg.Private,
		defaultBranch: cfg.DefaultBranch, git: git, access: map[*User]string{owner: "admin"}, createdAt: now(), pushedAt: now(),
	}
	s.repos[strings.ToLower(fullName)] = repo
	delete(s.renamed, strings.ToLower(fullName))
	s.mu.Unlock()
	_, err = repo.CommitFiles(Commit{Message: "First commit", Files: cfg.Files, Author: owner})
	return repo, err
}

// Repository returns the repository owner/name; nil if it does not exist.
func (s *Server) Repository(fullName string) *Repository {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.repos[strings.ToLower(fullName)]
}

// FullName is owner/name.
func (r *Repository) FullName() string { return r.owner.Login + "/" + r.name }

// Owner is the account that the repository belongs to.
func (r *Repository) Owner() *User { return r.owner }

// GitDir is the path of the bare git repository. After writing to it directly, call Pushed.
func (r *Repository) GitDir() string { return string(r.git) }

// WebURL is the address of the repository's page.
func (r *Repository) WebURL() string { return r.server.url + "/" + r.FullName() }

// SetRole gives a user a role in the repository: none, read, triage, write, maintain or admin.
func (r *Repository) SetRole(user *User, role string) error {
	if roles[role] == "" {
		return fmt.Errorf("%s has no role %q: none, read, triage, write, maintain, admin", r.FullName(), role)
	}
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	r.access[user] = role
	return nil
}

// role is the role of a user. Everybody may read a public repository.
func (r *Repository) role(user *User) string {
	if role, ok := r.access[user]; ok {
		return role
	}
	if r.private {
		return "none"
	}
	return "read"
}

// mayWrite reports whether a user may push and merge.
func (r *Repository) mayWrite(user *User) bool { return suffices(roles[r.role(user)], true) }

// Commit describes a commit to make.
type Commit struct {
	Branch  string // default: the default branch. A new one starts at the default branch's head.
	Message string
	Files   map[string]File // written over those of the parent
	Author  *User           // also the pusher; default: the repository's owner
}

// CommitFiles commits to a branch, pushes, and returns the commit's id.
func (r *Repository) CommitFiles(commit Commit) (string, error) {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	if commit.Branch == "" {
		commit.Branch = r.defaultBranch
	}
	if commit.Author == nil {
		commit.Author = r.owner
	}
	sha, err := r.commit(commit)
	if err != nil {
		return "", fmt.Errorf("committing to %s of %s: %w", commit.Branch, r.FullName(), err)
	}
	return sha, nil
}

func (r *Repository) commit(commit Commit) (string, error) {
	before, _ := r.git.resolve("refs/heads/" + commit.Branch)
	parent := before
	if parent == "" {
		parent, _ = r.git.resolve("refs/heads/" + r.defaultBranch)
	}
	tree, err := r.git.treeWith(parent, commit.Files)
	if err != nil {
		return "", err
	}
	made := newCommit{tree: tree, message: commit.Message, author: commit.Author.sign()}
	if parent != "" {
		made.parents = []string{parent}
	}
	after, err := r.git.makeCommit(made)
	if err != nil {
		return "", err
	}
	return after, r.moveBranch(move{branch: commit.Branch, before: before, after: after, by: commit.Author})
}

// move is a change of a branch's head.
type move struct {
	branch, before, after string // commits; before is empty for a new branch
	by                    *User
}

// moveBranch sets a branch's head and sends the events. The caller holds the server's lock.
func (r *Repository) moveBranch(m move) error {
	if _, err := r.git.git("update-ref", "refs/heads/"+m.branch, m.after, orZero(m.before)); err != nil {
		return err
	}
	r.pushed(m)
	return nil
}

// pushed does what GitHub does after a push: pull requests from the branch follow, Apps get events.
func (r *Repository) pushed(m move) {
	r.pushedAt = now()
	r.server.sendPush(r, m)
	for _, is := range r.issues {
		if pr := is.pull; pr != nil && is.state == "open" && pr.head == m.branch && pr.headSHA != m.after {
			before := pr.headSHA
			pr.headSHA, is.updatedAt = m.after, now()
			r.server.sendPullRequest(is, m.by, "synchronize", map[string]any{"before": before, "after": m.after})
		}
	}
	r.server.notify()
}

// ForcePush sets a branch to any commit of the repository, as git push --force does.
func (r *Repository) ForcePush(branch, sha string, by *User) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	before, _ := r.git.resolve("refs/heads/" + branch)
	after, ok := r.git.resolve(sha)
	if !ok {
		return fmt.Errorf("pushing to %s of %s: there is no commit %s", branch, r.FullName(), sha)
	}
	return r.moveBranch(move{branch: branch, before: before, after: after, by: by})
}

// Pushed tells the server that a branch was moved in GitDir directly, as by a real git
// push. before is empty for a new branch.
func (r *Repository) Pushed(branch, before string, by *User) error {
	r.server.mu.Lock()
	defer r.server.mu.Unlock()
	after, ok := r.git.resolve("refs/heads/" + branch)
	if !ok {
		return fmt.Errorf("%s has no branch %s", r.FullName(), branch)
	}
	r.pushed(move{branch: branch, before: before, after: after, by: by})
	return nil
}

// Head returns the commit at the head of a branch.
func (r *Repository) Head(branch string) (string, error) {
	sha, ok := r.git.resolve("refs/heads/" + branch)
	if !ok {
		return "", errors.New(r.FullName() + " has no branch " + branch)
	}
	return sha, nil
}

// File returns a file at a branch, tag or commit, as programs with access to the repository
// read it. If the file or commit does not exist, the error is a [fs.ErrNotExist].
func (r *Repository) File(ref, path string) ([]byte, error) {
	sha, ok := r.git.resolve(ref)
	if !ok {
		return nil, fmt.Errorf("%s has no commit %s: %w", r.FullName(), ref, fs.ErrNotExist)
	}
	content, err := r.git.file(sha, path)
	if err != nil {
		return nil, fmt.Errorf("reading %s of %s at %s: %w", path, r.FullName(), ref, err)
	}
	return []byte(content), nil
}

// zeroSHA is how git writes "no commit".
const zeroSHA = "0000000000000000000000000000000000000000"

func orZero(sha string) string {
	if sha == "" {
		return zeroSHA
	}
	return sha
}
