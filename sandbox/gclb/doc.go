// Package gclb runs Google's own controllers for Ingresses and network endpoint
// groups, ingress-gce's program as it is, and is what they program: the Compute API
// with its resources in memory, and the load balancer behind it, which Google keeps
// to itself. Requests that would fail there fail here.
//
// # Tour
//
// [Run] starts everything. controllers.go starts bin/ingress-gce, which make builds
// from k8s.io/ingress-gce v1.37.0 (tools/ingress-gce), with the flags below
// and a gce.conf that leads to our Compute API. api.go answers its
// calls, resource.go and verbs.go keep what they make, compute.go who uses whom, and
// view.go reads from that what front ends need. checker.go asks the endpoints for
// their health, frontend.go are the front ends. webhook.go is what GKE adds to new
// pods and Services. config.go has the delays.
//
// The two processes share nothing but the Compute API: the controllers' client
// library speaks to it over HTTP, in its three versions, as it does on Google Cloud.
//
// # What is Google's, and what is ours
//
// Of what the controllers do, every line is Google's: what they make, in which order,
// what they do not wait for, what they write to objects, when they try again. So
// tests say what they were seen to do, and nothing here decides it. What follows is
// what was observed before on another version of them, acbcf5d of 2026-08, and is
// seen on this one.
//
//	behaviour → test
//
//	naive patch to a colour never referred to: backend service without NEG, URL map to it with
//	none healthy, old backend service deleted, healthy; the old NEG deleted by garbage collection
//	  → TestObservedNaivePatchToAColourThatWasNeverReferredTo
//	with --enable-multi-subnet-cluster-phase1 users are sent to a backend service before its NEG is
//	there; a swap of two colours both referred to is the same as without
//	  → TestMultiSubnetFlagSendsUsersAheadOfTheNEGUnlessItIsThere
//	the way back is the same again
//	  → TestRollbackAfterANaivePatchIsCold
//	swap of two colours both referred to: the URL map and nothing else; an unresolvable host is
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
//	an update that fails is tried again, and at once after an edit
//	  → TestUpdatesThatFailAreTriedAgainAndAtOnceAfterAnEdit
//	readiness gate: reasons and messages
//	  → TestObservedReadinessGate
//	gate True because nothing referred to the Service yet
//	  → TestTrapPodMadeBeforeItsServiceWasReferredToIsReadyAtOnce
//	gate True because no endpoint of the NEG had a health status yet (ingress-gce#1718)
//	  → TestTrapFirstPodOfANEGIsReadyBeforeAnybodyAskedIt
//	gate never looked at again
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
//	a URL map that cannot be changed for 2 minutes keeps the old colour; tried again late, and at once
//	after an edit (make test-long)
//	  → windows.TestOutage
//	gate True at the first change of a pod, or resync, 10 minutes after it was made, healthy or not,
//	which Turnout does not call warm (make test-long)
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
//	what another resource uses is not deleted, and what does not exist not used
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
//	every front end adopts a URL map at a moment of its own
//	  → gke-networking-recipes ("several minutes"); kubernetes/kubernetes#44132
//	  → TestFrontEndsAdoptAURLMapOneAfterTheOther
//	    TestLaggingFrontEndStillSendsToADeletedBackendService
//	    TestOldColourIsNeededUntilTheLastFrontEndAdoptedTheSwitch
//	    TestFrontEndNeverGoesBackToAnOlderConfiguration
//	a test that must see what is lost in between holds health and the last front end up
//	  → Config.HoldHealth, Config.HoldAdoption
//	  → TestWhatIsHeldUpWaitsUntilItIsReleased
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
// Run and the controllers need those of GKE's control plane. The sandbox gives them
// an administrator's.
//
// # Decisions
//
// The controllers are run as a program and not called: their flags are global, their
// Kubernetes libraries older than ours, and so nothing of them can be changed by
// accident. Their own tests put a mock in place of the Compute API's client; here it
// is the API that is ours, so that the client, its errors and its waiting for
// operations are Google's, too, and the front ends see what it programs without
// another protocol.
//
// Where sources leave something open, the model does what hurts more: it does not
// retry a request on another endpoint, and health checks of a new endpoint begin
// only after a delay.
//
// Configurations (URL maps and backend services) reach a front end late;
// endpoints and their health reach all at once. What is known of real front ends
// is that they lag, not how much of it for what.
//
// All Ingresses share one address, since the sandbox has one; on Google each has
// its own. Hosts tell them apart; the oldest that takes any host gets the rest.
// HTTPS is programmed and not spoken: a front end serves what an HTTP proxy leads to.
//
// Delays of the API and of the network are divided by one factor; what the
// controllers wait for by themselves is not: 5 s from their start until the NEG
// controller looks at anything, 100 s after an error of the API until pods' readiness
// is looked at again, 2 minutes between garbage collections, 5 to 600 s before a NEG
// is tried again. Tests of our parts run in a bubble of testing/synctest.
//
// A call of the API that ingress-gce was not seen to make is an error, and is logged.
package gclb
