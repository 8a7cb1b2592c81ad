package netns

import (
	"errors"
	"net"
	"sync"
)

// joined accepts the connections of two listeners.
type joined struct {
	both     [2]net.Listener
	accepted chan accepted
	closed   chan struct{}
	once     sync.Once
}

type accepted struct {
	connection net.Conn
	err        error
}

// join returns a listener at the first one's address.
func join(a, b net.Listener) net.Listener {
	j := &joined{both: [2]net.Listener{a, b}, accepted: make(chan accepted), closed: make(chan struct{})}
	for _, listener := range j.both {
		go j.accept(listener)
	}
	return j
}

// accept passes on what one listener accepts, until both are closed.
func (j *joined) accept(from net.Listener) {
	for {
		connection, err := from.Accept()
		select {
		case j.accepted <- accepted{connection, err}:
		case <-j.closed:
			if err == nil {
				_ = connection.Close() // nobody is left to serve it
			}
			return
		}
	}
}

// Accept implements net.Listener.
func (j *joined) Accept() (net.Conn, error) {
	select {
	case a := <-j.accepted:
		return a.connection, a.err
	case <-j.closed:
		return nil, net.ErrClosed
	}
}

// Close implements net.Listener.
func (j *joined) Close() error {
	var err error
	j.once.Do(func() {
		close(j.closed)
		err = errors.Join(j.both[0].Close(), j.both[1].Close())
	})
	return err
}

// Addr implements net.Listener.
func (j *joined) Addr() net.Addr { return j.both[0].Addr() }
