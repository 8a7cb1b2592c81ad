package scaffold

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// State is what became of a file.
type State string

// States of a file.
const (
	New       State = "new"
	Unchanged State = "unchanged"
	Replaced  State = "replaced"
)

// Write writes files below a folder, and returns what became of each. A file that says
// something else stays, and so do all others, unless force is set.
func Write(folder string, files []File, force bool) ([]State, error) {
	states := make([]State, len(files))
	var differ []string
	for i, f := range files {
		before, err := os.ReadFile(filepath.Join(folder, filepath.FromSlash(f.Path)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			states[i] = New
		case err != nil:
			return nil, fmt.Errorf("looking for %s: %w", f.Path, err)
		case string(before) == f.Text:
			states[i] = Unchanged
		default:
			states[i] = Replaced
			differ = append(differ, f.Path)
		}
	}
	if len(differ) > 0 && !force {
		return nil, fmt.Errorf("nothing is written, since there are other files: %s. --out names another folder, --force replaces them",
			strings.Join(differ, ", "))
	}
	for i, f := range files {
		if states[i] == Unchanged {
			continue
		}
		path := filepath.Join(folder, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // files of a repository
			return nil, fmt.Errorf("creating the folder of %s: %w", f.Path, err)
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil { //nolint:gosec // files of a repository
			return nil, fmt.Errorf("writing %s: %w", f.Path, err)
		}
	}
	return states, nil
}
