package analysis

import (
	"math"
	"testing"
)

// The wanted values were computed with exact fractions of binomial coefficients.
func TestExactTestOfErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		errors, samples, before, samplesBefore int64
		want                                   float64
	}{
		{1, 100, 1, 100, 0.7512562814070352},
		{5, 100, 0, 100, 0.029691605234293292},
		{6, 100, 0, 100, 0.014465141011578784},
		{7, 100, 0, 100, 0.007008882758187659},
		{30, 100, 0, 100, 7.169551254436534e-11},
		{31, 105, 2, 110, 3.080201159000994e-09},
		{0, 100, 5, 100, 1},
		{3, 10, 0, 10, 0.10526315789473684},
		{50, 5000, 40, 5000, 0.1703232452407233},
		{80, 5000, 40, 5000, 0.00015214202382154017},
		{2, 100, 50, 100, 1},
		{100, 100, 0, 1, 0.009900990099009901},
		{10, 100, 1, 5, 0.9158547779392445},
		{700, 1000, 300, 1000, 1.7603927607473967e-73},
		{100, 100, 100, 100, 1},
		{5, 100, 0, 0, 1},
		{0, 0, 5, 100, 1},
	}
	for _, tt := range tests {
		got := MoreErrors(tt.errors, tt.samples, tt.before, tt.samplesBefore)
		if math.Abs(got-tt.want) > 1e-9*max(tt.want, 1e-80) {
			t.Errorf("%d of %d after %d of %d: %v, want %v", tt.errors, tt.samples, tt.before, tt.samplesBefore, got, tt.want)
		}
	}
}

func TestExactTestEndsWithManySamples(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		errors, before int64
		want           bool
	}{{1_000_000, 1_000_000, false}, {1_010_000, 1_000_000, true}, {900_000, 1_000_000, false}, {100_000_000, 1, true}} {
		p := MoreErrors(tt.errors, 100_000_000, tt.before, 100_000_000)
		if got := p < surelyMore; got != tt.want || math.IsNaN(p) {
			t.Errorf("%d after %d of 100 million: p = %v, want surely more: %t", tt.errors, tt.before, p, tt.want)
		}
	}
}
