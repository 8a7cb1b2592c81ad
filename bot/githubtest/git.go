package githubtest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// gitTimeout bounds one git command. On small local repositories each takes milliseconds.
const gitTimeout = 30 * time.Second

// gitDir is a bare git repository on disk.
type gitDir string

// gitCommand is one call of git.
type gitCommand struct {
	args  []string
	stdin io.Reader
	env   []string // added to a clean environment
}

// run executes git and returns its output. An error includes what git printed.
func (d gitDir) run(command gitCommand) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), gitTimeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, "git", append([]string{"--git-dir", string(d)}, command.args...)...)
	cmd.Env = append(d.environ(), command.env...)
	cmd.Stdin = command.stdin
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return stdout.String(), fmt.Errorf("git %s: %w: %s", strings.Join(command.args, " "), err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}

// environ is the environment of every git command. The user's own configuration (signing,
// hooks, default branch) must not affect a test's repositories.
func (d gitDir) environ() []string {
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + string(d), "GIT_CONFIG_NOSYSTEM=1", "LC_ALL=C"}
}

// git runs a command without input, and returns its output without the final newline.
func (d gitDir) git(args ...string) (string, error) {
	out, err := d.run(gitCommand{args: args})
	return strings.TrimRight(out, "\n"), err
}

// initGit makes an empty bare repository at path, replacing an existing one.
func initGit(path, branch string) (gitDir, error) {
	if err := os.RemoveAll(path); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return "", err
	}
	d := gitDir(path)
	_, err := d.git("init", "--quiet", "--bare", "--initial-branch="+branch)
	return d, err
}

// resolve returns the commit of a branch, a tag or a commit id. It does not find anything
// else that git would understand (HEAD~1, :/text), like GitHub.
func (d gitDir) resolve(ref string) (string, bool) {
	if ref == "" || strings.HasPrefix(ref, "-") || strings.ContainsAny(ref, "~^:@{}\\ *?[") {
		return "", false
	}
	for _, full := range []string{"refs/heads/" + ref, "refs/tags/" + ref, ref} {
		if full == ref && !isHex(ref) && !strings.HasPrefix(ref, "refs/") && ref != "HEAD" {
			continue
		}
		if sha, err := d.git("rev-parse", "--quiet", "--verify", full+"^{commit}"); err == nil {
			return sha, true
		}
	}
	return "", false
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

// isHex reports whether a text may be a commit id, possibly abbreviated.
func isHex(s string) bool {
	return len(s) >= 4 && len(s) <= 40 && strings.Trim(s, "0123456789abcdef") == ""
}

// isAncestor reports whether a is b or one of its ancestors.
func (d gitDir) isAncestor(a, b string) bool {
	_, err := d.git("merge-base", "--is-ancestor", a, b)
	return err == nil
}

// count returns how many commits a range like "a..b" has.
func (d gitDir) count(revisions string) int {
	out, err := d.git("rev-list", "--count", revisions)
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(out)
	return n
}

// revList returns the commits of a range, newest first, at most limit.
func (d gitDir) revList(revisions string, limit int) []string {
	out, err := d.git("rev-list", "--max-count="+strconv.Itoa(limit), revisions)
	if err != nil || out == "" {
		return nil
	}
	return strings.Split(out, "\n")
}

// commitInfo is a commit as git stores it.
type commitInfo struct {
	SHA, Tree string
	Parents   []string
	Author    signature
	Committer signature
	Message   string
}

// signature says who did something in git, and when.
type signature struct {
	Name, Email string
	At          time.Time
}

// commit reads a commit.
func (d gitDir) commit(sha string) (commitInfo, error) {
	const format = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B"
	out, err := d.git("show", "--no-patch", "--format="+format, sha)
	if err != nil {
		return commitInfo{}, err
	}
	fields := strings.SplitN(out, "\x00", 10)
	if len(fields) != 10 {
		return commitInfo{}, fmt.Errorf("reading commit %s: git printed %d fields", sha, len(fields))
	}
	authored, _ := time.Parse(time.RFC3339, fields[5])
	committed, _ := time.Parse(time.RFC3339, fields[8])
	return commitInfo{
		SHA: fields[0], Tree: fields[1], Parents: strings.Fields(fields[2]),
		Author:    signature{fields[3], fields[4], authored},
		Committer: signature{fields[6], fields[7], committed},
		Message:   strings.TrimRight(fields[9], "\n"),
	}, nil
}

// change is a file that differs between two commits.
type change struct {
	Status               string // added, removed or modified
	Path, Blob           string
	Additions, Deletions int
}

// changes returns the differences from commit a to commit b; an empty a stands for the
// empty tree.
func (d gitDir) changes(a, b string) ([]change, error) {
	if a == "" {
		a = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // git's empty tree
	}
	raw, err := d.git("diff-tree", "-r", "--no-renames", a, b)
	if err != nil {
		return nil, err
	}
	numbers, err := d.git("diff-tree", "-r", "--no-renames", "--numstat", a, b)
	if err != nil {
		return nil, err
	}
	counts := map[string][2]int{}
	for line := range strings.Lines(numbers) {
		if fields := strings.SplitN(strings.TrimRight(line, "\n"), "\t", 3); len(fields) == 3 {
			added, _ := strconv.Atoi(fields[0])
			deleted, _ := strconv.Atoi(fields[1])
			counts[fields[2]] = [2]int{added, deleted}
		}
	}
	words := map[string]string{"A": "added", "D": "removed", "M": "modified", "T": "changed"}
	var list []change
	for line := range strings.Lines(raw) {
		meta, path, ok := strings.Cut(strings.TrimRight(line, "\n"), "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 5 {
			continue
		}
		n := counts[path]
		list = append(list, change{Status: words[fields[4]], Path: path, Blob: fields[3], Additions: n[0], Deletions: n[1]})
	}
	return list, nil
}

// newCommit describes a commit to make.
type newCommit struct {
	parents []string
	tree    string
	message string
	author  signature
}

// makeCommit writes a commit object and returns its id.
func (d gitDir) makeCommit(c newCommit) (string, error) {
	args := []string{"commit-tree", c.tree}
	for _, parent := range c.parents {
		args = append(args, "-p", parent)
	}
	at := strconv.FormatInt(c.author.At.Unix(), 10) + " +0000"
	out, err := d.run(gitCommand{args: args, stdin: strings.NewReader(c.message + "\n"), env: []string{
		"GIT_AUTHOR_NAME=" + c.author.Name, "GIT_AUTHOR_EMAIL=" + c.author.Email, "GIT_AUTHOR_DATE=" + at,
		"GIT_COMMITTER_NAME=" + c.author.Name, "GIT_COMMITTER_EMAIL=" + c.author.Email, "GIT_COMMITTER_DATE=" + at,
	}})
	return strings.TrimSpace(out), err
}

// treeWith returns the tree of commit base ("" for none) with files written over it. A nil content removes the file.
func (d gitDir) treeWith(base string, files map[string]File) (string, error) {
	index, err := os.CreateTemp("", "githubtest-index-")
	if err != nil {
		return "", err
	}
	index.Close()
	defer os.Remove(index.Name())
	os.Remove(index.Name()) // git must create it itself
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if base != "" {
		if _, err := d.run(gitCommand{args: []string{"read-tree", base}, env: env}); err != nil {
			return "", err
		}
	}
	var lines strings.Builder
	for _, path := range sortedKeys(files) {
		line, err := d.indexLine(path, files[path])
		if err != nil {
			return "", err
		}
		lines.WriteString(line)
	}
	if _, err := d.run(gitCommand{
		args: []string{"update-index", "--index-info"}, stdin: strings.NewReader(lines.String()),
		env: env,
	}); err != nil {
		return "", err
	}
	out, err := d.run(gitCommand{args: []string{"write-tree"}, env: env})
	return strings.TrimSpace(out), err
}

// indexLine stores a file's content and returns its line for git update-index.
func (d gitDir) indexLine(path string, file File) (string, error) {
	if file.Removed {
		return "0 0000000000000000000000000000000000000000\t" + path + "\n", nil
	}
	blob, err := d.run(gitCommand{args: []string{"hash-object", "-w", "--stdin"}, stdin: strings.NewReader(file.Content)})
	if err != nil {
		return "", err
	}
	mode := "100644"
	if file.Executable {
		mode = "100755"
	}
	return mode + " " + strings.TrimSpace(blob) + "\t" + path + "\n", nil
}

// sortedKeys returns the keys of a map in order, so that the same input makes the same
// objects.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// merge writes a commit that merges head into base. After a conflict, git's message names
// the files.
func (d gitDir) merge(base, head string, c newCommit) (string, error) {
	tree, err := d.git("merge-tree", "--write-tree", base, head)
	if err != nil {
		return "", fmt.Errorf("merging %.7s into %.7s: %w: %s", head, base, err, tree)
	}
	c.tree = tree
	return d.makeCommit(c)
}

// file returns the content of a file at a commit. Its error is [fs.ErrNotExist] if there is none.
func (d gitDir) file(commit, path string) (string, error) {
	entries, err := d.list(commit, path)
	if err != nil || len(entries) != 1 || entries[0].Type != "blob" || entries[0].Path != path { // ../x is an error of git's
		return "", fs.ErrNotExist
	}
	return d.run(gitCommand{args: []string{"cat-file", "blob", entries[0].SHA}})
}

// treeEntry is one name in a directory.
type treeEntry struct {
	Mode, Type, SHA, Path string
	Size                  int
}

// list returns the entry at path and, if it is a directory, its entries. The root is path
// "".
func (d gitDir) list(commit, path string) ([]treeEntry, error) {
	args := []string{"ls-tree", "-l", "-z", "--full-tree", commit}
	if path != "" {
		args = append(args, "--", path)
	}
	out, err := d.run(gitCommand{args: args})
	if err != nil {
		return nil, err
	}
	var entries []treeEntry
	for line := range strings.SplitSeq(strings.TrimRight(out, "\x00"), "\x00") {
		meta, name, ok := strings.Cut(line, "\t")
		fields := strings.Fields(meta)
		if !ok || len(fields) != 4 {
			continue
		}
		size, _ := strconv.Atoi(fields[3])
		entries = append(entries, treeEntry{Mode: fields[0], Type: fields[1], SHA: fields[2], Size: size, Path: name})
	}
	return entries, nil
}
