package load

import "time"

// mostDebt is how far a stream may fall behind and still catch up.
const mostDebt = time.Second

// pace sends requests at a steady rate. vegeta's own makes up for every late request: after a
// minute on a busy machine that is a minute's requests, as fast as possible, and everything else
// there waits for them. Here, requests that are later than mostDebt are dropped.
type pace struct {
	every time.Duration
	due   time.Duration // when the next request is, from the start
}

func newPace(perSecond int) *pace { return &pace{every: time.Second / time.Duration(perSecond)} }

// Pace returns how long to wait before the next request; it never ends the stream. With Rate it
// makes pace a vegeta.Pacer.
func (p *pace) Pace(elapsed time.Duration, _ uint64) (wait time.Duration, stop bool) {
	p.due = max(p.due, elapsed-mostDebt)
	wait = max(0, p.due-elapsed)
	p.due += p.every
	return wait, false
}

// Rate is how many requests a second are sent.
func (p *pace) Rate(time.Duration) float64 { return time.Second.Seconds() / p.every.Seconds() }
