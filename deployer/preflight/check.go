package preflight

import (
	"cmp"
	"reflect"
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// rules are all rules. Each returns its findings, without knowledge of the others'.
var rules = []func(Facts) []v1alpha1.Finding{
	// translate.go: whether the load balancer can use the Ingress at all
	backends, ports, groups,
	// backendconfig.go: how the load balancer treats the pods
	draining, drain, nodes,
	// healthcheck.go: which requests the load balancer sends to check the pods
	healthCheck,
	// alike.go: whether the load balancer treats both colours in the same way
	alike, protocolsAlike, balancedAlike, fieldsAlike,
	// gate.go: whether the gate checks what users use
	gatePort, gateScheme,
	// routes.go: who else uses or writes the routes
	hosts, class, users, standbyHost,
	owners,
	// gateway.go: whether Gateways carry out a switch and treat both colours alike
	refused, parents, classes, policies, otherRoutes,
	// pods.go: how pods end
	preStop, grace,
	// volumes.go: what pods keep, and whether both colours can have it
	claims, podStorage,
	// workers.go: whether the workers can be started and stopped, and get no users
	workers,
	// singletons.go: whether one pod at most of a singleton runs
	singletons,
	// singletons.go: whether CronJobs can get the image
	cronJobs,
	// migrates.go: whether pods change the schema when they start
	migrates,
	// beside.go: what belongs to a version and does not go with it
	configMaps, unlisted,
	// proof.go: whether the switch can be measured
	address,
}

// Check judges an application. Errors come first. The order has no other meaning, but is stable.
func Check(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, rule := range rules {
		all = append(all, rule(f)...)
	}
	slices.SortFunc(all, func(a, b v1alpha1.Finding) int {
		return cmp.Or(cmp.Compare(a.Severity, b.Severity), cmp.Compare(a.Object, b.Object), cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Message, b.Message))
	})
	return slices.CompactFunc(all, func(a, b v1alpha1.Finding) bool { return reflect.DeepEqual(a, b) })
}

// Errors returns the findings that keep releases from running.
func Errors(all []v1alpha1.Finding) []v1alpha1.Finding { return with(all, v1alpha1.SeverityError) }

// Warnings returns the other findings.
func Warnings(all []v1alpha1.Finding) []v1alpha1.Finding { return with(all, v1alpha1.SeverityWarning) }

func with(all []v1alpha1.Finding, s v1alpha1.Severity) []v1alpha1.Finding {
	var some []v1alpha1.Finding
	for _, f := range all {
		if f.Severity == s {
			some = append(some, f)
		}
	}
	return some
}
