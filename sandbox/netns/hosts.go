package netns

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"syscall"
)

// hostsFile is what resolvers look names up in first.
const hostsFile = "/etc/hosts"

// mountHosts adds names to those that the machine's file has, for this mount
// namespace only.
func mountHosts(hosts map[string]string) error {
	if len(hosts) == 0 {
		return nil
	}
	machine, err := os.ReadFile(hostsFile)
	if err != nil {
		return fmt.Errorf("reading the machine's names: %w", err)
	}
	var text strings.Builder
	text.WriteString(strings.TrimSpace(string(machine)) + "\n")
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		text.WriteString(hosts[name] + " " + name + "\n")
	}
	file, err := os.CreateTemp("", "turnout-hosts-")
	if err != nil {
		return fmt.Errorf("writing the sandbox's names: %w", err)
	}
	defer os.Remove(file.Name()) // the mount holds it
	if _, err := file.WriteString(text.String()); err != nil {
		return fmt.Errorf("writing the sandbox's names: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the sandbox's names: %w", err)
	}
	if err := os.Chmod(file.Name(), 0o644); err != nil { //nolint:gosec // G302: whatever runs inside reads it
		return fmt.Errorf("writing the sandbox's names: %w", err)
	}
	// As root, without a user namespace, the mount would reach the machine's.
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("creating the mounts private: %w", err)
	}
	if err := syscall.Mount(file.Name(), hostsFile, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("mounting the sandbox's names over %s: %w", hostsFile, err)
	}
	return nil
}
