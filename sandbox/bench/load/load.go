// Package load keeps requesting an application and records the answers. github.com/tsenart/vegeta
// makes the requests, so nobody has to trust a generator of ours.
package load

import (
	"cmp"
	"net/http"
	"slices"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/turnout-dev/turnout/sandbox/bench/application"
)

// Stream is requests of one kind.
type Stream struct {
	// Name for people.
	Name string
	// Path that is asked for, with its query.
	Path string
	// KeepAlive uses a connection again; otherwise every request has its own.
	KeepAlive bool
	// PerSecond is how many requests are sent.
	PerSecond int
	// AtOnce is how many of them may wait for their answers. Default 64. A machine that is too
	// slow then sends fewer requests, and so keeps some time for the rest.
	AtOnce int
}

// Answer is the result of one request.
type Answer struct {
	Start, End time.Time
	// Version that answered; empty if it was the load balancer.
	Version string
	// Failure is empty for a good answer.
	Failure string
}

// Load is requests under way.
type Load struct {
	attackers []*vegeta.Attacker
	running   sync.WaitGroup

	mu      sync.Mutex
	answers []Answer // in the order in which they came
}

// mostAtOnce bounds a stream's requests in progress. Otherwise a machine that stalls for a moment
// would be buried under new connections.
const mostAtOnce = 64

// Start asks a host of the load balancer at url, until [Load.Stop].
func Start(url, host string, streams []Stream) *Load {
	l := &Load{}
	for _, s := range streams {
		attacker := vegeta.NewAttacker(vegeta.KeepAlive(s.KeepAlive), vegeta.Timeout(vegeta.DefaultTimeout),
			vegeta.MaxWorkers(uint64(cmp.Or(s.AtOnce, mostAtOnce)))) //nolint:gosec // G115: a count
		l.attackers = append(l.attackers, attacker)
		targeter := vegeta.NewStaticTargeter(vegeta.Target{
			Method: http.MethodGet, URL: url + s.Path, Header: http.Header{"Host": {host}},
		})
		results := attacker.Attack(targeter, newPace(s.PerSecond), 0, s.Name)
		l.running.Go(func() {
			for r := range results {
				l.add(r)
			}
		})
	}
	return l
}

func (l *Load) add(r *vegeta.Result) {
	a := Answer{Start: r.Timestamp, End: r.End(), Version: r.Headers.Get(application.VersionHeader), Failure: r.Error}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

// Stop ends the load, waits for the answers that are under way and returns all.
// It may be called again.
func (l *Load) Stop() []Answer {
	for _, attacker := range l.attackers {
		attacker.Stop()
	}
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers
}

// Answers are those that came so far.
func (l *Load) Answers() []Answer {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clip(l.answers) // later answers are not in it
}

// Answered reports whether a version has answered a request well.
func (l *Load) Answered(version string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, a := range slices.Backward(l.answers) { // newest first
		if a.Version == version && a.Failure == "" {
			return true
		}
	}
	return false
}

// Settled reports whether at least n of the requests sent in the last d were answered, all of
// them well and by one version.
func (l *Load) Settled(version string, d time.Duration, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, good := time.Now().Add(-d), 0
	for _, a := range slices.Backward(l.answers) {
		if a.Start.Before(from) {
			if a.End.Before(from) {
				break // those before it are as old, but for the slow ones
			}
			continue
		}
		if a.Failure != "" || a.Version != version {
			return false
		}
		good++
	}
	return good >= n
}
