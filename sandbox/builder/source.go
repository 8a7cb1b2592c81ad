package builder

import (
	"archive/tar"
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
)

// maxSource bounds an unpacked source, against a tarball that never ends.
const maxSource = 1 << 30

// fetch brings the source into the workspace.
func (w *work) fetch(ctx context.Context, source *cloudbuildpb.Source) error {
	switch from := source.GetSource().(type) {
	case nil:
		return nil // a build without source is possible
	case *cloudbuildpb.Source_StorageSource:
		return w.fetchObject(ctx, from.StorageSource)
	case *cloudbuildpb.Source_GitSource:
		return w.fetchGit(ctx, from.GitSource)
	default:
		return fmt.Errorf("fetching source: the sandbox reads storageSource and gitSource only, not %T", from)
	}
}

// fetchObject unpacks an object of Cloud Storage.
func (w *work) fetchObject(ctx context.Context, object *cloudbuildpb.StorageSource) error {
	name := fmt.Sprintf("gs://%s/%s#%d", object.GetBucket(), object.GetObject(), object.GetGeneration())
	fmt.Fprintf(w, "Fetching %s\n", name)
	stream, err := w.Source(ctx, object.GetBucket(), object.GetObject(), object.GetGeneration())
	if err != nil {
		return fmt.Errorf("fetching %s: %w", name, err)
	}
	defer stream.Close()
	unzipped, err := gzip.NewReader(stream)
	if err != nil {
		return fmt.Errorf("unpacking %s: %w", name, err)
	}
	if err := unpack(tar.NewReader(io.LimitReader(unzipped, maxSource)), w.workspace); err != nil {
		return fmt.Errorf("unpacking %s: %w", name, err)
	}
	return nil
}

// fetchGit checks out one revision, without history and without submodules, as Cloud Build does.
// There are no credentials: it finds only public repositories.
func (w *work) fetchGit(ctx context.Context, source *cloudbuildpb.GitSource) error {
	revision := cmp.Or(source.GetRevision(), "HEAD")
	fmt.Fprintf(w, "Fetching %s at %s\n", source.GetUrl(), revision)
	for _, args := range [][]string{
		{"init", "--quiet"},
		{"fetch", "--depth=1", "--", source.GetUrl(), revision},
		{"checkout", "--quiet", "--detach", "FETCH_HEAD"},
	} {
		if err := w.git(ctx, args...); err != nil {
			return fmt.Errorf("fetching %s at %s: %w", source.GetUrl(), revision, err)
		}
	}
	w.sourceDir = source.GetDir()
	return nil
}

// git runs git in the workspace. Its output goes to the log, or into the error.
func (w *work) git(ctx context.Context, args ...string) error {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = w.workspace
	cmd.WaitDelay = time.Second // its own children may hold the output open
	// Without a home there is no configuration, and there are no credentials.
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "GIT_CONFIG_NOSYSTEM=1", "GIT_TERMINAL_PROMPT=0",
		"GIT_ALLOW_PROTOCOL=http:https", // the others read this machine's files, or run commands on it
	}
	if w.GitHub != "" {
		cmd.Env = append(cmd.Env, "GIT_CONFIG_COUNT=1",
			"GIT_CONFIG_KEY_0=url."+w.GitHub+"/.insteadOf", "GIT_CONFIG_VALUE_0=https://github.com/")
	}
	said, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("git %s: %w: %s", args[0], err, bytes.TrimSpace(said))
	}
	_, err = w.Write(said)
	return err
}

// unpack writes a tar's directories, files and links below dir, and nowhere else.
func unpack(from *tar.Reader, dir string) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for {
		header, err := from.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		name := strings.TrimPrefix(path.Clean("/"+header.Name), "/")
		if name == "" {
			continue
		}
		if err := unpackOne(root, name, header, from); err != nil {
			return err
		}
	}
}

func unpackOne(root *os.Root, name string, header *tar.Header, content io.Reader) error {
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	switch header.Typeflag {
	case tar.TypeDir:
		return root.MkdirAll(name, 0o755)
	case tar.TypeSymlink:
		return root.Symlink(header.Linkname, name)
	case tar.TypeReg:
		file, err := root.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, header.FileInfo().Mode().Perm())
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close())
	}
	return nil // devices and the like have no place in a source; extended headers are read already
}

// dir is a step's working directory. A relative one is below the source's.
func (w *work) dir(step *cloudbuildpb.BuildStep) string {
	dir := step.GetDir()
	if !path.IsAbs(dir) {
		dir = path.Join(w.sourceDir, dir)
	}
	return filepath.Join(w.workspace, filepath.Clean("/"+strings.TrimPrefix(dir, "/workspace")))
}
