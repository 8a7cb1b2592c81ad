// Package gclb is a model of Google's external load balancer and of the two
// controllers that program it from Kubernetes, ingress-gce's Ingress controller
// and NEG controller: what they do, in which order, and what they do not wait
// for. Requests that would fail there fail here.
//
// # Tour
//
// [Run] starts everything. translate.go and urlmap.go turn an Ingress into a URL
// map, healthcheck.go makes health checks and judges answers, endpoints.go says
// what a NEG should have: pure functions. ingress.go is the Ingress controller,
// neg.go and syncer.go the NEG controller, readiness.go its readiness reflector;
// they share nothing but the compute API in memory (compute.go, compute_neg.go) and
// the cluster.
// checker.go asks the endpoints for their health, frontend.go are the front ends.
// webhook.go is what GKE adds to new pods and Services. config.go has the delays.
//
// # What is modelled
//
// Paths are those of github.com/kubernetes/ingress-gce at acbcf5d; "observed" is
// what its unmodified controllers did against a real API server, with the compute
// API in memory. The tests named TestObserved… repeat that.
//
//	behaviour → source → test
//
//	naive patch to a colour never referred to: backend service without NEG, sync fails (404,
//	Warning Sync), empty NEG, URL map to 0/0, old backend service deleted, attached, healthy;
//	the old NEG deleted by the next collection
//	  → observed; pkg/sync/sync.go:49-66, pkg/controller/controller.go:735-760
//	  → TestObservedNaivePatchToAColourThatWasNeverReferredTo
//	the way back is the same again
//	  → observed
//	  → TestRollbackAfterANaivePatchIsCold
//	swap of two colours both referred to: the URL map and nothing else; an unresolvable host is
//	accepted
//	  → observed
//	  → TestObservedSwapOfTwoColoursThatAreBothReferredTo
//	Service selector flipped: the NEG empty, then unhealthy
//	  → observed; ingress-gce#638
//	  → TestObservedSelectorFlipEmptiesTheNEG
//	backends annotation refreshed by syncs only, and any change of metadata is one
//	  → observed; pkg/controller/controller.go:193-219, pkg/loadbalancers/l7.go:456-482
//	  → TestObservedBackendsAnnotationIsAsOldAsTheLastSync
//	its states: HEALTHY with one endpoint, Unknown with none
//	  → pkg/backends/backends.go:171-213; ingress-gce#35
//	  → TestStatusIsUnknownWithoutEndpointsAndHealthyWithOne
//	reference to a missing Service: Warning Translate, URL map untouched, the old colour's
//	endpoints frozen, its NEG collected
//	  → observed
//	  → TestObservedReferenceToAMissingServiceFreezesBlue
//	one bad backend is fatal for the whole Ingress
//	  → pkg/controller/translator/translator.go:109-158,273-300
//	  → TestOneBadBackendIsFatalForTheWholeIngress
//	    TestWithoutTheAnnotationAServiceCannotBeABackend
//	a NEG, backend service or health check in use is not deleted
//	  → compute/v1 networkEndpointGroups.delete; pkg/backends/backends.go:157-163
//	  → TestNEGInUseOutlivesTheMistake
//	    TestWhatIsInUseIsNotDeleted
//	readiness gate: reasons and messages
//	  → observed; pkg/neg/readiness/reflector.go:42-57,188-255
//	  → TestObservedReadinessGate
//	    TestReadinessConditionIsTrueForFourReasonsAndOneOfThemIsHealth
//	gate True because nothing referred to the Service yet
//	  → there
//	  → TestTrapPodMadeBeforeItsServiceWasReferredToIsReadyAtOnce
//	gate True because no endpoint of the NEG had a health status yet
//	  → pkg/neg/readiness/poller.go; ingress-gce#1718
//	  → TestTrapFirstPodOfANEGIsReadyBeforeAnybodyAskedIt
//	    TestPollMarksAllPodsOfANEGWithoutAnyHealth
//	gate True because of the pod's age
//	  → pkg/neg/readiness/reflector.go:53-57
//	  → TestTrapPodIsLetThroughAfterItsTimeout
//	gate never looked at again
//	  → pkg/neg/readiness/utils.go:152-160
//	  → TestTrapConditionIsNeverLookedAtAgain
//	readiness probe copied into the health check once; BackendConfig always wins
//	  → observed; pkg/healthchecks/healthchecks.go:157-174,278-291; ingress-gce#39
//	  → TestObservedHealthCheckPathIsCopiedOnce
//	    TestHealthCheckIsMadeOfTheProbeOnceAndOfTheBackendConfigAlways
//	which pod's probe
//	  → pkg/controller/translator/translator.go:466-553
//	  → TestProbeIsThatOfTheOldestPodThatServesThePort
//	interval, thresholds; an endpoint begins unhealthy
//	  → pkg/translator/healthchecks.go:45-61
//	  → TestEndpointBecomesHealthyAfterTheStartAndUnhealthyAfterTwoIntervals
//	    TestStateChangesAfterSoManyAnswersInARow
//	    TestEndpointAttachedAgainAndBackendMadeAgainBeginUnhealthy
//	neg-status before the NEGs; svcneg objects
//	  → pkg/neg/controller.go:721-724,1023-1039, pkg/apis/svcneg/v1beta1/types.go:43-139
//	  → TestNEGStatusNamesTheNEGs
//	NEGs only for ports that are referred to, or exposed
//	  → pkg/neg/controller.go:792-799
//	  → TestOnlyReferredAndExposedPortsNeedNEGs
//	a missing NEG fails the sync; with MultiSubnet it may not
//	  → pkg/backends/neg_linker.go:143-187,329-350
//	  → TestNEGsAreLinkedOnlyWhereTheyExist
//	a syncer stops when nothing refers to its Service; operations under way go on; attach and
//	detach in any order
//	  → pkg/neg/syncers/syncer.go:142-151, transaction.go
//	  → TestStoppedSyncerLeavesTheNEGAsItIs
//	    TestDiffLeavesAloneWhatIsUnderway
//	retries of a NEG's sync after 5 s, doubled
//	  → pkg/neg/syncers/utils.go:49-51
//	  → TestSyncerMakesAMissingNEGAgainAfterItsBackoff
//	NEGs have pods that are not ready, none that terminates
//	  → pkg/neg/types/types.go:379-393
//	  → TestNEGsHavePodsThatAreNotReadyButNoneThatTerminates
//	25 events an object and type, then one in 5 minutes: pokes hide a switch
//	  → client-go tools/record/events_cache.go
//	  → TestTrapPokesUseUpTheEventsOfASwitch
//	every front end adopts a URL map at a moment of its own
//	  → gke-networking-recipes ("several minutes"); kubernetes/kubernetes#44132
//	  → TestFrontEndsAdoptAURLMapOneAfterTheOther
//	    TestLaggingFrontEndStillSendsToADeletedBackendService
//	    TestOldColourIsNeededUntilTheLastFrontEndAdoptedTheSwitch
//	    TestFrontEndNeverGoesBackToAnOlderConfiguration
//	draining on detach only, none when unset; a switch breaks nothing off
//	  → cloud.google.com/load-balancing/docs/enabling-connection-draining;
//	    pkg/backends/features/draining.go:31-43
//	  → TestDetachBreaksOffRequestsUnlessDrainingIsSet
//	    TestSpeedLeavesApplicationsTheirTime
//	    TestSwitchOfTheURLMapDrainsNothingAndBreaksNothingOff
//	a pod is detached while it ends, not before
//	  → cloud.google.com/knowledge/kb/502-503-errors-on-external-http-s-load-balancer-000006416
//	  → TestScaleDownLosesRequestsUnlessPodsOutliveTheDetach
//	connections kept, to endpoints and by clients
//	  → cloud.google.com/load-balancing/docs/https, timeouts and retries
//	  → TestConnectionsToEndpointsAreUsedAgain
//	    TestConnectionOfAClientStaysWithItsFrontEnd
//	502, 503 and 404
//	  → named at each in frontend.go
//	  → TestLoadBalancersOwnAnswers
//	hosts and paths
//	  → pkg/utils/gceurlmap.go:97-128, pkg/controller/translator/translator.go
//	  → TestTranslationFollowsTheURLMapsRules
//	    TestRequestsAreRoutedByHostThenByTheLongestPath
//	    TestSharedAddressIsDividedByHostAndTheOldestOpenIngressGetsTheRest
//	which Ingresses; address, deletion, names
//	  → pkg/utils/utils.go, pkg/controller/controller.go:505-522, pkg/utils/namer
//	  → TestOnlyTheClassAnnotationMakesAnIngressOurs
//	    TestIngressHasAnAddressAndTakesEverythingAlongWhenItIsDeleted
//	    TestNamesAreShortAndTellServicesApart
//	NEG annotation of new Services, gate of new pods
//	  → GKE's webhooks neg-annotation and pod-ready.config.common-webhooks.networking.gke.io
//	  → TestWebhooksChangeOnlyWhatLacksSomething
//
// # Rights
//
// Run needs those of ingress-gce and of GKE's control plane: to read Ingresses,
// Services, pods, nodes and EndpointSlices, to patch Ingresses, Services and the
// statuses of Ingresses and pods, to write events, svcneg objects, custom resource
// definitions and webhook configurations. The sandbox gives it an administrator's.
//
// # Decisions
//
// Where sources leave something open, the model does what hurts more: it does not
// retry a request on another endpoint, and health checks of a new endpoint begin
// only after a delay. Where a source contradicts an observation, both can be had:
// see [Config].DeleteUsedNEGs. The observed compute API let a health check be
// deleted under its backend service; the real one does not, nor does this.
//
// Configurations (URL maps and backend services) reach a front end late;
// endpoints and their health reach all at once. What is known of real front ends
// is that they lag, not how much of it for what.
//
// All Ingresses share one address, since the sandbox has one; on Google each has
// its own. Hosts tell them apart; the oldest that takes any host gets the rest.
//
// An Ingress gets no finalizer, and a deleted one is cleaned up after: else a
// sandbox without this load balancer could not delete its namespaces. HTTPS,
// instance groups, internal and regional load balancers, FrontendConfig, Cloud
// Armor, CDN, IAP and affinity are not modelled; a Service without NEGs cannot be
// a backend. A GKE cluster's default backend, which answers 404, is built in.
//
// Delays are divided by one factor, so that what takes longer than what else
// stays the same; tests without a cluster run in a bubble of testing/synctest.
package gclb
