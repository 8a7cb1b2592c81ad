// Package gateway is a controller of Gateways and the load balancer that it programs,
// since GKE's are closed. It follows HTTPRoutes with a lag, has front ends that adopt a
// change one after the other, checks the health of endpoints, and reports in the status.
//
// # Tour
//
// [Run] starts everything. run.go follows the objects and carries out what was edited.
// translate.go makes of them, purely, what becomes of each request and what is to be
// reported; match.go finds the rule for a request; status.go writes the reports.
// health.go has the endpoints and asks them; frontend.go sends requests. definitions.go
// finds the Gateway API's definitions in its module and makes those of GKE's policies.
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
//	a prefix ends at an element of the path
//	  → httproute_types.go, PathMatchPathPrefix → TestPrefixMatchesWholeElements
//	the most specific host first
//	  → httproute_types.go, Hostnames → TestHosts
//	each backend gets its weight's part of their sum, one of weight 0 nothing, and 1 is the default
//	  → shared_types.go, BackendRef → TestWeights
//	a reference that is not valid answers 500 for its share, no rule 404, no endpoint 503
//	  → httproute_types.go, BackendRefs and Matches → TestAnswersOfItsOwn
//	headers of a request and of its answer are set, added and removed
//	  → httproute_types.go, HTTPHeaderFilter → TestHeaderFilters
//	the status of each parent, with the generation observed; other controllers' words stay
//	  → shared_types.go, RouteStatus → TestStatusOfParents
//
// # What is GKE's, and what is assumed
//
// With the controllerName of GKE's, a parent has the condition Reconciled besides
// (kubernetes-sigs/gateway-api-inference-extension#846); that it has an
// observedGeneration is assumed. A backend of weight 0 is not kept: whether GKE keeps it
// is not documented, and this is what hurts more. Without a HealthCheckPolicy / is asked.
// Delays are those of package gclb, where they have their sources.
//
// # What was left out
//
// References into other namespaces, and with them ReferenceGrants: they are refused.
// TLS, and other protocols than HTTP. Regular
// expressions, mirrors, rewrites, CORS, timeouts, retries and filters of backendRefs: a
// route with one of them is not accepted. Draining: what an endpoint is answering when it
// is detached goes on. All Gateways share one address, since the sandbox has one.
package gateway
