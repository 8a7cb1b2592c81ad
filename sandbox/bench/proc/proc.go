// Package proc reads from /proc what a process uses.
package proc

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Outside is one of our processes by the machine's ID, as /proc has it: inside the sandbox,
// processes have other IDs.
func Outside(pid int) (int, error) {
	found, err := ours(func(field string, values []string) bool {
		return field == "NSpid:" && values[len(values)-1] == strconv.Itoa(pid)
	})
	if err != nil || len(found) == 0 {
		return 0, errors.Join(fmt.Errorf("no process %d was found", pid), err)
	}
	return found[0], nil
}

// Named are our processes of a name, by the machine's IDs. Of a name the kernel keeps 15 bytes.
func Named(name string) ([]int, error) {
	return ours(func(field string, values []string) bool {
		return field == "Name:" && values[0] == name[:min(len(name), 15)]
	})
}

// ours are the processes of this sandbox in whose status is what is looked for.
func ours(is func(field string, values []string) bool) ([]int, error) {
	own, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return nil, fmt.Errorf("looking for our processes: %w", err)
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil, fmt.Errorf("looking for our processes: %w", err)
	}
	var found []int
	for _, dir := range all {
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != own {
			continue
		}
		text, _ := os.ReadFile(dir + "/status") //nolint:gosec // G304: the kernel's
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); len(fields) > 1 && is(fields[0], fields[1:]) {
				pid, err := strconv.Atoi(filepath.Base(dir))
				if err != nil {
					return nil, fmt.Errorf("looking for our processes: %w", err)
				}
				found = append(found, pid)
			}
		}
	}
	return found, nil
}

// Busy is the time that all processors of the machine together have worked.
func Busy() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, fmt.Errorf("reading the processors' time: %w", err)
	}
	line, _, _ := strings.Cut(string(text), "\n")
	fields := strings.Fields(line) // cpu user nice system idle iowait irq softirq
	if len(fields) < 8 {
		return 0, fmt.Errorf("reading the processors' time: /proc/stat begins with %q", line)
	}
	ticks := 0
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, _ := strconv.Atoi(fields[i])
		ticks += n
	}
	return time.Duration(ticks) * time.Second / ticksPerSecond, nil
}

// Use is a process's memory in MB.
type Use struct {
	RSS  float64 // resident, now
	Anon float64 // the part of it without a file behind it
	Peak float64 // the most that was resident
}

// Memory is what a process uses.
func Memory(pid int) (Use, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return Use{}, fmt.Errorf("reading the memory of process %d: %w", pid, err)
	}
	var u Use
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		kb, _ := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(value), " kB"), 64)
		switch name {
		case "VmRSS":
			u.RSS = kb / 1024
		case "RssAnon":
			u.Anon = kb / 1024
		case "VmHWM":
			u.Peak = kb / 1024
		}
	}
	return u, nil
}

// ticksPerSecond is Linux's USER_HZ, the unit of /proc/PID/stat.
const ticksPerSecond = 100

// CPU is the processor time that a process has used.
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, fmt.Errorf("reading the processor time of process %d: %w", pid, err)
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}
