// Package process runs programs that do not outlive this one: the control plane's, and
// Google's controllers in the sandbox. [Start] starts one, [Process.Await] waits until it
// is ready, [Process.Stop] ends it.
package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

// stopTimeout is how long a process may take to stop before it is killed.
const stopTimeout = 5 * time.Second

// Options say what to run.
type Options struct {
	// Program is the file to run.
	Program string
	// Args are its arguments.
	Args []string
	// Env is its environment. Default: this process's.
	Env []string
	// Log is the file for its output.
	Log string
	// Append keeps what the file holds already.
	Append bool
	// User to run it as, which takes root. Default: this process's.
	User *syscall.Credential
}

// Process is a running program.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended; then err is set
	err  error
}

// Start starts a program. It is killed when this process dies, in whatever way.
func Start(o Options) (*Process, error) {
	p := &Process{name: filepath.Base(o.Program), log: o.Log, done: make(chan struct{})}
	flags := os.O_CREATE | os.O_WRONLY | os.O_TRUNC
	if o.Append {
		flags = os.O_CREATE | os.O_WRONLY | os.O_APPEND
	}
	out, err := os.OpenFile(p.log, flags, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the log of %s: %w", p.name, err)
	}
	p.cmd = exec.Command(o.Program, o.Args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr = o.Env, out, out
	// In its own process group it does not get the terminal's Ctrl-C: Stop ends it in
	// order.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true, Credential: o.User}
	started := make(chan error)
	go p.run(out, started)
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", p.name, err)
	}
	return p, nil
}

// run owns the process until its end. Linux sends the parent-death signal when the *thread*
// that forked ends, so this goroutine keeps its thread.
func (p *Process) run(out *os.File, started chan<- error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	defer out.Close()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	p.err = p.cmd.Wait()
	close(p.done)
}

// Await calls ready every 20 ms until it returns nil, or the process or ctx ends.
func (p *Process) Await(ctx context.Context, ready func(context.Context) error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("%s ended before it was ready (%w); its log is %s", p.name, errors.Join(p.err, ErrEnded), p.log)
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready (%w): %w; its log is %s", p.name, err, ctx.Err(), p.log)
		case <-tick.C:
		}
	}
}

// ErrEnded marks a process that ended by itself during Await.
var ErrEnded = errors.New("process ended")

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err says how the process ended, and where its log is. Call it only after Done is closed.
func (p *Process) Err() error {
	return fmt.Errorf("%s ended: %w; its log is %s", p.name, errors.Join(p.err, ErrEnded), p.log)
}

// PID is the process's.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Stop asks the process to end, and kills it if it does not within 5 seconds.
func (p *Process) Stop() { _ = p.StopWithin(stopTimeout) }

// StopWithin asks the process to end, and kills it if it does not in time. It says if the process had to be
// killed, or ended with an error, at once if it had ended before.
func (p *Process) StopWithin(d time.Duration) error {
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // fails only if it has already ended
	select {
	case <-p.done:
		return p.err
	case <-time.After(d):
		p.kill()
		return fmt.Errorf("it did not end within %s", d)
	}
}

// Kill ends the process as a crash of its machine would. It is an error if it had ended before.
func (p *Process) Kill() error {
	select {
	case <-p.done:
		return p.Err()
	default:
		p.kill()
		return nil
	}
}

func (p *Process) kill() {
	_ = p.cmd.Process.Kill() // fails only if it has already ended
	<-p.done
}
