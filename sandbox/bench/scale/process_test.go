package scale

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
	if _, err := outside(child.Process.Pid); err != nil {
		t.Error(err)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = child.Wait()
	if pid, err := outside(child.Process.Pid); err == nil {
		t.Errorf("an ended process is found as %d", pid)
	}
	self, err := outside(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for used := time.Duration(0); used == 0; { // each look is work, which the kernel counts in hundredths of a second
		if used, err = cpu(self); err != nil {
			t.Fatal(err)
		}
	}
	rss, anon, err := memory(self)
	if err != nil {
		t.Fatal(err)
	}
	if anon <= 0 || rss < anon || rss > 1<<20 {
		t.Errorf("%.1f MB are in memory, %.1f MB of them anonymous", rss, anon)
	}
}
