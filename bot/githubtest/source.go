package githubtest

import (
	"archive/tar"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path"
	"slices"
	"strings"
	"time"
)

// userOf finds the account of a signature, by its address.
func (s *Server) userOf(sig signature) *User {
	for _, user := range s.users {
		if user.Email == sig.Email {
			return user
		}
	}
	return nil
}

// commitJSON is the schema commit, without files.
func (c *call) commitJSON(sha string) (map[string]any, error) {
	info, err := c.repo.git.commit(sha)
	if err != nil {
		return nil, err
	}
	api, page := c.repoAPI(c.repo), c.repo.WebURL()
	parents := []any{}
	for _, parent := range info.Parents {
		parents = append(parents, map[string]any{
			"sha": parent, "url": api + "/commits/" + parent, "html_url": page + "/commit/" + parent,
		})
	}
	return map[string]any{
		"sha": sha, "node_id": nodeID("Commit", sha), "url": api + "/commits/" + sha,
		"html_url": page + "/commit/" + sha, "comments_url": api + "/commits/" + sha + "/comments",
		"author": orNull(c.userJSON(c.userOf(info.Author))), "committer": orNull(c.userJSON(c.userOf(info.Committer))),
		"parents": parents,
		"commit": map[string]any{
			"url": api + "/git/commits/" + sha, "author": signatureJSON(info.Author),
			"committer": signatureJSON(info.Committer), "message": info.Message, "comment_count": 0,
			"tree": map[string]any{"sha": info.Tree, "url": api + "/git/trees/" + info.Tree},
			"verification": map[string]any{
				"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil,
			},
		},
	}, nil
}

func signatureJSON(sig signature) map[string]any {
	return map[string]any{"name": sig.Name, "email": sig.Email, "date": stamp(sig.At)}
}

// filesJSON lists the differences from commit a to commit b.
func (c *call) filesJSON(a, b string) ([]any, error) {
	changes, err := c.repo.git.changes(a, b)
	if err != nil {
		return nil, err
	}
	files := []any{}
	for _, change := range changes {
		files = append(files, map[string]any{
			"sha": change.Blob, "filename": change.Path, "status": change.Status, "additions": change.Additions,
			"deletions": change.Deletions, "changes": change.Additions + change.Deletions,
			"blob_url":     c.repo.WebURL() + "/blob/" + b + "/" + change.Path,
			"raw_url":      c.repo.WebURL() + "/raw/" + b + "/" + change.Path,
			"contents_url": c.repoAPI(c.repo) + "/contents/" + change.Path + "?ref=" + b,
		})
	}
	return files, nil
}

func getCommit(c *call) (reply, error) {
	sha, ok := c.repo.git.resolve(c.params["ref"])
	if !ok {
		return reply{}, refuse(http.StatusUnprocessableEntity, "No commit found for SHA: "+c.params["ref"])
	}
	if strings.Contains(c.request.Header.Get("Accept"), "application/vnd.github.sha") ||
		strings.Contains(c.request.Header.Get("Accept"), "application/vnd.github.v3.sha") {
		return reply{body: []byte(sha), raw: "application/vnd.github.sha"}, nil
	}
	object, err := c.commitJSON(sha)
	if err != nil {
		return reply{}, err
	}
	parent, _ := c.repo.git.git("rev-parse", "--quiet", "--verify", sha+"^1")
	files, err := c.filesJSON(parent, sha)
	if err != nil {
		return reply{}, err
	}
	return reply{body: merged(object, map[string]any{"files": files})}, nil
}

func getBranch(c *call) (reply, error) {
	name := c.params["branch"]
	sha, ok := c.repo.git.resolve("refs/heads/" + name)
	if !ok {
		return reply{}, refuse(http.StatusNotFound, "Branch not found")
	}
	object, err := c.commitJSON(sha)
	if err != nil {
		return reply{}, err
	}
	self := c.repoAPI(c.repo) + "/branches/" + name
	return reply{body: map[string]any{
		"name": name, "commit": object, "protected": false, "protection": map[string]any{"enabled": false},
		"protection_url": self + "/protection",
		"_links":         map[string]any{"self": self, "html": c.repo.WebURL() + "/tree/" + name},
	}}, nil
}

func getRef(c *call) (reply, error) {
	full := "refs/" + c.params["ref"]
	sha, ok := c.repo.git.resolve(full)
	if !ok {
		return reply{}, errNotFound
	}
	return reply{body: map[string]any{
		"ref": full, "node_id": nodeID("Ref", full), "url": c.repoAPI(c.repo) + "/git/" + full,
		"object": map[string]any{"type": "commit", "sha": sha, "url": c.repoAPI(c.repo) + "/git/commits/" + sha},
	}}, nil
}

// maxCompared is how many commits a comparison lists without paging.
const maxCompared = 250

func compareCommits(c *call) (reply, error) {
	baseName, headName, ok := strings.Cut(c.params["basehead"], "...")
	base, hasBase := c.repo.git.resolve(c.ownRef(baseName))
	head, hasHead := c.repo.git.resolve(c.ownRef(headName))
	if !ok || !hasBase || !hasHead {
		return reply{}, errNotFound
	}
	mergeBase, err := c.repo.git.git("merge-base", base, head)
	if err != nil {
		return reply{}, refuse(http.StatusNotFound, "No common ancestor between "+baseName+" and "+headName+".")
	}
	ahead, behind := c.repo.git.count(base+".."+head), c.repo.git.count(head+".."+base)
	commits, header, err := c.comparedCommits(base + ".." + head)
	if err != nil {
		return reply{}, err
	}
	files := []any{}
	if page := c.query("page"); page == "" || page == "1" { // as the REST docs say, "Compare two commits"
		if files, err = c.filesJSON(mergeBase, head); err != nil {
			return reply{}, err
		}
	}
	baseJSON, err := c.commitJSON(base)
	if err != nil {
		return reply{}, err
	}
	mergeBaseJSON, err := c.commitJSON(mergeBase)
	if err != nil {
		return reply{}, err
	}
	page := c.repo.WebURL() + "/compare/" + c.params["basehead"]
	return reply{body: map[string]any{
		"url": c.repoAPI(c.repo) + "/compare/" + c.params["basehead"], "html_url": page, "permalink_url": page,
		"diff_url": page + ".diff", "patch_url": page + ".patch", "base_commit": baseJSON,
		"merge_base_commit": mergeBaseJSON, "status": relation(ahead, behind), "ahead_by": ahead, "behind_by": behind,
		"total_commits": ahead, "commits": commits, "files": files,
	}, header: header}, nil
}

// comparedCommits lists the commits of a comparison, oldest first: the requested page, or
// the newest.
func (c *call) comparedCommits(revisions string) ([]any, http.Header, error) {
	limit, paged := maxCompared, c.query("page") != "" || c.query("per_page") != ""
	if paged {
		limit = -1
	}
	shas := c.repo.git.revList(revisions, limit)
	slices.Reverse(shas)
	header := http.Header(nil)
	var failed error
	render := func(sha string) any {
		object, err := c.commitJSON(sha)
		failed = errors.Join(failed, err)
		return object
	}
	commits := []any{}
	if paged {
		commits, header = page(c, shas, render)
		return commits, header, failed
	}
	for _, sha := range shas {
		commits = append(commits, render(sha))
	}
	return commits, header, failed
}

// ownRef drops the owner from owner:branch, if it is the repository's own.
func (c *call) ownRef(name string) string { return strings.TrimPrefix(name, c.repo.owner.Login+":") }

// relation says how head relates to base.
func relation(ahead, behind int) string {
	switch {
	case ahead == 0 && behind == 0:
		return "identical"
	case behind == 0:
		return "ahead"
	case ahead == 0:
		return "behind"
	}
	return "diverged"
}

func getContents(c *call) (reply, error) {
	name := strings.Trim(c.params["path"], "/")
	ref := c.query("ref")
	if ref == "" {
		ref = c.repo.defaultBranch
	}
	sha, ok := c.repo.git.resolve(ref)
	if !ok {
		return reply{}, refuse(http.StatusNotFound, "No commit found for the ref "+ref)
	}
	entries, err := c.repo.git.list(sha, name)
	if err != nil || len(entries) == 0 { // git calls a path like ../x an error
		return reply{}, errNotFound
	}
	isFile := name != "" && entries[0].Type == "blob"
	if !isFile {
		return c.directory(sha, name, ref)
	}
	content, err := c.repo.git.run(gitCommand{args: []string{"cat-file", "blob", entries[0].SHA}})
	if err != nil {
		return reply{}, err
	}
	accept := c.request.Header.Get("Accept")
	if strings.Contains(accept, "application/vnd.github.raw") || strings.Contains(accept, "application/vnd.github.v3.raw") {
		return reply{body: []byte(content), raw: "application/vnd.github.raw; charset=utf-8"}, nil
	}
	return reply{body: merged(c.entryJSON(entries[0], ref), map[string]any{
		"content": lines60(base64.StdEncoding.EncodeToString([]byte(content))), "encoding": "base64",
	})}, nil
}

// directory answers with the entries of a directory.
func (c *call) directory(sha, name, ref string) (reply, error) {
	below := ""
	if name != "" {
		below = name + "/"
	}
	entries, err := c.repo.git.list(sha, below)
	if err != nil {
		return reply{}, err
	}
	list := []any{}
	for _, entry := range entries {
		list = append(list, c.entryJSON(entry, ref))
	}
	return reply{body: list}, nil
}

func (c *call) entryJSON(entry treeEntry, ref string) map[string]any {
	kind, object := "file", "blobs"
	if entry.Type == "tree" {
		kind, object = "dir", "trees"
	}
	self := c.repoAPI(c.repo) + "/contents/" + entry.Path + "?ref=" + ref
	git := c.repoAPI(c.repo) + "/git/" + object + "/" + entry.SHA
	page := c.repo.WebURL() + "/blob/" + ref + "/" + entry.Path
	return map[string]any{
		"name": path.Base(entry.Path), "path": entry.Path, "sha": entry.SHA, "size": entry.Size, "type": kind,
		"url": self, "html_url": page, "git_url": git, "download_url": nil,
		"_links": map[string]any{"self": self, "git": git, "html": page},
	}
}

// lines60 breaks base64 into lines of 60 characters, as GitHub does. Clients have to handle
// that.
func lines60(s string) string {
	var b strings.Builder
	for chunk := range slices.Chunk([]byte(s), 60) {
		b.Write(chunk)
		b.WriteByte('\n')
	}
	return b.String()
}

// download is what a one-time token downloads.
type download struct {
	repo    *Repository
	sha     string
	expires time.Time
}

// downloadLife is how long the address of a private archive works (GitHub REST docs, "Download a repository archive").
const downloadLife = 5 * time.Minute

// getTarball redirects to an address that works once.
func getTarball(c *call) (reply, error) {
	ref := c.params["ref"]
	if ref == "" {
		ref = c.repo.defaultBranch
	}
	sha, ok := c.repo.git.resolve(ref)
	if !ok {
		return reply{}, errNotFound
	}
	token := randomHex(14)
	c.downloads[token] = download{repo: c.repo, sha: sha, expires: time.Now().Add(downloadLife)}
	to := fmt.Sprintf("%s/_codeload/%s/legacy.tar.gz/%s?token=%s", c.url, c.repo.FullName(), sha, token)
	return reply{status: http.StatusFound, header: http.Header{"Location": {to}}}, nil
}

// serveDownload sends the tarball of a token. The token works once.
func (s *Server) serveDownload(w http.ResponseWriter, r *http.Request) {
	token := r.URL.Query().Get("token")
	s.mu.Lock()
	got, ok := s.downloads[token]
	delete(s.downloads, token)
	s.mu.Unlock()
	if !ok || time.Now().After(got.expires) || got.sha != r.PathValue("sha") {
		http.Error(w, "404: Not Found", http.StatusNotFound)
		return
	}
	top := fmt.Sprintf("%s-%s-%.7s", got.repo.owner.Login, got.repo.name, got.sha)
	archive, err := got.repo.git.run(gitCommand{args: []string{"archive", "--format=tar", "--prefix=" + top + "/", got.sha}})
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/x-gzip")
	w.Header().Set("Content-Disposition", "attachment; filename="+top+".tar.gz")
	zipper := gzip.NewWriter(w)
	defer zipper.Close()
	_, _ = io.WriteString(zipper, archive) // the client may be gone
}

// ReadTarball returns the files of a tar.gz by name, for tests.
func ReadTarball(r io.Reader) (map[string]string, error) {
	unzipper, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("reading a tarball: %w", err)
	}
	files := map[string]string{}
	for archive := tar.NewReader(unzipper); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading a tarball: %w", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		content, err := io.ReadAll(archive)
		if err != nil {
			return nil, fmt.Errorf("reading %s of a tarball: %w", header.Name, err)
		}
		files[header.Name] = string(content)
	}
}
