package route

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"
)

// longestAnswer bounds an answer that several wait for.
const longestAnswer = 30 * time.Second

// sharing gives those who ask the same question at the same time one answer. Nobody gets one that was
// begun before they asked, so it is as new as an answer of their own; but many who ask at once cost two
// answers, not one each. The zero value is ready to use.
type sharing[Q comparable, A any] struct {
	mu       sync.Mutex
	underway map[Q]*answer[A]
}

type answer[A any] struct {
	ended chan struct{}
	value A
	err   error
}

// ask returns an answer that find began to look for after this call. Others get the same value, so
// nobody may change it. It waits no longer than ctx; find goes on for the others.
func (s *sharing[Q, A]) ask(ctx context.Context, question Q, find func(context.Context) (A, error)) (A, error) {
	s.mu.Lock()
	earlier := s.underway[question]
	s.mu.Unlock()
	if earlier != nil { // begun before this call
		if err := earlier.wait(ctx); err != nil {
			var none A
			return none, err
		}
	}
	return s.join(ctx, question, find)
}

// join returns the answer that is underway, or begins one.
func (s *sharing[Q, A]) join(ctx context.Context, question Q, find func(context.Context) (A, error)) (A, error) {
	s.mu.Lock()
	a := s.underway[question]
	if a == nil {
		if s.underway == nil {
			s.underway = map[Q]*answer[A]{}
		}
		a = &answer[A]{ended: make(chan struct{})}
		s.underway[question] = a
		go s.find(context.WithoutCancel(ctx), question, a, find)
	}
	s.mu.Unlock()
	if err := a.wait(ctx); err != nil {
		var none A
		return none, err
	}
	return a.value, a.err
}

func (s *sharing[Q, A]) find(ctx context.Context, question Q, a *answer[A], find func(context.Context) (A, error)) {
	ctx, cancel := context.WithTimeout(ctx, longestAnswer)
	defer func() {
		cancel()
		if v := recover(); v != nil { // it must not end the process
			a.err = fmt.Errorf("panic: %v\n%s", v, debug.Stack())
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.underway, question)
		close(a.ended)
	}()
	a.value, a.err = find(ctx)
}

func (a *answer[A]) wait(ctx context.Context) error {
	select {
	case <-a.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("waiting for an answer that others wait for, too: %w", context.Cause(ctx))
	}
}
