// Package preflight checks the objects that a switch relies on before anything is built, and
// reports what is wrong with them or could be better.
//
// [Collector] reads and [Check] judges, by a list of rules. Each rule is a pure function of
// [Facts]; each file holds one group of rules. A finding names object and field, and its message
// ends with the way out. [Check] returns findings in a stable order.
//
// # Decisions
//
// A finding is an error only if a switch cannot work: then no release runs, and none is built.
// Whatever makes a switch less certain, or costs requests needlessly, is a warning, which each
// release shows once. If warnings were errors, a missing preStop would keep a person from
// shipping a fix.
//
// A backend that Google's controller cannot translate is an error, whoever owns it: one unusable
// backend keeps the controller from applying any change of the Ingress, and it stops updating the
// endpoints of a Service that the Ingress no longer names. A patch would be accepted and have no
// effect.
//
// Another Ingress that sends users to the idle colour is an error: staging would give them a
// version that has not passed a gate. One that sends users to the live colour is a warning: the
// switch still moves the users of the application's own Ingress. The others stay with a colour
// that is never scaled down while they are there.
//
// This package does not check whether objects exist at all (Deployments, the colours' own
// Services, the Ingress, the grant): observing the application shows that, and package deployer
// reports it in the condition.
//
// The package writes nothing, and does not judge what it has not read: a rule without its facts
// finds nothing.
package preflight
