package registry

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// pythonImage is the base image that the sandbox knows: the machine's python3.
const pythonImage = "python"

// machinePath is searched after the registry's own directory.
const machinePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// linkPython makes `python` and `python3` resolve to the machine's interpreter.
// It asks the interpreter where it is, since what is found in PATH may be a
// script of a version manager, slow and dependent on the caller's directory.
func linkPython(bin string) error {
	out, err := exec.Command("python3", "-c", "import sys; print(sys.executable)").Output()
	if err != nil {
		return fmt.Errorf("asking python3 where it is (the sandbox's applications need python3 in PATH): %w", err)
	}
	for _, name := range []string{"python", "python3"} {
		link := filepath.Join(bin, name)
		if err := os.Remove(link); err != nil && !os.IsNotExist(err) {
			return fmt.Errorf("replacing %s: %w", link, err)
		}
		if err := os.Symlink(strings.TrimSpace(string(out)), link); err != nil {
			return fmt.Errorf("linking %s: %w", name, err)
		}
	}
	return nil
}

// base is what an image starts from.
func (r *Registry) base(name string) (Config, string, error) {
	if image, _, err := r.Pull(name); err == nil {
		return image.Config, image.Root, nil
	}
	short, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(name, "docker.io/"), "library/"), ":")
	short, _, _ = strings.Cut(short, "@")
	switch short {
	case pythonImage:
		return Config{Env: []string{"PATH=" + r.bin + ":" + machinePath}, Cmd: []string{"python3"}}, "", nil
	case "scratch":
		return Config{}, "", nil
	}
	return Config{}, "", fmt.Errorf("FROM %s: the sandbox has python:* (the machine's python3), scratch, and images built in it: %w", name, ErrNotFound)
}
