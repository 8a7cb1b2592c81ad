// Package gateway stands in for GKE's Gateway controller and its load balancer, which are
// closed. It applies HTTPRoutes with a lag, its front ends adopt a change one after the
// other, it checks the health of endpoints, and it reports in the status.
//
// # Tour
//
// [Run] starts everything; config.go has its settings. run.go watches the objects and
// applies each edit. translate.go turns the objects into routing entries and verdicts; it
// is pure. match.go finds the rule for a request; status.go writes the verdicts. health.go
// checks the endpoints; frontend.go forwards requests. definitions.go finds the Gateway
// API's CRDs in its module and creates those of GKE's policies.
//
// # What the Gateway API says
//
// Sources are in sigs.k8s.io/gateway-api v1.6.3, apis/v1.
//
//	behaviour → source → test
//
//	the exact path, the longest prefix, a method, the most headers, the most query parameters; then the
//	oldest route, its name, the order of rules
//	  → httproute_types.go, Matches → TestPrecedence
//	a prefix matches whole elements of the path
//	  → httproute_types.go, PathMatchPathPrefix → TestPrefixMatchesWholeElements
//	the most specific host first
//	  → httproute_types.go, Hostnames → TestHosts
//	each backend gets its weight's share of the sum; weight 0 gets nothing; the default is 1
//	  → shared_types.go, BackendRef → TestWeights
//	an invalid reference answers 500 for its share, no matching rule 404, no healthy endpoint 503
//	  → httproute_types.go, BackendRefs and Matches → TestAnswersOfItsOwn
//	filters set, add and remove headers of a request and of its answer
//	  → httproute_types.go, HTTPHeaderFilter → TestHeaderFilters
//	each parent has a status with the observed generation; other controllers' entries stay
//	  → shared_types.go, RouteStatus → TestStatusOfParents
//
// # What follows GKE, and what is assumed
//
// With GKE's controllerName, a parent also has the condition Reconciled
// (kubernetes-sigs/gateway-api-inference-extension#846); its observedGeneration is
// assumed. A backend of weight 0 is not kept: GKE does not document whether it keeps one,
// and this is the worse case. Without a HealthCheckPolicy, health checks ask for /. The
// default delays are those of package gclb, which names their sources.
//
// # What is left out
//
// References into other namespaces are refused; there are no ReferenceGrants. Also left
// out: TLS, and protocols other than HTTP. Regular
// expressions, mirrors, rewrites, CORS, timeouts, retries and filters of backendRefs: a
// route with one of them is not accepted. There is no draining: a detached endpoint
// finishes the requests that it has. All Gateways share the sandbox's one address.
package gateway
