package scenario

import (
	"flag"
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// Why rights are needed that the audit log does not show.
const (
	streamed = "caches list, and then watch, where the API server does not stream lists (before Kubernetes 1.34, or if it refuses)"
	series   = "an event that comes again is counted in the one that is there"
)

// seldom are the rights that no scenario uses, and why Turnout has them. One that a
// scenario uses after all goes from here.
var seldom = map[string]string{
	`ClusterRole "turnout": list pods`:                                 streamed,
	`ClusterRole "turnout": list services`:                             streamed,
	`ClusterRole "turnout": list namespaces`:                           streamed,
	`ClusterRole "turnout": list deployments.apps`:                     streamed,
	`ClusterRole "turnout": list replicasets.apps`:                     streamed,
	`ClusterRole "turnout": list bluegreens.turnout.dev`:               streamed,
	`ClusterRole "turnout": list endpointslices.discovery.k8s.io`:      streamed,
	`ClusterRole "turnout": list horizontalpodautoscalers.autoscaling`: streamed,

	`ClusterRole "turnout": patch events.events.k8s.io`: series,
	`Role "turnout-own": patch events`:                  series,

	`ClusterRole "turnout": create pods/exec`:                         "asked for within a get that becomes a WebSocket, and by a POST",
	`ClusterRole "turnout": update bluegreens.turnout.dev/finalizers`: "asked for where OwnerReferencesPermissionEnforcement is on",
	`ClusterRole "turnout": attest releases.turnout.dev`:              "no request: the admission policy of config/policy asks for it",
	`ClusterRole "turnout": delete releases.turnout.dev`:              "releases beyond spec.historyLimit are deleted, after 8 days",
	`Role "turnout-own": update configmaps`:                           "a second repository of a namespace, or a new number of one",
	`Role "turnout-own": delete deliveries.turnout.dev`:               "deliveries that were handled are deleted, after 8 days",
}

// rightsFit judges, by the audit log of the world that has stopped, whether
// config/rbac is what turnout needs: nothing was refused, and nothing is too much. A
// part of the tests, and tests that failed, show the former only.
func rightsFit(status int) (int, error) {
	audited, err := turnout.ReadAudit(running.World, project)
	if err != nil {
		return 1, err
	}
	wrong := audited.Complaints(seldom)
	if status != 0 || flag.Lookup("test.run").Value.String() != "" || flag.Lookup("test.skip").Value.String() != "" {
		wrong = audited.Refused
	}
	if len(wrong) > 0 {
		return 1, fmt.Errorf("turnout's rights in config/rbac are not what it needs:\n%s", strings.Join(wrong, "\n"))
	}
	return status, nil
}
