package registry

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
)

// pythonImage is the base image that the sandbox knows: the machine's python3.
const pythonImage = "python"

// machinePath is the PATH of images from python:*.
const machinePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// interpreter asks the machine's python3 for its own path, once: the one in PATH may be a version
// manager's script, which is slow and depends on the caller's directory. TURNOUT_SANDBOX_PYTHON
// names another one, such as Debian's, which has what Debian packages.
var interpreter = sync.OnceValues(func() (string, error) { //nolint:gochecknoglobals // a fact of the machine
	out, err := exec.Command(cmp.Or(os.Getenv("TURNOUT_SANDBOX_PYTHON"), "python3"), "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return "", fmt.Errorf("asking python3 for its path (the sandbox's applications need python3 in PATH): %w", err)
	}
	return strings.TrimSpace(string(out)), nil
})

// linkPython makes `python` and `python3` resolve to the machine's interpreter.
func linkPython(bin string) error {
	path, err := interpreter()
	if err != nil {
		return err
	}
	for _, name := range []string{"python", "python3"} {
		link := filepath.Join(bin, name)
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("replacing %s: %w", link, err)
		}
		if err := os.Symlink(path, link); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return nil
}

// Bin is a directory with `python` and `python3`, which images from python:* expect. Nodes search
// it first. It is not in the image's PATH: digests must not depend on the registry's directory.
func (r *Registry) Bin() string { return r.bin }

// base returns the configuration and files that FROM names.
func (r *Registry) base(name string) (Config, string, error) {
	if image, _, err := r.Pull(name); err == nil {
		return image.Config, image.Root, nil
	}
	short, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/"), ":")
	short, _, _ = strings.Cut(short, "@")
	switch short {
	case pythonImage:
		return Config{Env: []string{"PATH=" + machinePath}, Cmd: []string{"python3"}}, "", nil
	case "scratch":
		return Config{}, "", nil
	}
	return Config{}, "", fmt.Errorf("FROM %s: the sandbox has python:* (the machine's python3), scratch, and images built in it: %w", name,
		ErrNotFound)
}
