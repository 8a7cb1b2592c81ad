package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// store moves a finished image to its digest's directory.
func (r *Registry) store(root string, config Config) (string, error) {
	digest, err := digestOf(root, config)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, ok := r.images[digest]; ok {
		return digest, nil
	}
	final := filepath.Join(r.dir, "sha256", digest[len("sha256:"):])
	if err := os.Rename(root, final); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", fmt.Errorf("storing the image: %w", err)
	}
	r.images[digest] = Image{Digest: digest, Root: final, Config: config}
	return digest, nil
}

// digestOf hashes the configuration and every file in the order of its path.
func digestOf(root string, config Config) (string, error) {
	hash := sha256.New()
	encoded, err := json.Marshal(config)
	if err != nil {
		return "", fmt.Errorf("encoding the image's configuration: %w", err)
	}
	fmt.Fprintf(hash, "%d\n%s", len(encoded), encoded)
	err = filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		fmt.Fprintf(hash, "\n%q %t %d\n", name, info.Mode()&0o100 != 0, info.Size())
		return addContent(hash, path)
	})
	if err != nil {
		return "", fmt.Errorf("reading the image's files: %w", err)
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil)), nil
}

func addContent(to io.Writer, path string) error {
	file, err := os.Open(path) //nolint:gosec // G304: found by walking our own directory
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(to, file)
	return err
}

// copyTree copies the content of source to dest, without version control's files. Symbolic links
// that lead out of the tree are left out.
func copyTree(source, dest string) error {
	tree, err := os.OpenRoot(source)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	defer tree.Close()
	return filepath.WalkDir(source, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(source, path)
		if err != nil {
			return err
		}
		if entry.IsDir() && entry.Name() == ".git" {
			return filepath.SkipDir
		}
		target := filepath.Join(dest, name)
		if entry.IsDir() {
			return os.MkdirAll(target, 0o755) //nolint:gosec // G301: pods read it
		}
		info, err := tree.Stat(name)
		if err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // a link out of the tree, or a socket: not source
		}
		return copyFile(path, target, info.Mode())
	})
}

// CopyTree copies an image's files to where a container may write to them.
func CopyTree(source, dest string) error { return copyTree(source, dest) }

func copyFile(source, dest string, mode fs.FileMode) error {
	content, err := os.ReadFile(source) //nolint:gosec // G304: below the build context
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	if err := writeFile(dest, content); err != nil {
		return err
	}
	if mode&0o100 == 0 {
		return nil
	}
	return os.Chmod(dest, 0o755) //nolint:gosec // G302: it is a program
}

func writeFile(path string, content []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil { //nolint:gosec // G301: pods read it
		return fmt.Errorf("copying to %s: %w", path, err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil { //nolint:gosec // G306: pods read it
		return fmt.Errorf("copying to %s: %w", path, err)
	}
	return nil
}
