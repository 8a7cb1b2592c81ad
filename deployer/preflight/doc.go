// Package preflight looks, before anything is built, at the objects that a switch
// rests on, and says what is wrong with them or could be better.
//
// [Collector] reads, [Check] judges: a list of rules, each a pure function of
// [Facts], and a file for each group of them. A finding names object and field, and
// its message ends with the way out. [Check] returns them in a stable order.
//
// # Decisions
//
// An error only where a switch cannot work: then no release runs, and none is
// built. What makes a switch less certain, or costs requests that it need not, is a
// warning, which each release carries along once. The other way round, a person
// would be kept from shipping a cure by a missing preStop.
//
// Whatever Google's controller cannot translate is an error, whoever's backend it
// is: it takes up no change of an Ingress with one backend that it cannot use, and
// it leaves the endpoints alone of what the Ingress no longer names. A patch would
// be accepted and come to nothing.
//
// Another Ingress that sends users to the colour that is not live is an error:
// staging would give them a version that has not passed its gate. One that sends
// users to the live colour is a warning: the switch moves the users of the
// application's own Ingress all the same, and the others stay with a colour that is
// never shrunk while they are there.
//
// What exists at all (Deployments, the colours' own Services, the Ingress, the
// grant) is not this package's: it is known from the look at the application, and
// package deployer says it in the condition.
//
// Nothing is written, and what was not read is not judged: a rule that lacks its
// facts finds nothing.
package preflight
