package turnout

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	auditv1 "k8s.io/apiserver/pkg/apis/audit/v1"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/sandbox/world"
)

// allowed is the event of a request that a role of config/rbac allowed.
func allowed(role, verb, group, resource, subresource, name string) auditv1.Event {
	return auditv1.Event{
		Verb:      verb,
		ObjectRef: &auditv1.ObjectReference{APIGroup: group, Resource: resource, Subresource: subresource, Name: name},
		Annotations: map[string]string{
			"authorization.k8s.io/decision": "allow",
			"authorization.k8s.io/reason":   `RBAC: allowed by a binding of ` + role + ` to User "turnout"`,
		},
	}
}

const clusterRole, ownRole = `ClusterRole "turnout"`, `Role "turnout-own"`

// project has a config/ with two roles.
func projectWithRoles(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "config", "rbac"), 0o700); err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string]string{
		"role.yaml": `{metadata: {name: turnout}, rules: [
			{apiGroups: [""], resources: [pods, pods/log], verbs: [get]},
			{apiGroups: [apps], resources: [deployments], verbs: [get, patch]},
			{apiGroups: [cloud.google.com], resources: [backendconfigs], verbs: [get]},
		]}`,
		"own.yaml": `{metadata: {name: turnout-own}, rules: [
			{apiGroups: [coordination.k8s.io], resources: [leases], resourceNames: [turnout], verbs: [get, update]},
		]}`,
	} {
		if err := os.WriteFile(filepath.Join(dir, "config", "rbac", file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// stopped is a stopped world whose audit log has these requests.
func stopped(t *testing.T, events ...auditv1.Event) *world.World {
	t.Helper()
	w := &world.World{ControlPlane: &controlplane.ControlPlane{Dir: t.TempDir()}}
	var log strings.Builder
	for i := range events {
		line, err := json.Marshal(&events[i])
		if err != nil {
			t.Fatal(err)
		}
		log.Write(append(line, '\n'))
	}
	if err := os.MkdirAll(filepath.Dir(w.ControlPlane.AuditLog()), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(w.ControlPlane.AuditLog(), []byte(log.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestRightsAreThoseThatAreUsed(t *testing.T) {
	t.Parallel()
	needed := []auditv1.Event{
		allowed(clusterRole, "get", "", "pods", "", "a"),
		allowed(clusterRole, "get", "", "pods", "log", "a"),
		allowed(clusterRole, "get", "apps", "deployments", "", "a"),
		allowed(clusterRole, "patch", "apps", "deployments", "", "a"),
		allowed(ownRole, "get", "coordination.k8s.io", "leases", "", "turnout"),
		allowed(ownRole, "update", "coordination.k8s.io", "leases", "", "turnout"),
		allowed(`ClusterRole "system:discovery"`, "get", "", "", "", ""),
	}
	const tooMuch = ": nothing used it; take it out of config/rbac, or say what for"
	const backendConfigs = `ClusterRole "turnout": get backendconfigs.cloud.google.com`
	seldom := map[string]string{backendConfigs: "Google's clusters only"}
	forbidden := auditv1.Event{Verb: "list", RequestURI: "/api/v1/secrets", Annotations: map[string]string{
		"authorization.k8s.io/decision": "forbid", "authorization.k8s.io/reason": "no rule",
	}}
	for name, tt := range map[string]struct {
		events []auditv1.Event
		seldom map[string]string
		want   []string
	}{
		"all": {needed, seldom, []string{}},
		"refused": {
			append(slices.Clip(needed), forbidden, forbidden), seldom,
			[]string{"turnout was refused what it asked for: list /api/v1/secrets"},
		},
		"unused verb":        {append(needed[:3:3], needed[4:]...), seldom, []string{`ClusterRole "turnout": patch deployments.apps` + tooMuch}},
		"unused resource":    {needed, nil, []string{backendConfigs + tooMuch}},
		"unused subresource": {append(needed[:1:1], needed[2:]...), seldom, []string{`ClusterRole "turnout": get pods/log` + tooMuch}},
		"seldom, and used all the same": {
			append(slices.Clip(needed), allowed(clusterRole, "get", "cloud.google.com", "backendconfigs", "", "a")), seldom,
			[]string{backendConfigs + ": was used; take it off the list of what is seldom used"},
		},
		"seldom, and not there": {
			needed,
			map[string]string{backendConfigs: "Google's clusters only", `Role "turnout-own": get secrets`: "none"},
			[]string{`Role "turnout-own": get secrets: is said to be seldom used, and no role has it`},
		},
		"allowed by the other role": {
			append(needed[:len(needed)-2:len(needed)-2], allowed(clusterRole, "update", "coordination.k8s.io", "leases", "", "turnout")), seldom,
			[]string{`Role "turnout-own": update leases.coordination.k8s.io turnout` + tooMuch},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			audited, err := ReadAudit(stopped(t, tt.events...), projectWithRoles(t))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.want, audited.Complaints(tt.seldom, nil)); diff != "" {
				t.Errorf("complaints (-want +got)\n%s", diff)
			}
		})
	}
}

// A right that is used by chance is no fault, used or not; one that no role has is.
func TestRightsByChanceMayBeUsedOrNot(t *testing.T) {
	t.Parallel()
	used := allowed(clusterRole, "get", "cloud.google.com", "backendconfigs", "", "a")
	const right = `ClusterRole "turnout": get backendconfigs.cloud.google.com`
	for _, events := range [][]auditv1.Event{nil, {used}} {
		audited, err := ReadAudit(stopped(t, events...), projectWithRoles(t))
		if err != nil {
			t.Fatal(err)
		}
		got := audited.Complaints(nil, map[string]string{right: "a chance", "none": "a chance"})
		if !slices.Contains(got, "none: is said to be seldom used, and no role has it") ||
			slices.ContainsFunc(got, func(c string) bool { return strings.HasPrefix(c, right) }) {
			t.Errorf("with %d events: complaints are %q", len(events), got)
		}
	}
}

func TestAuditLogThatLostItsBeginningShowsNothing(t *testing.T) {
	t.Parallel()
	w := stopped(t)
	earlier := strings.TrimSuffix(w.ControlPlane.AuditLog(), ".log") + "-2026-01-01T00-00-00.000.log"
	if err := os.WriteFile(earlier, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadAudit(w, projectWithRoles(t)); err == nil || !strings.Contains(err.Error(), earlier) {
		t.Errorf("got %v, want an error that names %s", err, earlier)
	}
}
