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

// Crash kills it.
func (p *Process) Crash() error { return p.signal(syscall.SIGKILL) }

// Stall keeps it from doing anything until [Process.GoOn].
func (p *Process) Stall() error { return p.signal(syscall.SIGSTOP) }

// GoOn ends a stall.
func (p *Process) GoOn() error { return p.signal(syscall.SIGCONT) }

// signal sends one. A process that has ended meanwhile needs none.
func (p *Process) signal(s syscall.Signal) error {
	if err := syscall.Kill(int(p.pid.Load()), s); err != nil && !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("sending %s to turnout: %w", s, err)
	}
	return nil
}
