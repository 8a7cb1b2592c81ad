package controlplane

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// EnvBinaries is the environment variable with the directory of the control plane's
// binaries. If unset, bin/ is searched in the working directory and every directory above
// it.
const EnvBinaries = "TURNOUT_CONTROLPLANE_BIN"

// binaryNames are the files that a usable directory has.
var binaryNames = []string{"etcd", "kube-apiserver", "kube-controller-manager"}

// errNotBuilt says that a directory lacks one of the binaries.
var errNotBuilt = errors.New("run `make controlplane` in the project's folder to build it (once, about 12 minutes on 2 cores), or set " +
	EnvBinaries + " to a directory that has it")

// FindBinaries returns the directory of the control plane's binaries: the one in
// [EnvBinaries], else the nearest complete bin/ beside a go.mod, upwards from the working
// directory. The error says how to build them.
func FindBinaries() (string, error) {
	if dir := os.Getenv(EnvBinaries); dir != "" {
		return dir, checkBinaries(dir)
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the control plane's binaries: %w", err)
	}
	var nearest error
	for {
		bin := filepath.Join(dir, "bin")
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			if nearest = checkBinaries(bin); nearest == nil {
				return bin, nil
			}
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			break
		}
		dir = parent
	}
	if nearest == nil {
		nearest = fmt.Errorf("no go.mod in the working directory or above it, so no bin/ to look into: %w", errNotBuilt)
	}
	return "", nearest
}

// checkBinaries says which binary dir lacks.
func checkBinaries(dir string) error {
	for _, name := range binaryNames {
		if _, err := os.Stat(filepath.Join(dir, name)); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("no %s in %s: %w", name, dir, errNotBuilt)
		} else if err != nil {
			return fmt.Errorf("looking for %s: %w", name, err)
		}
	}
	return nil
}
