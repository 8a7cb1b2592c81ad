package gclb

import "testing"

func TestStateChangesAfterSoManyAnswersInARow(t *testing.T) {
	check := healthCheck{healthy: 2, unhealthy: 3}
	v, states := verdict{state: unhealthy}, ""
	for _, ok := range []bool{true, false, true, true, false, false, true, false, false, false} {
		v = v.judge(ok, check)
		states += v.state[:1]
	}
	if states != "UUUHHHHHHU" {
		t.Errorf("the states are %s", states)
	}
}
