package registry

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/parser"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// BuildRequest is one `docker build`.
type BuildRequest struct {
	// Context is the directory with the source.
	Context string
	// Dockerfile is its path below Context. Default "Dockerfile".
	Dockerfile string
	// Args are the values of --build-arg.
	Args map[string]string
	// Target is the stage to build. Default: the last.
	Target string
	// Log receives the lines that docker would print. Default: none.
	Log io.Writer
}

// Build makes an image of a source directory and returns its digest. The error
// names the Dockerfile's line and what is wrong with it.
func (r *Registry) Build(ctx context.Context, q BuildRequest) (string, error) {
	if q.Dockerfile == "" {
		q.Dockerfile = "Dockerfile"
	}
	if q.Log == nil {
		q.Log = io.Discard
	}
	text, err := os.ReadFile(filepath.Join(q.Context, filepath.Clean("/"+q.Dockerfile)))
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", q.Dockerfile, err)
	}
	parsed, err := parser.Parse(bytes.NewReader(text))
	if err != nil {
		return "", fmt.Errorf("parsing %s: %w", q.Dockerfile, err)
	}
	stages, args, err := instructions.Parse(parsed.AST, nil)
	if err != nil {
		return "", fmt.Errorf("parsing %s: %w", q.Dockerfile, err)
	}
	b := &build{BuildRequest: q, registry: r, lex: shell.NewLex(parsed.EscapeToken), done: map[string]*stage{}, meta: map[string]string{}}
	if b.dir, err = os.MkdirTemp(r.dir, "build-"); err != nil {
		return "", fmt.Errorf("creating a directory for the build: %w", err)
	}
	defer os.RemoveAll(b.dir)
	b.setMetaArgs(args)
	last, err := b.stages(ctx, stages)
	if err != nil {
		return "", err
	}
	return r.store(last.root, last.config)
}

// build is one build in progress.
type build struct {
	BuildRequest
	registry *Registry
	dir      string
	lex      *shell.Lex
	meta     map[string]string // ARGs before the first FROM
	done     map[string]*stage // finished stages by name and by number
}

// stage is one FROM … in progress.
type stage struct {
	*build
	root   string
	config Config
	args   map[string]string
}

func (b *build) setMetaArgs(args []instructions.ArgCommand) {
	for _, command := range args {
		for _, arg := range command.Args {
			if value, ok := b.Args[arg.Key]; ok {
				b.meta[arg.Key] = value
			} else if arg.Value != nil {
				b.meta[arg.Key] = *arg.Value
			}
		}
	}
}

// stages builds all stages up to the wanted one.
func (b *build) stages(ctx context.Context, all []instructions.Stage) (*stage, error) {
	for i := range all {
		s, err := b.begin(i, &all[i])
		if err != nil {
			return nil, err
		}
		for n, command := range all[i].Commands {
			if err := ctx.Err(); err != nil {
				return nil, fmt.Errorf("building: %w", err)
			}
			fmt.Fprintf(b.Log, "Step %d/%d : %s\n", n+1, len(all[i].Commands), command)
			if err := s.do(command); err != nil {
				return nil, fmt.Errorf("%s line %d: %w", b.Dockerfile, command.Location()[0].Start.Line, err)
			}
		}
		b.done[fmt.Sprint(i)] = s
		b.done[strings.ToLower(all[i].Name)] = s
		wanted := b.Target == "" && i == len(all)-1 || b.Target != "" && strings.EqualFold(all[i].Name, b.Target)
		if wanted {
			return s, nil
		}
	}
	return nil, fmt.Errorf("%s has no stage %q", b.Dockerfile, b.Target)
}

// begin resolves FROM.
func (b *build) begin(i int, from *instructions.Stage) (*stage, error) {
	s := &stage{build: b, root: filepath.Join(b.dir, fmt.Sprint(i)), args: map[string]string{}}
	if err := os.Mkdir(s.root, 0o755); err != nil { //nolint:gosec // G301: pods read it
		return nil, fmt.Errorf("creating the stage's directory: %w", err)
	}
	name, _, err := b.lex.ProcessWord(from.BaseName, shell.EnvsFromSlice(pairs(b.meta)))
	if err != nil {
		return nil, fmt.Errorf("FROM %s: %w", from.BaseName, err)
	}
	fmt.Fprintf(b.Log, "FROM %s\n", name)
	var files string
	if earlier, ok := b.done[strings.ToLower(name)]; ok {
		s.config, files = earlier.config, earlier.root
	} else if s.config, files, err = b.registry.base(name); err != nil {
		return nil, fmt.Errorf("%s line %d: %w", b.Dockerfile, from.Location[0].Start.Line, err)
	}
	s.config.Env = slices.Clone(s.config.Env)
	if files == "" {
		return s, nil
	}
	return s, copyTree(files, s.root)
}

// do carries out one instruction.
func (s *stage) do(command instructions.Command) error {
	if err := s.expand(command); err != nil {
		return err
	}
	switch c := command.(type) {
	case *instructions.EnvCommand:
		for _, pair := range c.Env {
			s.setEnv(pair.Key, pair.Value)
		}
	case *instructions.ArgCommand:
		s.setArgs(c)
	case *instructions.WorkdirCommand:
		return s.workdir(c.Path)
	case *instructions.UserCommand:
		s.config.User = c.User
	case *instructions.ExposeCommand:
		s.config.ExposedPorts = append(s.config.ExposedPorts, c.Ports...)
	case *instructions.StopSignalCommand:
		s.config.StopSignal = c.Signal
	case *instructions.CmdCommand:
		s.config.Cmd = words(c.ShellDependantCmdLine)
	case *instructions.EntrypointCommand:
		s.config.Entrypoint, s.config.Cmd = words(c.ShellDependantCmdLine), nil
	case *instructions.CopyCommand:
		return s.copy(c.SourcesAndDest, c.From)
	case *instructions.AddCommand:
		return s.copy(c.SourcesAndDest, "")
	case *instructions.RunCommand:
		fmt.Fprintf(s.Log, " ---> %s: not executed in the sandbox\n", c)
	case *instructions.LabelCommand, *instructions.MaintainerCommand:
	default:
		fmt.Fprintf(s.Log, " ---> %s has no effect in the sandbox\n", command.Name())
	}
	return nil
}

// expand replaces $NAME in an instruction that supports it.
func (s *stage) expand(command instructions.Command) error {
	expandable, ok := command.(instructions.SupportsSingleWordExpansion)
	if !ok {
		return nil
	}
	// ENV wins over ARG of the same name.
	env := shell.EnvsFromSlice(append(pairs(s.args), s.config.Env...))
	return expandable.Expand(func(word string) (string, error) {
		expanded, _, err := s.lex.ProcessWord(word, env)
		return expanded, err
	})
}

func (s *stage) setEnv(key, value string) {
	s.config.Env = slices.DeleteFunc(s.config.Env, func(pair string) bool { return strings.HasPrefix(pair, key+"=") })
	s.config.Env = append(s.config.Env, key+"="+value)
}

func (s *stage) setArgs(c *instructions.ArgCommand) {
	for _, arg := range c.Args {
		if value, ok := s.Args[arg.Key]; ok {
			s.args[arg.Key] = value
		} else if arg.Value != nil {
			s.args[arg.Key] = *arg.Value
		} else if value, ok := s.meta[arg.Key]; ok {
			s.args[arg.Key] = value
		}
	}
}

func (s *stage) workdir(path string) error {
	if !strings.HasPrefix(path, "/") {
		path = filepath.Join("/", s.config.WorkingDir, path)
	}
	s.config.WorkingDir = filepath.Clean(path)
	if err := os.MkdirAll(s.config.Path(s.root, path), 0o755); err != nil { //nolint:gosec // G301: pods read it
		return fmt.Errorf("creating %s: %w", path, err)
	}
	return nil
}

// copy carries out COPY and ADD of plain files.
func (s *stage) copy(c instructions.SourcesAndDest, from string) error {
	source := s.Context
	if from != "" {
		earlier, ok := s.done[strings.ToLower(from)]
		if !ok {
			return fmt.Errorf("COPY --from=%s: no such stage before it", from)
		}
		source = earlier.root
	}
	dest := s.config.Path(s.root, c.DestPath)
	for _, content := range c.SourceContents {
		if err := writeFile(filepath.Join(dest, filepath.Base(content.Path)), []byte(content.Data)); err != nil {
			return err
		}
	}
	intoDir := strings.HasSuffix(c.DestPath, "/") || c.DestPath == "." || len(c.SourcePaths) > 1
	for _, pattern := range c.SourcePaths {
		if strings.Contains(pattern, "://") {
			return fmt.Errorf("ADD %s: the sandbox has no network to fetch it", pattern)
		}
		matches, err := filepath.Glob(filepath.Join(source, filepath.Clean("/"+pattern)))
		if err != nil || len(matches) == 0 {
			return errors.Join(fmt.Errorf("COPY %s: no such file in the build context", pattern), err)
		}
		for _, match := range matches {
			if err := copyInto(match, dest, intoDir || len(matches) > 1); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyInto copies a directory's content to dest, or a file to dest or, if dest is a directory,
// into it.
func copyInto(source, dest string, intoDir bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return fmt.Errorf("copying: %w", err)
	}
	if info.IsDir() {
		return copyTree(source, dest)
	}
	if existing, err := os.Stat(dest); intoDir || err == nil && existing.IsDir() {
		dest = filepath.Join(dest, filepath.Base(source))
	}
	return copyFile(source, dest, info.Mode())
}

// words returns the words of a command line; the shell form runs through /bin/sh.
func words(line instructions.ShellDependantCmdLine) []string {
	if line.PrependShell {
		return []string{"/bin/sh", "-c", strings.Join(line.CmdLine, " ")}
	}
	return line.CmdLine
}

// pairs returns a map as sorted NAME=value.
func pairs(m map[string]string) []string {
	out := make([]string, 0, len(m))
	for _, key := range slices.Sorted(maps.Keys(m)) {
		out = append(out, key+"="+m[key])
	}
	return out
}
