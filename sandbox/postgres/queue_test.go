package postgres_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// empty asks the example whether a queue is empty, as Turnout does.
func (e example) empty(dir, queue string) bool {
	e.t.Helper()
	r := e.start(dir, "empty", "QUEUE="+queue)
	err := r.Wait()
	exit, ok := errors.AsType[*exec.ExitError](err)
	if err != nil && (!ok || exit.ExitCode() != 1 || !strings.Contains(r.out.String(), "tasks left")) {
		e.t.Fatalf("empty ended with %v: %s", err, r.out)
	}
	return err == nil
}

// Each colour's worker takes the tasks of its own queue, and the queue is empty only once the last one is done.
func TestTheExamplesWorkersHaveAQueueForEachColour(t *testing.T) {
	e := newExample(t, "a_queue_for_each")
	dir := e.pod()
	e.ends(e.start(dir, "expand"))
	e.query("INSERT INTO orders_order (id, buyer, confirmed) VALUES (1, 'x', false)")
	e.query("INSERT INTO orders_task (order_id, queue) VALUES (1, 'blue'), (1, 'blue'), (1, 'green')")
	if !e.empty(dir, "") || e.empty(dir, "blue") || e.empty(dir, "green") {
		t.Error("before any work the queues are not as full as they should be")
	}
	green := e.start(dir, "work", "QUEUE=green")
	const left = "SELECT string_agg(queue, ' ' ORDER BY id) FROM orders_task WHERE done_at IS NULL"
	e.await(left, "blue blue")
	if !e.empty(dir, "green") || e.empty(dir, "blue") {
		t.Error("after green's work, its queue is not empty, or blue's is")
	}
	blue := e.start(e.pod(), "work", "QUEUE=blue")
	e.await(left, "")
	if !e.empty(dir, "blue") {
		t.Error("after all work, blue's queue is not empty")
	}
	for _, r := range []running{green, blue} {
		if err := errors.Join(r.Process.Signal(syscall.SIGTERM), r.Wait()); err != nil || !strings.Contains(r.out.String(), "stopped") {
			t.Errorf("a worker ended with %v: %s", err, r.out)
		}
		if _, err := os.Stat(r.dir + "/run/working"); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("it still says that it works: %v", err)
		}
	}
}
