package bot

import (
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
)

// How much memory unverified bodies may take, over all connections. A process has 256 MiB
// (config/serve/deployment.yaml), and everybody can send it a body.
const (
	// smallBody is the largest body that is read from the small share. Comments are
	// smaller: GitHub accepts 65,536 characters, which JSON may triple.
	smallBody = 256 << 10
	// smallShare has room for 32 of the largest small bodies, or hundreds of usual ones.
	smallShare = 8 << 20
	// largeShare is for all others, such as pushes of hundreds of commits: one of GitHub's
	// largest at a time.
	largeShare = maxBody + 1<<20
)

// Time limits of reading a body.
const (
	// bodyGrace is how long a body of any size may take. For larger bodies, bodyRate is the
	// least rate in bytes per second.
	bodyGrace = 5 * time.Second
	bodyRate  = 1 << 20
	// busyGrace is how long a small body is safe from being cut when its share is full.
	// GitHub sends one in much less time.
	busyGrace = 250 * time.Millisecond
	// roomPatience is how long a body waits for room.
	roomPatience = 2 * time.Second
)

// bodies bounds the bytes of unverified bodies in memory. The zero value is ready.
type bodies struct {
	small, large share
}

// share is a number of bytes for all bodies in flight together.
type share struct {
	mu      sync.Mutex
	used    int64
	reading []*reading    // the oldest first
	freed   chan struct{} // closed when a body ends
}

// reading is one body in flight.
type reading struct {
	size  int64
	since time.Time
	cut   func() // stops the reading; nil after its end
}

// body is what was read. Call done when it is no longer needed.
type body struct {
	bytes []byte
	done  func()
}

// read reads a body of a known length into memory of exactly that length, or returns why
// not. A body without a length must fit the small share.
func (b *bodies) read(w http.ResponseWriter, r *http.Request) (body, *refusal) {
	size := r.ContentLength
	switch {
	case size > maxBody:
		return body{}, &refusal{http.StatusRequestEntityTooLarge, "over 25 MB"}
	case size < 0: // chunked: GitHub does not do that, but a proxy may
		size = smallBody
	}
	deadline := http.NewResponseController(w)
	entry := &reading{size: size, since: time.Now(), cut: func() { _ = deadline.SetReadDeadline(time.Now()) }}
	if !b.enter(r.Context(), entry) {
		return body{}, &refusal{http.StatusServiceUnavailable, "too many bodies at once; it will be swept up later"}
	}
	_ = deadline.SetReadDeadline(time.Now().Add(bodyGrace + time.Duration(size)*time.Second/bodyRate))
	read := body{make([]byte, size), func() { b.of(size).leave(entry) }}
	n, err := io.ReadFull(r.Body, read.bytes)
	b.of(size).keep(entry)
	_ = deadline.SetReadDeadline(time.Time{})
	var refused *refusal
	switch {
	case r.ContentLength < 0 && (errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)):
		read.bytes = read.bytes[:n]
	case r.ContentLength < 0 && err == nil:
		refused = &refusal{http.StatusLengthRequired, "256 KB or more without a Content-Length"}
	case err != nil:
		refused = &refusal{http.StatusBadRequest, "the body ended early, or came too slowly"}
	}
	if refused != nil {
		read.done()
		return body{}, refused
	}
	return read, nil
}

func (b *bodies) of(size int64) *share {
	if size <= smallBody {
		return &b.small
	}
	return &b.large
}

// enter takes room for a body. A small one waits a moment, and then cuts the body that
// takes longest: GitHub's bodies arrive at once, and only somebody else holds one open. A
// large one is refused; the sweep recovers it.
func (b *bodies) enter(ctx context.Context, e *reading) bool {
	if e.size > smallBody {
		return b.large.take(e, largeShare)
	}
	ctx, cancel := context.WithTimeout(ctx, roomPatience)
	defer cancel()
	for !b.small.take(e, smallShare) {
		wait, freed := b.small.cutOldest()
		select {
		case <-freed:
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// take takes room, if there is enough.
func (s *share) take(e *reading, most int64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.used+e.size > most {
		return false
	}
	s.used += e.size
	s.reading = append(s.reading, e)
	return true
}

// cutOldest cuts the body that takes longest, if it has had its time. It returns when to
// ask again, and a channel that closes when a body ends.
func (s *share) cutOldest() (wait time.Duration, freed <-chan struct{}) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.freed == nil {
		s.freed = make(chan struct{})
	}
	wait = busyGrace
	for _, e := range s.reading {
		if e.cut == nil { // cut, or read completely
			continue
		}
		if age := time.Since(e.since); age < busyGrace {
			return busyGrace - age, s.freed
		}
		e.cut()
		e.cut = nil
		break
	}
	return wait, s.freed
}

// keep protects a completely read body from being cut.
func (s *share) keep(e *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e.cut = nil
}

// leave returns a body's room.
func (s *share) leave(e *reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.used -= e.size
	s.reading = slices.DeleteFunc(s.reading, func(other *reading) bool { return other == e })
	if s.freed != nil {
		close(s.freed)
		s.freed = nil
	}
}
