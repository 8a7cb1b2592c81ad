package scenario

import (
	"flag"
	"fmt"
	"strings"
	"sync/atomic"

	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// Why Turnout needs rights that the audit log does not show.
const (
	streamed = "caches list before they watch where the API server does not stream lists (before Kubernetes 1.34, or if it refuses)"
	kedaOnly = "for workers that KEDA scales, where the cluster has it"
	series   = "a repeated event raises the count of the existing one"
)

// byChance are the rights that scenarios use or not, as the machine's timing has it.
var byChance = map[string]string{
	`ClusterRole "turnout": patch events.events.k8s.io`: series,
	`Role "turnout-own": patch events`:                  series,
}

// seldom are the rights that no scenario uses, and why Turnout needs them. Remove a right
// from here when a scenario uses it.
var seldom = map[string]string{
	`ClusterRole "turnout": list namespaces`:                           streamed,
	`ClusterRole "turnout": list replicasets.apps`:                     streamed,
	`ClusterRole "turnout": list bluegreens.turnout.dev`:               streamed,
	`ClusterRole "turnout": list endpointslices.discovery.k8s.io`:      streamed,
	`ClusterRole "turnout": list horizontalpodautoscalers.autoscaling`: streamed,

	`ClusterRole "turnout": create pods/exec`:                         "exec upgrades a get to a WebSocket, or falls back to a POST",
	`ClusterRole "turnout": get persistentvolumeclaims`:               "for a pod template that mounts one",
	`ClusterRole "turnout": update bluegreens.turnout.dev/finalizers`: "needed with the admission plugin OwnerReferencesPermissionEnforcement",
	`ClusterRole "turnout": get scaledobjects.keda.sh`:                kedaOnly,
	`ClusterRole "turnout": list scaledobjects.keda.sh`:               kedaOnly,
	`ClusterRole "turnout": patch scaledobjects.keda.sh`:              kedaOnly,
	`ClusterRole "turnout": attest releases.turnout.dev`:              "no request needs it; the admission policy of config/policy checks it",
	`ClusterRole "turnout": delete jobs.batch`:                        "the Job of a migration goes with its release",
	`ClusterRole "turnout": delete releases.turnout.dev`:              "releases beyond spec.historyLimit are deleted after 8 days",
	`Role "turnout-own": get secrets turnout-github`:                  "the setup page reads its token while there is no GitHub App",
	`Role "turnout-own": patch secrets turnout-github`:                "the setup page stores the GitHub App",
	`Role "turnout-own": get configmaps`:                              "the cluster role has it, too; namespaced, this one alone",
	`Role "turnout-own": update configmaps`:                           "for a namespace's second repository, or a repository's new number",
	`Role "turnout-own": delete deliveries.turnout.dev`:               "handled deliveries are deleted after 8 days",
}

// skipped: a scenario that alone uses some rights did not run, for lack of a system's package.
var skipped atomic.Bool

// rightsFit reads the audit log of the stopped world. No request may have been refused,
// and no right in config/rbac may be unused. Unused rights count only after a whole,
// successful run.
func rightsFit(status int) (int, error) {
	audited, err := turnout.ReadAudit(running.World, project)
	if err != nil {
		return 1, err
	}
	wrong := audited.Complaints(seldom, byChance)
	if status != 0 || skipped.Load() || flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" {
		wrong = audited.Refused
	}
	if len(wrong) > 0 {
		return 1, fmt.Errorf("turnout's rights in config/rbac are not what it needs:\n%s", strings.Join(wrong, "\n"))
	}
	return status, nil
}
