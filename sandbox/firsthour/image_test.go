package firsthour

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"

	"github.com/turnout-dev/turnout/sandbox/registry"
)

// image builds what a Dockerfile says, without Docker: it copies and compiles as the first stage says, and
// makes a layer of each file that the second one takes from it. Whatever it does not know is an error, so
// this image cannot differ from Docker's unnoticed.
type image struct {
	dir string // where the first stage is built
	// given are files of the first stage's base image that the second one takes.
	given map[string][]byte

	made   v1.Image
	config v1.Config
}

// buildImage returns the image of the project's Dockerfile, and the program in it.
func buildImage(ctx context.Context, dockerfile, dir string, given map[string][]byte) (_ v1.Image, program string, err error) {
	text, err := os.ReadFile(dockerfile)
	if err != nil {
		return nil, "", err
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return nil, "", fmt.Errorf("parsing the Dockerfile: %w", err)
	}
	stages, _, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return nil, "", fmt.Errorf("parsing the Dockerfile: %w", err)
	}
	if len(stages) != 2 || stages[0].Name != "build" || stages[1].BaseName != "scratch" {
		return nil, "", fmt.Errorf("the Dockerfile has %d stages; this test knows one called build, and one FROM scratch", len(stages))
	}
	b := &image{dir: dir, given: given, made: empty.Image}
	for _, command := range stages[0].Commands {
		if err := b.compile(ctx, filepath.Dir(dockerfile), command); err != nil {
			return nil, "", fmt.Errorf("%s: %w", command, err)
		}
	}
	for _, command := range stages[1].Commands {
		if err := b.assemble(command); err != nil {
			return nil, "", fmt.Errorf("%s: %w", command, err)
		}
	}
	b.made, err = mutate.Config(b.made, b.config)
	return b.made, b.path("/turnout"), err
}

// path is where a file of the first stage is.
func (b *image) path(of string) string { return filepath.Join(b.dir, filepath.Clean("/"+of)) }

const workdir = "/src"

// compile does one instruction of the first stage.
func (b *image) compile(ctx context.Context, project string, command instructions.Command) error {
	switch c := command.(type) {
	case *instructions.WorkdirCommand:
		if c.Path != workdir {
			return fmt.Errorf("this test knows %s only", workdir)
		}
		return os.MkdirAll(b.path(workdir), 0o750)
	case *instructions.CopyCommand:
		for _, source := range c.SourcePaths {
			if err := copyTo(filepath.Join(project, source), b.path(filepath.Join(workdir, c.DestPath)), len(c.SourcePaths) > 1); err != nil {
				return err
			}
		}
		return nil
	case *instructions.ArgCommand:
		return nil // VERSION
	case *instructions.RunCommand:
		line := strings.Join(c.CmdLine, " ")
		if line == "go mod download" {
			return nil // they are here already, since this test was compiled
		}
		const output = " -o /turnout "
		if !strings.Contains(line, output) {
			return fmt.Errorf("this test knows a RUN that writes /turnout, by%q", output)
		}
		line = strings.Replace(line, output, " -o "+b.path("/turnout")+" ", 1)
		cmd := exec.CommandContext(ctx, "sh", "-c", line) //nolint:gosec // G204: the Dockerfile's own
		cmd.Dir, cmd.Env = b.path(workdir), append(os.Environ(), "VERSION=v0.0.0-sandbox", "GOWORK=off")
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%w: %s", err, out)
		}
		return nil
	}
	return fmt.Errorf("this test does not know %s", command.Name())
}

func copyTo(source, dest string, into bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if info.IsDir() {
		return registry.CopyTree(source, dest)
	}
	if into {
		dest = filepath.Join(dest, filepath.Base(source))
	}
	text, err := os.ReadFile(source) //nolint:gosec // G304: the project's
	if err == nil {
		err = os.WriteFile(dest, text, 0o600) //nolint:gosec // G703: below the build's folder
	}
	return err
}

// assemble does one instruction of the second stage.
func (b *image) assemble(command instructions.Command) error {
	switch c := command.(type) {
	case *instructions.CopyCommand:
		if c.From != "build" || len(c.SourcePaths) != 1 || strings.HasSuffix(c.DestPath, "/") {
			return fmt.Errorf("this test knows COPY --from=build FILE FILE only")
		}
		content, ok := b.given[c.SourcePaths[0]]
		if !ok {
			var err error
			if content, err = os.ReadFile(b.path(c.SourcePaths[0])); err != nil {
				return err
			}
		}
		return b.add(c.DestPath, content)
	case *instructions.EntrypointCommand:
		if c.PrependShell {
			return fmt.Errorf("the image has no shell")
		}
		b.config.Entrypoint, b.config.Cmd = c.CmdLine, nil
		return nil
	case *instructions.CmdCommand:
		b.config.Cmd = c.CmdLine
		return nil
	case *instructions.UserCommand:
		b.config.User = c.User
		return nil
	}
	return fmt.Errorf("this test does not know %s", command.Name())
}

// add adds a layer with one file.
func (b *image) add(name string, content []byte) error {
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	header := &tar.Header{Name: strings.TrimPrefix(name, "/"), Mode: 0o755, Size: int64(len(content))}
	if err := w.WriteHeader(header); err != nil {
		return err
	}
	if _, err := w.Write(content); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil })
	if err == nil {
		b.made, err = mutate.AppendLayers(b.made, layer)
	}
	return err
}
