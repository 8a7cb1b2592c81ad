package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"github.com/turnout-dev/turnout/deployer/cloudbuild"
)

// Source is what a folder of a repository says.
type Source struct {
	Git
	// Folder that was looked at.
	Folder string
	// Dockerfile and Ignore say that there is a Dockerfile, and a .dockerignore.
	Dockerfile, Ignore bool
	// Build is its cloudbuild.yaml; nil if there is none that can be read.
	Build *cloudbuild.File
	// BuildName is that file's name; "" if there is none.
	BuildName string
	// BuildError is why Turnout cannot use it.
	BuildError error
	// Python is what is known of a program in Python; nil if there is none.
	Python *Python
	// Port that the program listens on, if something says so.
	Port int
	// Health is a path by which the program says that it is well; "" if none was seen.
	Health string
}

// longest is how much of a file is read.
const longest = 1 << 20

// read returns a file's text; found is false if there is none.
func read(folder, name string) (text string, found bool, err error) {
	file, err := os.Open(filepath.Join(folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("looking at the repository: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.IsDir() {
		return "", false, err
	}
	if info.Size() > longest {
		return "", false, fmt.Errorf("%s has %d bytes, more than are read (%d)", name, info.Size(), longest)
	}
	data := make([]byte, info.Size())
	n, err := file.Read(data)
	if n == 0 && info.Size() == 0 {
		err = nil
	}
	if err != nil {
		return "", false, fmt.Errorf("reading %s: %w", name, err)
	}
	return string(data[:n]), true, nil
}

// Look reads what a folder says. It runs nothing.
func Look(folder string) (*Source, error) {
	if info, err := os.Stat(folder); err != nil || !info.IsDir() {
		return nil, fmt.Errorf("%s is not a folder that can be read", folder)
	}
	s := &Source{Folder: folder}
	var err error
	if s.Git, err = readGit(folder); err != nil {
		return nil, err
	}
	dockerfile, found, err := read(folder, "Dockerfile")
	if err != nil {
		return nil, err
	}
	s.Dockerfile, s.Port = found, portOf(dockerfile)
	if _, s.Ignore, err = read(folder, ".dockerignore"); err != nil {
		return nil, err
	}
	if err := s.readBuild(); err != nil {
		return nil, err
	}
	return s, s.readPython()
}

// readBuild reads the file that builds the image, as a release does.
func (s *Source) readBuild() error {
	for _, name := range []string{"cloudbuild.yaml", "cloudbuild.yml", "cloudbuild.json"} {
		text, found, err := read(s.Folder, name)
		if err != nil {
			return err
		}
		if found {
			s.BuildName = name
			s.Build, s.BuildError = cloudbuild.Parse(name, []byte(text))
			return nil
		}
	}
	return nil
}

// wantsDockerfile reports whether the build needs a file of that name: it calls docker or kaniko,
// and names no other file.
func (s *Source) wantsDockerfile() bool {
	if s.Build == nil {
		return false
	}
	for _, step := range s.Build.Build.GetSteps() {
		builder := lastOf(step.GetName())
		text := strings.Join(append(step.GetArgs(), step.GetScript()), " ")
		if builder != "docker" && !strings.Contains(step.GetName(), "kaniko") {
			continue
		}
		if named := otherDockerfile.FindStringSubmatch(text); named == nil || strings.TrimPrefix(named[1], "./") == s.path("Dockerfile") {
			return true
		}
	}
	return false
}

// otherDockerfile is where a command names the file to build from.
var otherDockerfile = regexp.MustCompile(`(?:^| )(?:-f|--file|--dockerfile)[ =]([^ ]+)`)

var (
	exposed = regexp.MustCompile(`(?mi)^\s*EXPOSE\s+(\d{2,5})`)
	portEnv = regexp.MustCompile(`(?mi)^\s*ENV\s.*\bPORT[= ]"?(\d{2,5})`)
)

// portOf is the port that a Dockerfile says its program listens on; 0 if it says none.
func portOf(dockerfile string) int {
	for _, e := range []*regexp.Regexp{portEnv, exposed} {
		if m := e.FindStringSubmatch(dockerfile); m != nil {
			if port, err := strconv.Atoi(m[1]); err == nil && port < 1<<16 {
				return port
			}
		}
	}
	return 0
}

// path is a name in the repository, of a file of the folder.
func (s *Source) path(name string) string {
	if s.Below == "" {
		return name
	}
	return strings.TrimSuffix(s.Below, "/") + "/" + name
}

// context is the folder that the image is built from, seen from the repository's root.
func (s *Source) context() string {
	if s.Below == "" {
		return "."
	}
	return s.Below
}
