package proc

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

// A process is found by the number that its parent sees, and its processor time is measured.
func TestProcessIsFoundAndMeasured(t *testing.T) {
	t.Parallel()
	child := exec.CommandContext(t.Context(), "sleep", "60")
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := Outside(child.Process.Pid); err != nil {
		t.Error(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if pid, err := Outside(child.Process.Pid); err == nil {
		t.Errorf("an ended process is found as %d", pid)
	}
	self, err := Outside(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for used := time.Duration(0); used == 0; { // each look is work, which the kernel counts in hundredths of a second
		if used, err = CPU(self); err != nil {
			t.Fatal(err)
		}
	}
	use, err := Memory(self)
	if err != nil {
		t.Fatal(err)
	}
	if use.Anon <= 0 || use.RSS < use.Anon || use.Peak < use.RSS || use.Peak > 1<<20 {
		t.Errorf("the memory in use is %+v MB", use)
	}
}
