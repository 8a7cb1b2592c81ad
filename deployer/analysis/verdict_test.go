package analysis

import (
	"math"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func compiled(t *testing.T, pass string) Check {
	t.Helper()
	c, wrong := compile(source{
		name: "c", query: `x{c="$color"}`, samples: `sum(increase(y{c="$color"}[$window]))`, pass: pass, minSamples: 100, failures: 2,
	})
	if len(wrong) > 0 {
		t.Fatal(wrong)
	}
	return c
}

func read(value, samples float64) Reading { return Reading{Value: &value, Samples: &samples} }

// ours is a reading among whose samples are so many of Turnout's own requests.
func ours(r Reading, own float64) Reading { r.Own = own; return r }

func TestVerdicts(t *testing.T) {
	t.Parallel()
	const exact, below, twice = "", "value < 0.01", "value <= other * 2.0"
	zero, few, many := &v1alpha1.CheckPoint{Value: "0", Samples: "120"}, &v1alpha1.CheckPoint{
		Value: "0", Samples: "3", Because: v1alpha1.NoVerdictTooFew,
	}, &v1alpha1.CheckPoint{Value: "30", Samples: "120"}
	hundred := 100.0
	tests := []struct {
		name, pass string
		r          Reading
		other      *v1alpha1.CheckPoint
		want       v1alpha1.Verdict
		because    v1alpha1.NoVerdictReason
	}{
		{"below the bound", below, read(0.001, 100), nil, v1alpha1.VerdictPass, ""},
		{"above it", below, read(0.02, 100), nil, v1alpha1.VerdictFail, ""},
		{"too few samples", below, read(0.9, 99.9), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictTooFew},
		{"too few beside our own", below, ours(read(0.001, 210), 200), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictTooFew},
		{"too few beside our own, errors", exact, ours(read(210, 210), 200), zero, v1alpha1.VerdictNone, v1alpha1.NoVerdictTooFew},
		{"enough beside our own", below, ours(read(0.001, 300), 200), nil, v1alpha1.VerdictPass, ""},
		{"no samples at all", below, Reading{}, nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictTooFew},
		{"nothing found", below, Reading{Samples: &hundred}, nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictEmpty},
		{"not a number", below, read(math.NaN(), 100), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNotFinite},
		{"infinite", below, read(math.Inf(-1), 100), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNotFinite},
		{"samples are no number", below, read(0, math.NaN()), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNotFinite},
		{"infinitely many samples", below, read(0, math.Inf(1)), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNotFinite},
		{"nothing known before", twice, read(1, 100), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNoOther},
		{"too little known before", twice, read(1, 100), few, v1alpha1.VerdictNone, v1alpha1.NoVerdictNoOther},
		{"not twice as before", twice, read(59, 120), many, v1alpha1.VerdictPass, ""},
		{"more than twice", twice, read(61, 120), many, v1alpha1.VerdictFail, ""},

		{"errors as before", exact, read(31, 120), many, v1alpha1.VerdictPass, ""},
		{"errors where there were none", exact, read(36, 120), zero, v1alpha1.VerdictFail, ""},
		{"an error where there was none", exact, read(1, 120), zero, v1alpha1.VerdictPass, ""},
		{"no series of errors", exact, Reading{Samples: &hundred}, zero, v1alpha1.VerdictPass, ""},
		{"errors are extrapolated", exact, read(6.4, 119.6), zero, v1alpha1.VerdictPass, ""},
		{"more errors than samples", exact, read(120, 110), zero, v1alpha1.VerdictFail, ""},
		{"errors in ten requests", exact, read(10, 10), zero, v1alpha1.VerdictNone, v1alpha1.NoVerdictTooFew},
		{"errors are not a number", exact, read(math.NaN(), 100), zero, v1alpha1.VerdictNone, v1alpha1.NoVerdictNotFinite},
		{"few before still compare", exact, read(120, 120), few, v1alpha1.VerdictFail, ""},
		{"none before", exact, read(5, 120), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictNoOther},
		{
			"no samples before", exact, read(5, 120), &v1alpha1.CheckPoint{Value: "0", Samples: "0"}, v1alpha1.VerdictNone,
			v1alpha1.NoVerdictNoOther,
		},
		{
			"refused", exact, Reading{Because: v1alpha1.NoVerdictRefused, Detail: "x"}, zero, v1alpha1.VerdictNone, v1alpha1.NoVerdictRefused,
		},
		{"division by zero", "1.0 / (value - 1.0) > 0.0", read(1, 100), nil, v1alpha1.VerdictPass, ""}, // infinite, as in IEEE 754
		{"no result", "[1.0][int(value)] > 0.0", read(1, 100), nil, v1alpha1.VerdictNone, v1alpha1.NoVerdictExpression},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			at := time.Unix(1_800_000_000, 0)
			p := compiled(t, tt.pass).Judge(at, tt.r, tt.other)
			if p.Verdict != tt.want || p.Because != tt.because || !p.At.Time.Equal(at) {
				t.Errorf("got %+v, want %s %s", p, tt.want, tt.because)
			}
		})
	}
}
