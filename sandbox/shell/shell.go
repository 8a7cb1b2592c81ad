// Package shell runs commands inside the sandbox's network: [Serve] inside, [Run] outside.
//
// They meet at a Unix socket, which network namespaces do not separate. The caller's own input and
// output go along as file descriptors, so a command behaves as if the caller had started it.
package shell

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// maxRequest bounds a request, in bytes.
const maxRequest = 64 << 10

// descriptors are a caller's input, output and errors.
const descriptors = 3

// exitCannotStart is a shell's exit code for a command that it cannot start.
const exitCannotStart = 127

// ErrNotRunning says that no sandbox serves commands.
var ErrNotRunning = errors.New("no sandbox is running: start one with `make up`")

// request is what a caller wants to have run.
type request struct {
	Args []string // the command
	Dir  string   // where
	Env  []string // the caller's environment, NAME=value
}

// reply is how it ended.
type reply struct {
	Code  int
	Error string `json:",omitempty"` // why it could not start
}

// envSocket has the socket inside the sandbox, where everybody is root.
const envSocket = "TURNOUT_SANDBOX_SOCKET"

// Socket is where a user's sandbox serves commands. A user has one at a time.
func Socket() string {
	if path := os.Getenv(envSocket); path != "" {
		return path
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "turnout-sandbox-"+strconv.Itoa(os.Getuid())+".sock")
}

// Keep fixes what [Socket] returns, for a process that is about to enter the sandbox.
func Keep() error { return os.Setenv(envSocket, Socket()) }

// Listen opens the socket, for this user alone.
func Listen(path string) (*net.UnixListener, error) {
	if err := os.Remove(path); err != nil && !os.IsNotExist(err) { // a sandbox that was killed left it
		return nil, fmt.Errorf("removing an earlier sandbox's %s: %w", path, err)
	}
	listener, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		return nil, fmt.Errorf("listening for `sandbox exec`: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return nil, errors.Join(fmt.Errorf("keeping %s for its owner: %w", path, err), listener.Close())
	}
	return listener, nil
}

// Serve runs the commands of callers until ctx ends. env is added to each caller's environment.
func Serve(ctx context.Context, listener *net.UnixListener, env []string) {
	stop := context.AfterFunc(ctx, func() { _ = listener.Close() }) // ends Accept
	defer stop()
	for {
		conn, err := listener.AcceptUnix()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			_ = json.NewEncoder(conn).Encode(serve(ctx, conn, env)) // fails only if the caller has left
		}()
	}
}

// serve runs one caller's command. It ends when the caller leaves.
func serve(ctx context.Context, conn *net.UnixConn, env []string) reply {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	q, files, err := receive(conn)
	defer func() {
		for _, f := range files {
			_ = f.Close() // the command has its own
		}
	}()
	if err != nil {
		return reply{Code: exitCannotStart, Error: err.Error()}
	}
	go func() {
		_, _ = io.Copy(io.Discard, conn) // returns when the caller has left
		cancel()
	}()
	all := append(slices.Clone(q.Env), env...)
	cmd := exec.CommandContext(ctx, lookUp(q.Args[0], env), q.Args[1:]...) //nolint:gosec // G204: the caller's own command
	cmd.Args[0], cmd.Env, cmd.Dir = q.Args[0], all, q.Dir
	cmd.Stdin, cmd.Stdout, cmd.Stderr = files[0], files[1], files[2]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	err = cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return reply{Code: exitCannotStart, Error: err.Error()}
	}
	return reply{Code: cmd.ProcessState.ExitCode()}
}

// lookUp finds a program by the PATH that env has.
func lookUp(program string, env []string) string {
	if filepath.Base(program) != program {
		return program
	}
	for _, pair := range slices.Backward(env) {
		if len(pair) < 5 || pair[:5] != "PATH=" {
			continue
		}
		for _, dir := range filepath.SplitList(pair[5:]) {
			if info, err := os.Stat(filepath.Join(dir, program)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
				return filepath.Join(dir, program)
			}
		}
	}
	return program
}

// receive reads a caller's request, with its descriptors.
func receive(conn *net.UnixConn) (request, []*os.File, error) {
	var q request
	text, rights := make([]byte, maxRequest), make([]byte, syscall.CmsgSpace(4*descriptors))
	n, used, _, _, err := conn.ReadMsgUnix(text, rights)
	if err != nil {
		return q, nil, fmt.Errorf("reading a request: %w", err)
	}
	var files []*os.File
	messages, err := syscall.ParseSocketControlMessage(rights[:used])
	for i := range messages {
		fds, parsing := syscall.ParseUnixRights(&messages[i])
		err = errors.Join(err, parsing)
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), "caller's"))
		}
	}
	if err = errors.Join(err, json.Unmarshal(text[:n], &q)); err != nil {
		return q, files, fmt.Errorf("reading a request: %w", err)
	}
	if len(files) != descriptors || len(q.Args) == 0 {
		return q, files, fmt.Errorf("a request has %d descriptors and %d words", len(files), len(q.Args))
	}
	return q, files, nil
}

// Run runs a command in the sandbox that serves at a socket, with this process's directory,
// environment, input and output, and returns its exit code. The command ends when ctx does.
// Without a sandbox the error is [ErrNotRunning].
func Run(ctx context.Context, socket string, args []string, stdin, stdout, stderr *os.File) (code int, err error) {
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: socket, Net: "unix"})
	if errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.ECONNREFUSED) {
		return 0, ErrNotRunning
	}
	if err != nil {
		return 0, fmt.Errorf("reaching the sandbox: %w", err)
	}
	defer conn.Close()
	dir, err := os.Getwd()
	if err != nil {
		return 0, fmt.Errorf("looking up the working directory: %w", err)
	}
	text, err := json.Marshal(request{Args: args, Dir: dir, Env: os.Environ()})
	if err != nil {
		return 0, fmt.Errorf("encoding the command: %w", err)
	}
	if len(text) > maxRequest {
		return 0, fmt.Errorf("the command and the environment have %d bytes; at most %d fit", len(text), maxRequest)
	}
	rights := syscall.UnixRights(int(stdin.Fd()), int(stdout.Fd()), int(stderr.Fd()))
	if _, _, err := conn.WriteMsgUnix(text, rights, nil); err != nil {
		return 0, fmt.Errorf("asking the sandbox: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.CloseWrite() }) // the command is ended, and its end reported
	defer stop()
	var end reply
	if err := json.NewDecoder(conn).Decode(&end); err != nil {
		return 0, fmt.Errorf("the sandbox ended before the command: %w", err)
	}
	if end.Error != "" {
		return end.Code, errors.New(end.Error)
	}
	return end.Code, nil
}
