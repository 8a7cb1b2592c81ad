package process

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const (
	long   = time.Minute
	sleeps = "echo ready; exec sleep 600"
	deaf   = "trap '' TERM; echo ready; while :; do sleep 1; done"
)

// sh starts a shell that has said what it does.
func sh(t *testing.T, script string) *Process {
	t.Helper()
	log := filepath.Join(t.TempDir(), "log")
	p, err := Start(Options{Program: "/bin/sh", Args: []string{"-c", script}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	err = p.Await(t.Context(), func(context.Context) error {
		if text, err := os.ReadFile(log); err != nil || !strings.Contains(string(text), "ready") {
			return errors.New("it said nothing")
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrEnded) {
		t.Fatal(err)
	}
	return p
}

// However a process ends or has ended, stopping it ends, twice if need be, and tells how it ended.
func TestStopTellsHowItEnded(t *testing.T) {
	for name, c := range map[string]struct {
		script string
		within time.Duration
		want   string // part of both errors; empty: none
	}{
		"when it is asked":        {"trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done", long, ""},
		"with an error":           {"trap 'exit 3' TERM; echo ready; while :; do sleep 0.01; done", long, "exit status 3"},
		"had ended":               {"exit 0", long, ""},
		"had ended with an error": {"exit 4", long, "exit status 4"},
	} {
		t.Run(name, func(t *testing.T) {
			p := sh(t, c.script)
			for range 2 {
				err := p.StopWithin(c.within)
				if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
					t.Errorf("%v, want %q", err, c.want)
				}
			}
		})
	}
}

func TestADeafProcessIsKilled(t *testing.T) {
	p := sh(t, deaf)
	if err := p.StopWithin(50 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "did not end within 50ms") {
		t.Errorf("%v, want that it did not end", err)
	}
	<-p.Done()
}

func TestAProcessIsKilledOnce(t *testing.T) {
	p := sh(t, sleeps)
	if err := p.Kill(); err != nil {
		t.Error(err)
	}
	<-p.Done()
	if err := p.Kill(); !errors.Is(err, ErrEnded) {
		t.Errorf("the second time: %v, want %v", err, ErrEnded)
	}
}

func TestALogIsKeptIfAsked(t *testing.T) {
	for _, keep := range []bool{false, true} {
		log := filepath.Join(t.TempDir(), "log")
		for _, line := range []string{"first", "second"} {
			p, err := Start(Options{Program: "/bin/sh", Args: []string{"-c", "echo " + line}, Log: log, Append: keep})
			if err != nil {
				t.Fatal(err)
			}
			<-p.Done()
		}
		want := "second\n"
		if keep {
			want = "first\nsecond\n"
		}
		if text, err := os.ReadFile(log); err != nil || string(text) != want {
			t.Errorf("append %v: %q, %v; want %q", keep, text, err, want)
		}
	}
}
