package load

import (
	"testing"
	"time"
)

// send counts the requests of a pace from one time to another. Each takes a moment to send, and
// none is sent while the machine stalls.
func send(p *pace, from, to time.Duration) (sent int) {
	const moment = 10 * time.Microsecond
	for now := from; ; sent++ {
		wait, stop := p.Pace(now, uint64(sent))
		if now += wait + moment; now >= to || stop {
			return sent
		}
	}
}

func TestPaceIsSteady(t *testing.T) {
	p := newPace(150)
	if got := send(p, 0, 10*time.Second); got < 1490 || got > 1510 {
		t.Errorf("in 10 s at 150 a second %d requests were sent", got)
	}
}

// A stream that catches up on a minute's requests overloads a machine that has just recovered.
func TestPaceForgivesWhatAStalledMachineDidNotSend(t *testing.T) {
	p := newPace(100)
	send(p, 0, time.Second)
	const stall = time.Minute
	if got := send(p, time.Second+stall, 2*time.Second+stall); got < 190 || got > 210 {
		t.Errorf("in the second after a stall of %v %d requests were sent, want its own 100 and those of a second before", stall, got)
	}
	if got := send(p, 2*time.Second+stall, 3*time.Second+stall); got < 90 || got > 110 {
		t.Errorf("in the next second %d requests were sent, want 100", got)
	}
}
