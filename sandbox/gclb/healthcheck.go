package gclb

import "time"

// healthCheck describes how the endpoints of a backend service are checked.
type healthCheck struct {
	path string
	host string // the Host header; "" is the endpoint's address
	port int32  // 0 is the port that serves

	interval, timeout  time.Duration
	healthy, unhealthy int // how many answers in a row change an endpoint's state
}

// Health states, in the compute API's words.
const (
	healthy   = "HEALTHY"
	unhealthy = "UNHEALTHY"
)

// verdict is an endpoint's state and the number of consecutive answers against it.
type verdict struct {
	state   string
	against int
}

// judge adds one answer. An endpoint begins unhealthy.
func (v verdict) judge(ok bool, check healthCheck) verdict {
	switch {
	case ok == (v.state == healthy):
		return verdict{state: v.state}
	case ok && v.against+1 >= check.healthy:
		return verdict{state: healthy}
	case !ok && v.against+1 >= check.unhealthy:
		return verdict{state: unhealthy}
	}
	return verdict{state: v.state, against: v.against + 1}
}
