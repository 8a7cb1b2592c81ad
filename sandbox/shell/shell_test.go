package shell

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// serving starts a server with this environment, and returns its socket.
func serving(t *testing.T, env ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s")
	listener, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	t.Cleanup(cancel)
	go Serve(ctx, listener, env)
	return path
}

// runs runs a command there, with this input, and returns what it printed.
func runs(ctx context.Context, t *testing.T, socket, input string, args ...string) (code int, out string, err error) {
	t.Helper()
	in, typing, errIn := os.Pipe()
	reading, printed, errOut := os.Pipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(typing, input); err != nil {
		t.Fatal(err)
	}
	typing.Close()
	code, err = Run(ctx, socket, args, in, printed, printed)
	printed.Close()
	text, reads := io.ReadAll(reading)
	if reads != nil {
		t.Fatal(reads)
	}
	return code, string(text), err
}

func TestCommandHasTheCallersInputAndTheServersEnvironment(t *testing.T) {
	socket := serving(t, "KUBECONFIG=/somewhere")
	code, out, err := runs(t.Context(), t, socket, "typed\n", "sh", "-c", `read word; echo "$word in $KUBECONFIG, $PWD"; exit 3`)
	dir, _ := os.Getwd()
	if want := "typed in /somewhere, " + dir + "\n"; err != nil || code != 3 || out != want {
		t.Errorf("it printed %q and ended with %d, %v; want %q and 3", out, code, err, want)
	}
}

func TestProgramIsFoundByTheServersPath(t *testing.T) {
	bin := t.TempDir()
	program := []byte("#!/bin/sh\necho found\n")
	if err := os.WriteFile(filepath.Join(bin, "only-here"), program, 0o700); err != nil { //nolint:gosec // G306: a program
		t.Fatal(err)
	}
	socket := serving(t, "PATH="+bin+":"+os.Getenv("PATH"))
	if code, out, err := runs(t.Context(), t, socket, "", "only-here"); err != nil || code != 0 || out != "found\n" {
		t.Errorf("it printed %q and ended with %d, %v", out, code, err)
	}
	if _, _, err := runs(t.Context(), t, socket, "", "nowhere-at-all"); err == nil || !strings.Contains(err.Error(), "nowhere-at-all") {
		t.Errorf("a program that does not exist gave %v", err)
	}
}

func TestCommandEndsWithItsCaller(t *testing.T) {
	socket := serving(t)
	ctx, cancel := context.WithCancel(t.Context())
	in, _, errIn := os.Pipe() // nobody types
	reading, printed, errOut := os.Pipe()
	if err := errors.Join(errIn, errOut); err != nil {
		t.Fatal(err)
	}
	ended := make(chan int, 1)
	go func() {
		code, _ := Run(ctx, socket, []string{"sh", "-c", "trap 'exit 7' TERM; echo began; while :; do sleep 0.05; done"}, in, printed, printed)
		ended <- code
	}()
	if _, err := reading.Read(make([]byte, len("began\n"))); err != nil {
		t.Fatal(err)
	}
	cancel()
	if code := <-ended; code != 7 {
		t.Errorf("it ended with %d, want its own 7", code)
	}
}

func TestWithoutASandboxTheErrorSaysHowToStartOne(t *testing.T) {
	_, err := Run(t.Context(), filepath.Join(t.TempDir(), "none"), []string{"true"}, os.Stdin, os.Stdout, os.Stderr)
	if !errors.Is(err, ErrNotRunning) {
		t.Errorf("the error is %v", err)
	}
}
