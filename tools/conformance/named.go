package conformance

// named are the tests of the suite that the stand-in passes.
var named = []string{ //nolint:gochecknoglobals // a constant list
	"HTTPRouteCrossNamespace",
	"HTTPRouteExactPathMatching",
	"HTTPRouteHeaderMatching",
	"HTTPRouteHostnameIntersection",
	"HTTPRouteInvalidBackendRefUnknownKind",
	"HTTPRouteInvalidCrossNamespaceBackendRef",
	"HTTPRouteInvalidCrossNamespaceParentRef",
	"HTTPRouteInvalidNonExistentBackendRef",
	"HTTPRouteInvalidParentRefNotMatchingListenerPort",
	"HTTPRouteInvalidParentRefNotMatchingSectionName",
	"HTTPRouteInvalidParentRefSectionNameNotMatchingPort",
	"HTTPRouteInvalidReferenceGrant",
	"HTTPRouteListenerHostnameMatching",
	"HTTPRouteMatching",
	"HTTPRouteMatchingAcrossRoutes",
	"HTTPRouteMethodMatching",
	"HTTPRouteNamedRule",
	"HTTPRouteNoBackendRefs",
	"HTTPRouteObservedGenerationBump",
	"HTTPRoutePathMatchOrder",
	"HTTPRouteQueryParamMatching",
	"HTTPRouteRedirectHostAndStatus",
	"HTTPRoute303Redirect",
	"HTTPRoute307Redirect",
	"HTTPRoute308Redirect",
	"HTTPRouteRequestHeaderModifier",
	"HTTPRouteResponseHeaderModifier",
	"HTTPRouteServiceTypes",
	"HTTPRouteSimpleSameNamespace",
	"HTTPRouteWeight",
}

// leftOut are the other tests of HTTPRoutes, and why the stand-in does not pass them. Tests
// of other kinds (Gateways' listeners, GRPCRoutes, TLSRoutes, TCPRoutes, UDPRoutes,
// ListenerSets, BackendTLSPolicies, meshes) are left out as a whole: Turnout does not write
// such objects, and the sandbox has none.
var leftOut = map[string]string{ //nolint:gochecknoglobals // a constant table
	"HTTPRouteBackendProtocolH2C":                       noProtocols,
	"HTTPRouteBackendProtocolWebSocket":                 noProtocols,
	"HTTPRouteDisallowedKind":                           noProtocols,
	"HTTPRouteHTTPSListener":                            noTLS,
	"HTTPRouteHTTPSListenerDetectMisdirectedRequests":   noTLS,
	"HTTPRouteListenerPortMatching":                     oneAddress,
	"HTTPRouteRedirectPortAndScheme":                    oneAddress,
	"HTTPRouteRedirectPath":                             noFilter,
	"HTTPRouteRedirectPort":                             noFilter,
	"HTTPRouteRedirectScheme":                           noFilter,
	"HTTPRouteRewriteHost":                              noFilter,
	"HTTPRouteRewritePath":                              noFilter,
	"HTTPRouteCORS":                                     noFilter,
	"HTTPRouteRequestMirror":                            noFilter,
	"HTTPRouteRequestMultipleMirrors":                   noFilter,
	"HTTPRouteRequestPercentageMirror":                  noFilter,
	"HTTPRouteBackendRequestHeaderModifier":             noFilter,
	"HTTPRouteRequestHeaderModifierBackendWeights":      noFilter,
	"HTTPRouteRetry":                                    noTimes,
	"HTTPRouteTimeoutBackendRequest":                    noTimes,
	"HTTPRouteTimeoutRequest":                           noTimes,
	"HTTPRouteMultipleGateways":                         oneAddress,
	"HTTPRoutePartiallyInvalidViaInvalidReferenceGrant": noGrants,
	"HTTPRouteReferenceGrant":                           noGrants,
}

const (
	noProtocols = "the stand-in speaks HTTP/1.1, and follows HTTPRoutes alone"
	noTLS       = "the stand-in has no TLS: what Turnout does is the same with it"
	oneAddress  = "all Gateways share one address and port, since the sandbox has one"
	noFilter    = "the stand-in accepts no route with this filter: Turnout copies filters as they are, or refuses them"
	noTimes     = "the stand-in accepts no route with timeouts or retries: they are nothing to Turnout"
	noGrants    = "references into other namespaces are refused: Turnout's Services are the route's own"
)
