package fault

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"syscall"
)

// Process is one that ends and is started again, by its ID of now.
type Process struct{ pid atomic.Int64 }

// Runs says that it has another ID now.
func (p *Process) Runs(pid int) { p.pid.Store(int64(pid)) }

// Crash kills it, and reports whether there was one to kill.
func (p *Process) Crash() (killed bool, err error) { return p.signal(syscall.SIGKILL) }

// Stall keeps it from doing anything until [Process.GoOn], and reports whether there was one to stop.
func (p *Process) Stall() (stopped bool, err error) { return p.signal(syscall.SIGSTOP) }

// GoOn ends a stall.
func (p *Process) GoOn() error {
	_, err := p.signal(syscall.SIGCONT)
	return err
}

// signal sends one. A process that has ended meanwhile needs none.
func (p *Process) signal(s syscall.Signal) (sent bool, err error) {
	err = syscall.Kill(int(p.pid.Load()), s)
	if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("sending %s to turnout: %w", s, err)
	}
	return true, nil
}
