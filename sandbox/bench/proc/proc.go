// Package proc reads from /proc what a process uses.
package proc

import (
	"bytes"
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
	ours, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return 0, fmt.Errorf("looking for process %d: %w", pid, err)
	}
	all, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return 0, fmt.Errorf("looking for process %d: %w", pid, err)
	}
	for _, dir := range all {
		if ns, err := os.Readlink(dir + "/ns/pid"); err != nil || ns != ours {
			continue
		}
		text, _ := os.ReadFile(dir + "/status") //nolint:gosec // G304: the kernel's
		for line := range strings.Lines(string(text)) {
			if fields := strings.Fields(line); fields[0] == "NSpid:" && fields[len(fields)-1] == strconv.Itoa(pid) {
				return strconv.Atoi(filepath.Base(dir))
			}
		}
	}
	return 0, fmt.Errorf("no process %d was found", pid)
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
