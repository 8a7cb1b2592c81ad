// Package gclb runs Google's own controllers for Ingresses and network endpoint groups, the
// unchanged program of ingress-gce, and implements what they program: the Compute API with its
// resources in memory, and the load balancer behind it, whose code Google does not publish.
// Requests that would fail there fail here.
//
// # Tour
//
// [Run] starts everything. controllers.go starts bin/ingress-gce, which make builds from
// k8s.io/ingress-gce v1.37.0 (tools/ingress-gce), with the flags below and a gce.conf that points
// to our Compute API, and crds.go creates their CRDs in advance. api.go answers their
// calls, resource.go and verbs.go keep the resources, compute.go keeps their references, and
// view.go derives the configuration of front ends; urlmap.go reads its URL maps. checker.go
// checks the endpoints' health (healthcheck.go judges it), frontend.go has the front ends, and
// adoption.go shows which configuration they use. webhook.go adds what GKE adds to new pods and
// Services. config.go has the delays.
//
// The two processes share only the Compute API: the controllers' client library speaks to it over
// HTTP, in its three versions, as on Google Cloud.
//
// # What is Google's, and what is ours
//
// Everything that the controllers do is Google's code: what they create, in which order, what they
// do not wait for, what they write to objects, when they retry. So the tests record observations,
// and nothing here decides them. The following was first observed on another version, acbcf5d of
// 2026-08, and is the same on this one.
//
//	behaviour → test
//
//	naive patch to a colour never referenced: backend service without NEG, URL map to it with
//	none healthy, old backend service deleted, healthy; the old NEG deleted by garbage collection
//	  → TestObservedNaivePatchToAColourThatWasNeverReferredTo
//	with --enable-multi-subnet-cluster-phase1 users are sent to a backend service before its NEG is
//	there; a swap of two referenced colours is the same as without
//	  → TestMultiSubnetFlagSendsUsersAheadOfTheNEGUnlessItIsThere
//	the way back is the same again
//	  → TestRollbackAfterANaivePatchIsCold
//	swap of two referenced colours: the URL map and nothing else; an unresolvable host is
//	accepted
//	  → TestObservedSwapOfTwoColoursThatAreBothReferredTo
//	Service selector flipped: all endpoints replaced, none healthy
//	  → TestObservedSelectorFlipEmptiesTheNEG
//	backends annotation refreshed by syncs only, and any change of metadata is one; HEALTHY with
//	one endpoint, Unknown with none
//	  → TestObservedBackendsAnnotationIsAsOldAsTheLastSync
//	reference to a missing Service: Warning Translate, URL map untouched, the old colour's
//	endpoints frozen; its NEG, in use, outlives the garbage collection
//	  → TestObservedReferenceToAMissingServiceFreezesBlue
//	one bad backend is fatal for the whole Ingress
//	  → TestOneBadBackendIsFatalForTheWholeIngress
//	    TestWithoutNEGsAServiceCannotBeABackend
//	a failed update is retried, and at once after an edit
//	  → TestUpdatesThatFailAreTriedAgainAndAtOnceAfterAnEdit
//	readiness gate: reasons and messages
//	  → TestObservedReadinessGate
//	gate True because nothing referenced the Service yet
//	  → TestTrapPodMadeBeforeItsServiceWasReferredToIsReadyAtOnce
//	gate True because no endpoint of the NEG had a health status yet (ingress-gce#1718)
//	  → TestTrapFirstPodOfANEGIsReadyBeforeAnybodyAskedIt
//	a gate that is True is never checked again
//	  → TestTrapConditionIsNeverLookedAtAgain
//	readiness probe copied into the health check once; BackendConfig always wins (ingress-gce#39)
//	  → TestObservedHealthCheckPathIsCopiedOnce
//	    TestHealthCheckIsMadeOfTheProbeAndOfTheBackendConfigAlways
//	neg-status, svcneg objects, names
//	  → TestNEGStatusNamesTheNEGs
//	25 events an object and type, then one in 5 minutes: pokes hide a switch
//	  → TestTrapPokesUseUpTheEventsOfASwitch
//	two zones: a NEG in each, and a swap loses nothing
//	  → windows.TestTwoZones
//	a URL map that cannot be changed for 2 minutes keeps the old colour; retried late, and at once
//	after an edit (make test-long)
//	  → windows.TestOutage
//	gate True at the first change of a pod, or resync, 10 minutes after it was made, healthy or not,
//	which Turnout does not treat as warm (make test-long)
//	  → windows.TestLetThroughUnhealthy
//	address, deletion
//	  → TestIngressHasAnAddressAndTakesEverythingAlongWhenItIsDeleted
//	HTTPS, and a FrontendConfig that redirects to it
//	  → TestIngressWithACertificateHasBothProxiesAndRedirectsIfAsked
//	class gce-internal: everything regional
//	  → TestInternalIngressIsRegional
//	class gce-regional-external: backend services named otherwise than their NEGs
//	  → TestBackendsOfARegionalExternalIngressHaveOtherNamesThanTheirNEGs
//
// Ours are the Compute API's manners, the health checks and the front ends.
//
//	behaviour → source → test
//
//	resources replaced, merged, guarded by fingerprints; errors
//	  → compute/v1, reference
//	  → TestResourcesAreReplacedMergedAndGuardedByTheirFingerprint
//	    TestRefusedCallsAnswer503
//	a resource in use is not deleted, and a missing one not used
//	  → compute/v1, resourceInUseByAnotherResource; pkg/utils/utils.go, IsInUsedByError
//	  → TestWhatIsInUseIsNotDeleted
//	health is listed after a delay, by each backend service
//	  → pkg/neg/readiness/poller.go; ingress-gce#1718
//	  → TestHealthIsListedAfterItsDelay
//	interval, thresholds; an endpoint begins unhealthy
//	  → pkg/translator/healthchecks.go:45-61
//	  → TestEndpointBecomesHealthyAfterTheStartAndUnhealthyAfterTwoIntervals
//	    TestStateChangesAfterSoManyAnswersInARow
//	    TestEndpointAttachedAgainAndBackendMadeAgainBeginUnhealthy
//	every front end adopts a URL map at a different moment
//	  → gke-networking-recipes ("several minutes"); kubernetes/kubernetes#44132
//	  → TestFrontEndsAdoptAURLMapOneAfterTheOther
//	    TestLaggingFrontEndStillSendsToADeletedBackendService
//	    TestOldColourIsNeededUntilTheLastFrontEndAdoptedTheSwitch
//	    frontends.TestOlderConfigurationIsNotAdopted
//	a test that must see the losses in between delays health and the last front end
//	  → Config.HoldHealth, Config.HoldAdoption
//	  → TestWhatIsHeldUpWaitsUntilItIsReleased
//	draining on detach only, none when unset; a switch breaks no connection
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
//	    frontends.TestConnectionOfAClientStaysWithItsFrontEnd
//	502, 503, 404 and 301
//	  → named at each in frontend.go
//	  → TestLoadBalancersOwnAnswers
//	    TestRedirectIsOfItsOwnIngressOnly
//	hosts and paths
//	  → compute/v1, urlMaps
//	  → TestURLMapIsReadWithItsHostsAndPaths
//	    TestRequestsAreRoutedByHostThenByTheLongestPath
//	    TestSharedAddressIsDividedByHostAndTheOldestOpenIngressGetsTheRest
//	NEG annotation of new Services, gate of new pods
//	  → GKE's webhooks neg-annotation and pod-ready.config.common-webhooks.networking.gke.io
//	  → TestWebhooksChangeOnlyWhatLacksSomething
//
// # Rights
//
// Run and the controllers need the rights of GKE's control plane. The sandbox gives them an
// administrator's.
//
// # Decisions
//
// The controllers run as a program of their own, not as a library: their flags are global, their
// Kubernetes libraries are older than ours, and nothing of them can be changed by accident. Their
// own tests mock the Compute API's client. Here the API is ours, so the client, its errors and its
// waiting for operations are Google's, too, and the front ends see the configuration without
// another protocol.
//
// Where sources leave something open, the model does what hurts more: it does not retry a request
// on another endpoint, and health checks of a new endpoint start only after a delay.
//
// Configurations (URL maps and backend services) reach a front end late; endpoints and their health
// reach all front ends at once. Real front ends are known to lag, but not how long for which
// change.
//
// All Ingresses share one address, since the sandbox has only one; on Google each has its own.
// Hosts distinguish them; the oldest Ingress without a host gets the rest. HTTPS is programmed but
// not spoken: a front end serves the routes of an HTTP proxy.
//
// Delays of the API and of the network are divided by one factor. The controllers' own waits are
// not: 5 s from their start to the NEG controller's first look, 100 s from an error of the API to
// the next look at pods' readiness, 2 minutes between garbage collections, 5 to 600 s before a
// retry of a NEG. Tests of our parts run in a bubble of testing/synctest.
//
// If ingress-gce makes a call of the API that it was never seen to make, the call fails and is
// logged.
package gclb
