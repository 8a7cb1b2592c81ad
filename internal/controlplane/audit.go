package controlplane

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
)

// auditMegabytes bounds the audit log. Later requests go into a new file, so readers of
// [ControlPlane.AuditLog] also need the earlier files.
const auditMegabytes = 200

// AuditLog is the file with the requests of Options.Audit's users, one audit.k8s.io/v1
// Event per line. It is complete once the control plane has stopped.
func (cp *ControlPlane) AuditLog() string { return filepath.Join(cp.Dir, "logs", "audit.log") }

// auditArgs make the API server record who asked for what, and its decision, but no
// contents. Without users there are no arguments.
func (l *layout) auditArgs(users []string) ([]string, error) {
	if len(users) == 0 {
		return nil, nil
	}
	policy, err := json.Marshal(map[string]any{
		"apiVersion": "audit.k8s.io/v1", "kind": "Policy",
		"omitStages": []string{"RequestReceived"}, // nothing is decided at that stage
		"rules":      []any{map[string]any{"level": "Metadata", "users": users}, map[string]any{"level": "None"}},
	})
	if err != nil {
		return nil, fmt.Errorf("encoding the audit policy: %w", err)
	}
	file := filepath.Join(l.certs, "audit-policy.json")
	if err := os.WriteFile(file, policy, 0o600); err != nil {
		return nil, fmt.Errorf("writing the audit policy: %w", err)
	}
	return []string{
		"--audit-policy-file=" + file,
		"--audit-log-path=" + filepath.Join(l.logs, "audit.log"),
		"--audit-log-maxsize=" + strconv.Itoa(auditMegabytes),
		"--audit-log-maxbackup=1",
	}, nil
}
