package gclb

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
)

// syncer keeps the NEGs of one port of a Service. Stopped, it does nothing, and
// the NEGs stay as they are: so they are when the Service is no longer referred
// to (pkg/neg/syncers/syncer.go:142-151).
type syncer struct {
	config  *Config
	compute *compute
	service types.NamespacedName
	port    negPort

	// endpoints are what the NEGs should have in each zone, and whose pod each is;
	// known is false while the Service has no EndpointSlice, and then nothing is done.
	endpoints func() (zones map[string]endpointSet, pods map[endpoint]types.NamespacedName, known bool)
	zones     func() []string
	commit    func(context.Context, negKey, map[endpoint]types.NamespacedName)
	event     func(kind, reason, message string)
	report    func(context.Context, svcNegStatus) error
	running   *sync.WaitGroup
	wakes     chan struct{} // capacity 1

	status svcNegStatus // owned by run

	mu       sync.Mutex         // guards the fields below
	cancel   context.CancelFunc // nil: stopped
	ended    chan struct{}      // closed when the last run has ended; nil: there was none
	needInit bool               // NEGs may be missing
	underway map[endpoint]operation
}

// start runs the syncer until ctx ends or it is stopped; it is not started twice.
func (s *syncer) start(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		return
	}
	syncing, cancel := context.WithCancel(ctx)
	before, ended := s.ended, make(chan struct{})
	s.cancel, s.ended = cancel, ended
	s.running.Go(func() {
		defer close(ended)
		if before != nil {
			<-before
		}
		s.run(syncing, ctx)
	})
}

// stop stops syncing at once. What was begun in the cloud goes on.
func (s *syncer) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cancel != nil {
		s.cancel()
		s.cancel = nil
	}
}

func (s *syncer) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.cancel == nil
}

// wake makes a running syncer look again.
func (s *syncer) wake() {
	select {
	case s.wakes <- struct{}{}:
	default: // told already
	}
}

// run syncs whenever it is woken, and again after a failure. Operations live by
// outer, longer than the syncing.
func (s *syncer) run(ctx, outer context.Context) {
	failures := 0
	for ctx.Err() == nil {
		err := s.sync(ctx, outer)
		if ctx.Err() != nil {
			return
		}
		s.status.synced(err, time.Now())
		if reportErr := s.report(ctx, s.status); reportErr != nil && ctx.Err() == nil {
			s.config.Log.InfoContext(ctx, "svcneg not written", "error", reportErr)
		}
		var retry <-chan time.Time
		if err == nil {
			failures = 0
		} else {
			failures++
			s.failed(err, failures)
			if failures < maxRetries {
				retry = time.After(s.config.scaled(min(minRetryDelay<<(failures-1), maxRetryDelay)))
			}
		}
		select {
		case <-ctx.Done():
		case <-s.wakes:
		case <-retry:
		}
	}
}

func (s *syncer) failed(err error, failures int) {
	again := "(will retry)"
	if failures >= maxRetries {
		again = "(will not retry)"
	}
	s.mu.Lock()
	s.needInit = true
	s.mu.Unlock()
	s.event(corev1.EventTypeWarning, "SyncNetworkEndpointGroupFailed", fmt.Sprintf("Failed to sync NEG %q %s: %v", s.port.neg, again, err))
}

// sync compares the NEGs with the endpoints and begins what has to be done.
func (s *syncer) sync(ctx, outer context.Context) error {
	if err := s.ensureNEGs(ctx); err != nil {
		return err
	}
	target, pods, known := s.endpoints()
	if !known {
		return nil
	}
	for _, zone := range s.zones() {
		key := negKey{name: s.port.neg, zone: zone}
		listed, err := s.compute.listEndpoints(key)
		if err != nil {
			return err
		}
		current := endpointSet{}
		for _, e := range listed {
			current[e.endpoint] = true
		}
		s.mu.Lock()
		diff := diffEndpoints(current, target[zone], s.underway)
		s.mu.Unlock()
		committed := map[endpoint]types.NamespacedName{}
		for _, e := range diff.committed {
			committed[e] = pods[e]
		}
		s.commit(outer, key, committed)
		s.operate(outer, attaching, key, diff.add)
		s.operate(outer, detaching, key, diff.remove)
	}
	return nil
}

// ensureNEGs creates the NEGs of all zones, if they may be missing.
func (s *syncer) ensureNEGs(ctx context.Context) error {
	s.mu.Lock()
	needed := s.needInit
	s.mu.Unlock()
	if !needed {
		return nil
	}
	var refs []negReference
	for _, zone := range s.zones() {
		key := negKey{name: s.port.neg, zone: zone}
		if s.compute.negID(key) == "" {
			if err := s.compute.createNEG(ctx, key); err != nil {
				return err
			}
			s.event(corev1.EventTypeNormal, "Create", fmt.Sprintf("Created NEG %q for %s-%s--%s/%d in %q.",
				key.name, s.service, key.name, s.port.name, s.port.number, zone))
		}
		refs = append(refs, negReference{
			ID: s.compute.negID(key), SelfLink: key.selfLink(), NetworkEndpointType: "GCE_VM_IP_PORT", State: "ACTIVE",
		})
	}
	s.mu.Lock()
	s.needInit = false
	s.mu.Unlock()
	s.status.initialized(refs, time.Now())
	return s.report(ctx, s.status)
}

// operate attaches or detaches, beside everything else: a detach may well be
// done before the attach that was begun first.
func (s *syncer) operate(ctx context.Context, what operation, key negKey, endpoints []endpoint) {
	if len(endpoints) == 0 {
		return
	}
	s.mu.Lock()
	if s.underway == nil {
		s.underway = map[endpoint]operation{}
	}
	for _, e := range endpoints {
		s.underway[e] = what
	}
	s.mu.Unlock()
	s.running.Go(func() {
		var err error
		if what == attaching {
			err = s.compute.attach(ctx, key, endpoints)
		} else {
			err = s.compute.detach(ctx, key, endpoints)
		}
		if ctx.Err() != nil {
			return
		}
		done := fmt.Sprintf("%s %d network endpoint(s) (NEG %q in zone %q)", what, len(endpoints), key.name, key.zone)
		if err == nil {
			s.event(corev1.EventTypeNormal, string(what), done)
		} else {
			s.event(corev1.EventTypeWarning, string(what)+"Failed", fmt.Sprintf("Failed to %s: %v", done, err))
		}
		s.finish(ctx, endpoints, err)
	})
}

// finish forgets an operation and looks again, later if it failed.
func (s *syncer) finish(ctx context.Context, endpoints []endpoint, err error) {
	s.mu.Lock()
	for _, e := range endpoints {
		delete(s.underway, e)
	}
	s.needInit = s.needInit || err != nil
	s.mu.Unlock()
	if err != nil && sleep(ctx, s.config.scaled(minRetryDelay)) != nil {
		return
	}
	s.wake()
}

func compareEndpoints(a, b endpoint) int {
	return cmp.Or(strings.Compare(a.ip, b.ip), cmp.Compare(a.port, b.port))
}
