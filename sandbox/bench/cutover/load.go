package cutover

import (
	"net/http"
	"slices"
	"sync"
	"time"

	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/turnout-dev/turnout/sandbox/bench/application"
)

// The load on every application: short requests, and some that take 3 seconds, on
// connections that are kept and on new ones. Together they are more than 200
// requests a second.
var mixture = []struct { //nolint:gochecknoglobals // a table
	name      string
	path      string
	keepAlive bool
	rate      vegeta.Rate
}{
	{"short, kept connections", "/", true, vegeta.Rate{Freq: 140, Per: time.Second}},
	{"short, new connections", "/", false, vegeta.Rate{Freq: 65, Per: time.Second}},
	{"3 seconds, kept connections", "/slow?seconds=3", true, vegeta.Rate{Freq: 2, Per: time.Second}},
	{"3 seconds, new connections", "/slow?seconds=3", false, vegeta.Rate{Freq: 2, Per: time.Second}},
}

// longest is how long the slowest request takes.
const longest = 3 * time.Second

// answer is what became of one request.
type answer struct {
	start, end time.Time
	// version that answered; empty if it was the load balancer.
	version string
	// failure is empty for a good answer.
	failure string
}

// load asks one application all the while.
type load struct {
	attackers []*vegeta.Attacker
	running   sync.WaitGroup

	mu      sync.Mutex
	answers []answer // in the order in which they came
}

// startLoad asks a host of the load balancer.
func startLoad(url, host string) *load {
	l := &load{}
	for _, m := range mixture {
		attacker := vegeta.NewAttacker(vegeta.KeepAlive(m.keepAlive), vegeta.Timeout(vegeta.DefaultTimeout))
		l.attackers = append(l.attackers, attacker)
		targeter := vegeta.NewStaticTargeter(vegeta.Target{
			Method: http.MethodGet, URL: url + m.path, Header: http.Header{"Host": {host}},
		})
		results := attacker.Attack(targeter, m.rate, 0, m.name)
		l.running.Go(func() {
			for r := range results {
				l.add(r)
			}
		})
	}
	return l
}

func (l *load) add(r *vegeta.Result) {
	a := answer{start: r.Timestamp, end: r.End(), version: r.Headers.Get(application.VersionHeader), failure: r.Error}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.answers = append(l.answers, a)
}

// stop ends the load and waits for the answers that are under way.
func (l *load) stop() []answer {
	for _, attacker := range l.attackers {
		attacker.Stop()
	}
	l.running.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.answers
}

// settled tells whether of all requests sent in the last d, at least n were
// answered, all of them well and by one version.
func (l *load) settled(version string, d time.Duration, n int) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	from, good := time.Now().Add(-d), 0
	for _, a := range slices.Backward(l.answers) {
		if a.start.Before(from) {
			if a.end.Before(from) {
				break // those before it are as old, but for the slow ones
			}
			continue
		}
		if a.failure != "" || a.version != version {
			return false
		}
		good++
	}
	return good >= n
}
