package node

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/kubernetes/third_party/forked/golang/expansion"

	"github.com/turnout-dev/turnout/sandbox/netns"
	"github.com/turnout-dev/turnout/sandbox/registry"
)

// exitCannotStart is the exit code that container runtimes report for a command that could not
// start (containerd, reason StartError).
const exitCannotStart = 128

// process is one attempt at running a container.
type process struct {
	id      string
	network *netns.Pod
	env     []string // NAME=value, resolved
	root    string   // the copy of the image's files
	config  registry.Config
	owner   owner
	ownRoot bool // root is its root file system
	spec    *corev1.Container
	log     string

	cmd  *exec.Cmd
	done chan struct{} // closed once it ended
	end  corev1.ContainerStateTerminated
}

// start starts the container's command. After an error it counts as ended.
func (p *process) start() error {
	begin := now()
	output, err := newLogWriter(p.log)
	if err == nil {
		p.cmd, err = p.command(p.commandLine())
	}
	if err == nil {
		p.cmd.Stdout, p.cmd.Stderr = output.stream("stdout"), output.stream("stderr")
		err = p.network.Start(p.cmd)
	}
	if err != nil {
		p.finish(begin, exitCannotStart, "StartError", err.Error())
		return err
	}
	go func() {
		_ = p.cmd.Wait() // the state tells
		p.killGroup()    // as everything in a container ends with its first process
		output.close()
		code, reason := exitCode(p.cmd.ProcessState)
		p.finish(begin, code, reason, p.lastWords())
	}()
	return nil
}

// maxLastWords is how much of a termination message kubelets read (kubernetes
// pkg/kubelet/container/runtime.go, MaxContainerTerminationMessageLength).
const maxLastWords = 4096

// lastWords is what the process wrote to its terminationMessagePath.
func (p *process) lastWords() string {
	file, err := os.Open(filepath.Join(p.root, p.spec.TerminationMessagePath))
	if err != nil {
		return fmt.Sprintf("Error on reading termination log: %v", err)
	}
	defer file.Close()
	words, err := io.ReadAll(io.LimitReader(file, maxLastWords))
	if err != nil {
		return fmt.Sprintf("Error on reading termination log: %v", err)
	}
	return string(words)
}

func (p *process) finish(begin metav1.Time, code int32, reason, message string) {
	p.end = corev1.ContainerStateTerminated{
		ExitCode: code, Reason: reason, Message: message, StartedAt: begin, FinishedAt: now(), ContainerID: p.id,
	}
	close(p.done)
}

// exit is how it ended; call it only once done is closed.
func (p *process) exit() corev1.ContainerStateTerminated { return p.end }

// exitCode returns the code and the reason that kubelets report.
func exitCode(state *os.ProcessState) (int32, string) {
	code := state.ExitCode()
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		code = 128 + int(status.Signal())
	}
	if code == 0 {
		return 0, "Completed"
	}
	return int32(code), "Error" //nolint:gosec // G115: at most 255
}

// commandLine is the container's command: the spec's over the image's, with
// $(NAME) replaced.
func (p *process) commandLine() []string {
	entrypoint, arguments := p.config.Entrypoint, p.config.Cmd
	if len(p.spec.Command) > 0 {
		entrypoint, arguments = p.spec.Command, nil
	}
	if len(p.spec.Args) > 0 {
		arguments = p.spec.Args
	}
	values := map[string]string{}
	for _, pair := range p.env {
		name, value, _ := strings.Cut(pair, "=")
		values[name] = value
	}
	line := slices.Concat(entrypoint, arguments)
	for i := range line {
		line[i] = expansion.Expand(line[i], expansion.MappingFuncFor(values))
	}
	return line
}

// command makes a command that runs with the container's files and environment.
func (p *process) command(line []string) (*exec.Cmd, error) {
	cmd, err := p.locate(line)
	if err == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.WaitDelay = time.Second // for children that keep the output open
	}
	return cmd, err
}

// locate finds the program, and says how to run it.
func (p *process) locate(line []string) (*exec.Cmd, error) {
	if len(line) == 0 {
		return nil, errors.New("no command specified")
	}
	dir := p.config.WorkingDir
	if p.spec.WorkingDir != "" {
		dir = p.spec.WorkingDir
	}
	if p.ownRoot {
		return p.owner.command(p.root, dir, p.env, line)
	}
	path, err := p.lookUp(line[0])
	if err != nil {
		return nil, err
	}
	arguments := slices.Clone(line[1:])
	for i, a := range arguments {
		arguments[i] = p.mapPath(a)
	}
	cmd := &exec.Cmd{
		Path: path, Args: append([]string{line[0]}, arguments...), Env: p.env, Dir: filepath.Join(p.root, dir),
	}
	if _, err := os.Stat(cmd.Dir); err != nil {
		return nil, fmt.Errorf("chdir to %q: no such directory in the image", dir)
	}
	return cmd, nil
}

// mapPath maps an absolute path of the image to its copy; every other text stays. It replaces a
// root file system of the container.
func (p *process) mapPath(text string) string {
	if !strings.HasPrefix(text, "/") {
		return text
	}
	mapped := filepath.Join(p.root, text)
	if _, err := os.Stat(mapped); err != nil || filepath.Clean(text) == "/" {
		return text
	}
	return mapped
}

// lookUp finds a program as the container would: by the PATH of its environment.
func (p *process) lookUp(name string) (string, error) {
	if strings.Contains(name, "/") {
		path := p.mapPath(name)
		if !strings.HasPrefix(path, "/") {
			path = p.config.Path(p.root, path)
		}
		return path, unix.Access(path, unix.X_OK)
	}
	path := ""
	for _, pair := range p.env {
		if value, ok := strings.CutPrefix(pair, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		candidate := p.mapPath(filepath.Join(dir, name))
		if info, err := os.Stat(candidate); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return candidate, nil
		}
	}
	return "", fmt.Errorf("exec: %q: executable file not found in $PATH", name)
}

// terminate asks the first process to stop, by the image's signal.
func (p *process) terminate() {
	sig := unix.SignalNum("SIG" + strings.TrimPrefix(strings.ToUpper(p.config.StopSignal), "SIG"))
	if sig == 0 {
		sig = syscall.SIGTERM
	}
	p.signal(sig)
}

// kill ends all its processes at once.
func (p *process) kill() {
	p.signal(syscall.SIGKILL)
	p.killGroup()
}

func (p *process) signal(sig syscall.Signal) {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = p.cmd.Process.Signal(sig) // fails only if it has ended
	}
}

func (p *process) killGroup() {
	if p.cmd != nil && p.cmd.Process != nil {
		_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) // fails only if none is left
	}
}

// run runs a command in the container, with its files, environment and network, until it ends or
// ctx does; streams may be nil.
func (p *process) run(ctx context.Context, line []string, attach func(*exec.Cmd)) error {
	cmd, err := p.command(line)
	if err != nil {
		return err
	}
	attach(cmd)
	if err := p.network.Start(cmd); err != nil {
		return err
	}
	var killed sync.WaitGroup
	ended := make(chan struct{})
	killed.Go(func() {
		select {
		case <-ended:
			return
		case <-ctx.Done():
		case <-p.done:
		}
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails only if none is left
	})
	err = cmd.Wait()
	close(ended)
	killed.Wait()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
