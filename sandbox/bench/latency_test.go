package bench

import (
	"strings"
	"testing"
	"time"
)

func TestMeasurementThatMeasuredNothingIsAnError(t *testing.T) {
	some := summarize([]time.Duration{3 * time.Millisecond, time.Millisecond})
	for name, tt := range map[string]struct {
		l    Latencies
		n    int
		want string // in the error; empty: none
	}{
		"all of it": {Latencies{some, some, some}, 2, ""},
		"too few":   {Latencies{some, some, some}, 3, "2 samples of 3"},
		"nothing":   {Latencies{}, 0, "nothing was measured"},
		"one of three is missing": {
			Latencies{ReadyToSwitch: some, WebhookToBuild: some},
			2,
			"rollback to switch: nothing was measured",
		},
		"no time passed": {Latencies{some, some, summarize(make([]time.Duration, 2))}, 2, "webhook to build: nothing was measured"},
	} {
		t.Run(name, func(t *testing.T) {
			err := tt.l.check(tt.n)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
	if _, err := Latency(t.Context(), Options{}, 0); err == nil || !strings.Contains(err.Error(), "--n is 0") {
		t.Errorf("to measure nothing: %v", err)
	}
}
