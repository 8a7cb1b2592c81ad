package githubtest

import (
	"maps"
	"net/http"
	"slices"
	"time"
)

// Request is one request to the REST API.
type Request struct {
	Method string
	Route  string // as GitHub's description writes it: /repos/{owner}/{repo}
	Path   string // as requested
	Status int    // of the answer; 0 if the client got none
	At     time.Time
}

// ViolationKind says who violated the API's description.
type ViolationKind string

// The kinds of violation.
const (
	BadRequest   ViolationKind = "request"  // the client's request violates GitHub's description
	BadResponse  ViolationKind = "response" // the stand-in's answer violates GitHub's description
	UnknownRoute ViolationKind = "route"    // the stand-in does not serve the request
)

// Violation is a violation of GitHub's own API description.
type Violation struct {
	Kind   ViolationKind
	Method string
	Path   string
	Reason string
}

// String is the violation in one line.
func (v Violation) String() string {
	return string(v.Kind) + ": " + v.Method + " " + v.Path + ": " + v.Reason
}

// Violations returns all violations so far.
func (s *Server) Violations() []Violation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// ForgetViolations empties the list, for tests that provoke a violation on purpose.
func (s *Server) ForgetViolations() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = nil
}

// Requests returns the log of requests to the REST API, oldest first.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.requests)
}

// violate records a violation. The caller holds s.mu.
func (s *Server) violate(v Violation) {
	s.violations = append(s.violations, v)
	s.log.Error("violation of GitHub's API description", "kind", v.Kind, "method", v.Method, "path", v.Path, "reason", v.Reason)
}

// record logs a request. The caller holds s.mu.
func (s *Server) record(r Request) {
	s.requests = append(s.requests, r)
	s.notify()
}

// FaultKind is what goes wrong.
type FaultKind string

// The kinds of fault.
const (
	BadGateway         FaultKind = "bad gateway"          // 502, nothing done
	SecondaryRateLimit FaultKind = "secondary rate limit" // 403 or 429 with Retry-After, nothing done
	Hang               FaultKind = "hang"                 // no answer until the client gives up, nothing done
	ReplyLost          FaultKind = "reply lost"           // done, but the connection breaks before the answer
)

// Fault makes the next requests of a route go wrong.
type Fault struct {
	Kind       FaultKind
	Method     string        // empty: any
	Route      string        // as GitHub's description writes it; empty: any
	Times      int           // how many requests; default 1
	RetryAfter time.Duration // of SecondaryRateLimit; default a minute; negative: not in the answer
	Status     int           // of SecondaryRateLimit: 403, the default, or 429; GitHub uses both
	Until      time.Time     // requests from then on succeed; zero: the next ones fail, whenever they come
}

// Inject adds a fault. Faults for the same request take effect one after the other, in the
// order of injection.
func (s *Server) Inject(f Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f.Times == 0 {
		f.Times = 1
	}
	if f.RetryAfter == 0 {
		f.RetryAfter = time.Minute
	}
	if f.Status == 0 {
		f.Status = http.StatusForbidden
	}
	s.faults = append(s.faults, &f)
}

// Failed counts the requests that a fault of [Server.Inject] affected, by kind.
func (s *Server) Failed() map[FaultKind]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.failed)
}

// LimitFor refuses every request for a time with a status, 403 or 429, as GitHub does after
// too many writes. Each answer has the remaining time in Retry-After.
func (s *Server) LimitFor(d time.Duration, status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limitedUntil, s.limitStatus = time.Now().Add(d), status
}

// SetOutage makes the REST API and git answer 503 to everything, until it is switched off.
// Meanwhile no webhooks are sent, as if GitHub's whole back end were down; what people do
// then is never delivered.
func (s *Server) SetOutage(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.outage = on
}

// takeFault returns the fault that affects a request; its kind is "" if there is none. The
// caller holds s.mu.
func (s *Server) takeFault(method, route string) Fault {
	if s.outage {
		return Fault{Kind: outage}
	}
	if left := time.Until(s.limitedUntil); left > 0 {
		return Fault{Kind: SecondaryRateLimit, RetryAfter: left, Status: s.limitStatus}
	}
	s.faults = slices.DeleteFunc(s.faults, func(f *Fault) bool { return !f.Until.IsZero() && !time.Now().Before(f.Until) })
	for i, f := range s.faults {
		if f.Method != "" && f.Method != method || f.Route != "" && f.Route != route {
			continue
		}
		f.Times--
		if f.Times == 0 {
			s.faults = slices.Delete(s.faults, i, i+1)
		}
		s.failed[f.Kind]++
		return *f
	}
	return Fault{}
}

// outage is the fault of every request during an outage.
const outage FaultKind = "outage"

// quota is how much of a rate limit is used.
type quota struct {
	used  int
	reset time.Time
}

// spend counts a request against the rate limit of who and writes the headers that show it.
// It returns false if nothing is left. The caller holds s.mu.
func (s *Server) spend(who string, header http.Header) bool {
	q := s.quotas[who]
	if q == nil || time.Now().After(q.reset) {
		q = &quota{reset: now().Add(time.Hour)}
		s.quotas[who] = q
	}
	left := q.used < s.cfg.RateLimit
	if left {
		q.used++
	}
	writeQuota(header, s.cfg.RateLimit, *q)
	return left
}
