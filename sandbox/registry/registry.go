// Package registry stands in for a container registry and an image builder.
//
// An image is a directory addressed by digest: the files that its Dockerfile copies, and the
// command to run. [Registry.Build] reads the Dockerfile with BuildKit's own parser. Nodes call
// [Registry.Pull], by tag or by digest; it returns [ErrNotFound] where a registry answers 404.
//
// # Decisions
//
// RUN is parsed but not executed, and the build's log says so: installing packages would need the
// network and root. So images can only contain applications that need no more than the machine's
// python3 and its standard library. An image that was built elsewhere can be loaded instead
// ([Registry.Load]), and then has a root file system of its own.
//
// A digest covers the files' paths, contents and executable bits, and the
// configuration: building the same source twice gives the same digest.
package registry

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/distribution/reference"
)

// ErrNotFound says that no image has this tag or digest. Kubelets report it as
// ErrImagePull.
var ErrNotFound = errors.New("not found")

// ErrInvalidName says that a text is not an image reference. Kubelets report it as
// InvalidImageName.
var ErrInvalidName = errors.New("invalid reference format")

// Config is an image's configuration of the processes started from it.
type Config struct {
	Entrypoint   []string `json:"entrypoint,omitempty"`
	Cmd          []string `json:"cmd,omitempty"`
	Env          []string `json:"env,omitempty"` // NAME=value
	WorkingDir   string   `json:"workingDir,omitempty"`
	User         string   `json:"user,omitempty"` // recorded; processes run as the sandbox's user
	ExposedPorts []string `json:"exposedPorts,omitempty"`
	StopSignal   string   `json:"stopSignal,omitempty"` // default SIGTERM
}

// Image is one stored image. Its directory must not be written to.
type Image struct {
	Digest string // sha256:…
	Root   string // directory with the image's files
	Config Config
	// OwnRoot: the image brings all its files, and its processes see no others. See [Registry.Load].
	OwnRoot bool
}

// Registry holds images. Its methods may be called concurrently.
type Registry struct {
	dir string
	bin string

	mu     sync.Mutex // guards the maps
	images map[string]Image
	tags   map[string]string          // name:tag → digest
	names  map[string]map[string]bool // name → digests pushed under it
}

// New returns an empty registry that stores its images below dir.
func New(dir string) (*Registry, error) {
	r := &Registry{
		dir: dir, bin: filepath.Join(dir, "bin"),
		images: map[string]Image{}, tags: map[string]string{}, names: map[string]map[string]bool{},
	}
	for _, d := range []string{r.bin, filepath.Join(dir, "sha256")} {
		if err := os.MkdirAll(d, 0o755); err != nil { //nolint:gosec // G301: pods read it
			return nil, fmt.Errorf("creating the registry's directory: %w", err)
		}
	}
	if err := linkPython(r.bin); err != nil {
		return nil, err
	}
	return r, nil
}

// Push gives an image that was built here a name and a tag. Pushing the same tag
// again moves it, as registries do.
func (r *Registry) Push(ref, digest string) error {
	name, tag, _, err := split(ref)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.images[digest]; !ok {
		return fmt.Errorf("pushing %s: no image %s was built here: %w", ref, digest, ErrNotFound)
	}
	if tag == "" {
		tag = "latest"
	}
	if r.names[name] == nil {
		r.names[name] = map[string]bool{}
	}
	r.names[name][digest] = true
	r.tags[name+":"+tag] = digest
	return nil
}

// Pull returns the image that a reference names, by digest or else by tag (default "latest"), and
// the reference by digest that a kubelet reports as imageID (name@sha256:…).
func (r *Registry) Pull(ref string) (Image, string, error) {
	name, tag, digest, err := split(ref)
	if err != nil {
		return Image{}, "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if digest == "" {
		if tag == "" {
			tag = "latest"
		}
		digest = r.tags[name+":"+tag]
	}
	if !r.names[name][digest] {
		return Image{}, "", fmt.Errorf("failed to resolve reference %q: %s: %w", ref, ref, ErrNotFound)
	}
	return r.images[digest], name + "@" + digest, nil
}

// split takes a reference apart.
func split(ref string) (name, tag, digest string, err error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return "", "", "", fmt.Errorf("couldn't parse image name %q: %w: %w", ref, ErrInvalidName, err)
	}
	if tagged, ok := named.(reference.Tagged); ok {
		tag = tagged.Tag()
	}
	if digested, ok := named.(reference.Digested); ok {
		digest = digested.Digest().String()
	}
	return reference.TrimNamed(named).Name(), tag, digest, nil
}

// Path returns where a path of the image, absolute or relative to its working directory, is in
// root, a copy of the image's files.
func (c Config) Path(root, path string) string {
	if !strings.HasPrefix(path, "/") {
		path = filepath.Join("/", c.WorkingDir, path)
	}
	return filepath.Join(root, filepath.Clean(path))
}
