package registry

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
)

// Load stores an image that was built elsewhere, under its own digest, which it returns. Such an
// image brings all its files, so its containers have it as their root.
func (r *Registry) Load(image v1.Image) (digest string, err error) {
	hash, err := image.Digest()
	if err != nil {
		return "", fmt.Errorf("computing the image's digest: %w", err)
	}
	file, err := image.ConfigFile()
	if err != nil {
		return "", fmt.Errorf("reading the image's configuration: %w", err)
	}
	root := filepath.Join(r.dir, "sha256", hash.Hex)
	if err := unpack(image, root); err != nil {
		return "", fmt.Errorf("unpacking the image %s: %w", hash, err)
	}
	c := file.Config
	config := Config{
		Entrypoint: c.Entrypoint, Cmd: c.Cmd, Env: c.Env, WorkingDir: c.WorkingDir, User: c.User, StopSignal: c.StopSignal,
	}
	for port := range c.ExposedPorts {
		config.ExposedPorts = append(config.ExposedPorts, port)
	}
	slices.Sort(config.ExposedPorts)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images[hash.String()] = Image{Digest: hash.String(), Root: root, Config: config, OwnRoot: true}
	return hash.String(), nil
}

// unpack writes the files of all layers to a directory.
func unpack(image v1.Image, root string) error {
	files := mutate.Extract(image)
	defer files.Close()
	if err := os.MkdirAll(root, 0o755); err != nil { //nolint:gosec // G301: pods read it
		return err
	}
	for archive := tar.NewReader(files); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		to := filepath.Join(root, filepath.Clean("/"+header.Name))
		switch header.Typeflag {
		case tar.TypeDir:
			err = os.MkdirAll(to, 0o755) //nolint:gosec // G301: pods read it
		case tar.TypeReg:
			err = unpackFile(archive, to, header.FileInfo().Mode())
		default:
			err = fmt.Errorf("%s is neither a file nor a directory (type %q), which the sandbox's registry does not unpack", header.Name,
				header.Typeflag)
		}
		if err != nil {
			return err
		}
	}
}

func unpackFile(from io.Reader, to string, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil { //nolint:gosec // G301: pods read it
		return err
	}
	file, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, mode.Perm()) //nolint:gosec // G304: cleaned, below the root
	if err != nil {
		return err
	}
	_, err = io.Copy(file, from) //nolint:gosec // G110: the caller's own image
	return errors.Join(err, file.Close())
}
