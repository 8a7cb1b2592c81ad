package scaffold

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Git is what a folder's repository says of itself.
type Git struct {
	// Host of the remote, such as github.com; "" if there is no remote.
	Host string
	// Repository as owner/name.
	Repository string
	// Branch that the remote, or else this folder, is on; "" if neither is on one.
	Branch string
	// Below is the folder's path in the repository, with slashes; "" for its root.
	Below string
	// Remotes are the names of all remotes, if none of them is the obvious one.
	Remotes []string
}

// readGit looks for the repository that a folder belongs to. Without one, all is empty.
func readGit(folder string) (Git, error) {
	folder, err := filepath.Abs(folder)
	if err != nil {
		return Git{}, fmt.Errorf("finding %s: %w", folder, err)
	}
	for root := folder; ; root = filepath.Dir(root) {
		dir, err := gitDir(root)
		if err != nil {
			return Git{}, err
		}
		if dir == "" && root != filepath.Dir(root) {
			continue
		}
		if dir == "" {
			return Git{}, nil
		}
		g := Git{}
		if below, err := filepath.Rel(root, folder); err == nil && below != "." {
			g.Below = filepath.ToSlash(below)
		}
		return g, g.read(dir)
	}
}

// gitDir is the .git folder of a repository's root; "" if it is not one. A worktree has a file
// that names it.
func gitDir(root string) (string, error) {
	dir := filepath.Join(root, ".git")
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "", nil
	case err != nil:
		return "", fmt.Errorf("looking for the repository: %w", err)
	case info.IsDir():
		return dir, nil
	}
	text, err := os.ReadFile(dir)
	if err != nil {
		return "", fmt.Errorf("looking for the repository: %w", err)
	}
	named := strings.TrimSpace(strings.TrimPrefix(string(text), "gitdir:"))
	if !filepath.IsAbs(named) {
		named = filepath.Join(root, named)
	}
	return named, nil
}

func (g *Git) read(dir string) error {
	common := dir
	if text, err := os.ReadFile(filepath.Join(dir, "commondir")); err == nil {
		common = filepath.Join(dir, strings.TrimSpace(string(text)))
	}
	file, err := os.Open(filepath.Join(common, "config"))
	if err != nil {
		return fmt.Errorf("reading the repository's remotes: %w", err)
	}
	defer file.Close()
	remotes, err := readRemotes(file)
	if err != nil {
		return err
	}
	names := make([]string, 0, len(remotes))
	for name := range remotes {
		names = append(names, name)
	}
	slices.Sort(names)
	name := "origin"
	switch {
	case remotes[name] != "":
	case len(names) == 1:
		name = names[0]
	default:
		g.Remotes = names
	}
	g.Host, g.Repository = parseRemote(remotes[name])
	g.Branch = cmp.Or(
		headOf(filepath.Join(common, "refs", "remotes", name, "HEAD"), "refs/remotes/"+name+"/"),
		headOf(filepath.Join(dir, "HEAD"), "refs/heads/"))
	return nil
}

// headOf is the branch that a symbolic reference names; "" if it names none.
func headOf(file, prefix string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return ""
	}
	branch, found := strings.CutPrefix(strings.TrimSpace(string(text)), "ref: "+prefix)
	if !found {
		return ""
	}
	return branch
}

var (
	remoteSection = regexp.MustCompile(`^\s*\[remote "([^"]+)"\]`)
	anySection    = regexp.MustCompile(`^\s*\[`)
	urlSetting    = regexp.MustCompile(`^\s*url\s*=\s*"?([^"\s]+)"?\s*$`)
)

// readRemotes returns the first URL of every remote.
func readRemotes(config interface{ Read([]byte) (int, error) }) (map[string]string, error) {
	remotes := map[string]string{}
	remote := ""
	lines := bufio.NewScanner(config)
	for lines.Scan() {
		line := lines.Text()
		if m := remoteSection.FindStringSubmatch(line); m != nil {
			remote = m[1]
		} else if anySection.MatchString(line) {
			remote = ""
		} else if m := urlSetting.FindStringSubmatch(line); m != nil && remote != "" && remotes[remote] == "" {
			remotes[remote] = m[1]
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("reading the repository's remotes: %w", err)
	}
	return remotes, nil
}

// scpLike is an address as ssh takes it: git@github.com:acme/web.git.
var scpLike = regexp.MustCompile(`^(?:[^@/\s]+@)?([A-Za-z0-9.-]+):([^/\\].*)$`)

// parseRemote returns host and owner/name of a remote's address; empty if it names none. What
// else the address holds, such as a token, is left out.
func parseRemote(address string) (host, repository string) {
	path := ""
	if u, err := url.Parse(address); err == nil && u.Host != "" && strings.Contains(address, "://") {
		host, path = u.Hostname(), u.Path
	} else if m := scpLike.FindStringSubmatch(address); m != nil {
		host, path = m[1], m[2]
	}
	parts := strings.Split(strings.TrimSuffix(strings.Trim(path, "/"), ".git"), "/")
	if len(parts) != 2 || parts[0] == "" || parts[1] == "" {
		return "", ""
	}
	if host = strings.ToLower(host); host == "ssh.github.com" || host == "www.github.com" {
		host = "github.com"
	}
	return host, parts[0] + "/" + parts[1]
}
