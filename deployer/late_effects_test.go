package deployer

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A process is stuck right before an effect, any of them, and another one takes over and ends the
// release. Then the write arrives, and the process goes on: the world stays as it is. The effects
// are those of [journeys], which fail if a quiet run has others, so none is forgotten.
//
// Cloud Build is not asked through this transport, and has nothing that a late request could test: one
// that arrives after the search for its build makes a second build, which no release uses.
//
// As in [TestEveryEffectMayFail], one run has a slice of the cells.
func TestEveryEffectMayComeLate(t *testing.T) {
	ran, of := slice(t)
	number := 0
	for _, j := range journeys {
		for _, at := range j.effects {
			if cell := cellsOf[j.name]; cell != nil && !cell(at) || at == createBuild {
				continue
			}
			if number++; number%of != ran {
				continue
			}
			t.Run(fmt.Sprint(number, " ", j.name, " ", strings.ReplaceAll(at, "/", ".")), func(t *testing.T) {
				t.Parallel()
				w, rel := j.start(t)
				var mu sync.Mutex
				var made []string
				l := w.startLate(func(what, body string) bool {
					mu.Lock()
					defer mu.Unlock()
					all := effectsAfter(made, what, body)
					made = append(made, all...)
					return slices.Contains(all, at)
				})
				l.stuck()
				w.run(quick("second"))
				j.expect(w, w.awaitPhase(rel, j.end()))
				l.comes()
				w.until("the late process to look", func() bool { w.poke(); return l.looks() > 0 }, func() string { return "" })
				j.expect(w, w.awaitPhase(rel, j.end()))
			})
		}
	}
}

// createBuild starts a build.
const createBuild = "CreateBuild"

// comes sends the write, whatever its response is.
func (l *late) comes() {
	l.w.t.Helper()
	close(l.taken)
	select {
	case <-l.answer:
	case <-time.After(longestWait):
		l.w.t.Fatal("the write got no answer")
	}
}
