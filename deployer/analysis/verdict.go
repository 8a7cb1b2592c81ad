package analysis

import (
	"errors"
	"fmt"
	"math"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// surelyMore is the probability below which more errors are not chance.
const surelyMore = 0.01

// Reading is what was read for a check in one window.
type Reading struct {
	// Value and Samples; nil if the query found nothing.
	Value, Samples *float64
	// Because is why one of them could not be read; empty if both could.
	Because v1alpha1.NoVerdictReason
	// Detail is the server's own explanation.
	Detail string
	// Own is how many of the samples may be Turnout's own requests to the public address.
	Own float64
}

// Point is a reading as recorded, without a verdict. Its because is why the reading cannot count.
func (c Check) Point(at time.Time, r Reading) v1alpha1.CheckPoint {
	p := v1alpha1.CheckPoint{At: metav1.NewMicroTime(at), Verdict: v1alpha1.VerdictNone, Because: r.Because, Detail: r.Detail}
	if r.Because != "" {
		return p
	}
	samples := 0.0 // no series: nothing was counted
	if r.Samples != nil {
		samples = *r.Samples
	}
	if c.pass == nil {
		samples = math.Round(samples) // rates are extrapolated
	}
	p.Samples = v1alpha1.NumberOf(samples)
	value := r.Value
	if value == nil && c.pass == nil {
		value = new(float64) // no series of errors: there were none
	}
	if value != nil {
		v := *value
		if c.pass == nil {
			v = min(max(math.Round(v), 0), samples)
		}
		p.Value = v1alpha1.NumberOf(v)
	}
	switch {
	case p.Samples == "", samples-r.Own >= float64(c.minSamples) && value != nil && p.Value == "":
		p.Because = v1alpha1.NoVerdictNotFinite
	case samples-r.Own < float64(c.minSamples):
		p.Because = v1alpha1.NoVerdictTooFew
		if r.Own > 0 && samples >= float64(c.minSamples) {
			p.Detail = fmt.Sprintf("up to %.0f of them may be Turnout's own requests", r.Own)
		}
	case value == nil:
		p.Because = v1alpha1.NoVerdictEmpty
	}
	return p
}

// Judge is a reading with its verdict; other is the last window before the switch, nil if
// unknown.
func (c Check) Judge(at time.Time, r Reading, other *v1alpha1.CheckPoint) v1alpha1.CheckPoint {
	p := c.Point(at, r)
	if p.Because != "" {
		return p
	}
	var good bool
	if c.pass == nil {
		good, p.Because = c.noMoreErrors(p, other)
	} else {
		good, p.Because, p.Detail = c.holds(p, other)
	}
	switch {
	case p.Because != "":
	case good:
		p.Verdict = v1alpha1.VerdictPass
	default:
		p.Verdict = v1alpha1.VerdictFail
	}
	return p
}

// noMoreErrors compares errors with those before. A few samples before the switch are enough, but
// not none.
func (c Check) noMoreErrors(p v1alpha1.CheckPoint, other *v1alpha1.CheckPoint) (bool, v1alpha1.NoVerdictReason) {
	if other == nil {
		return false, v1alpha1.NoVerdictNoOther
	}
	errorsBefore, known := other.Value.Float()
	samplesBefore, counted := other.Samples.Float()
	if !known || !counted || samplesBefore < 1 {
		return false, v1alpha1.NoVerdictNoOther
	}
	count, _ := p.Value.Float()
	samples, _ := p.Samples.Float()
	return MoreErrors(int64(count), int64(samples), int64(errorsBefore), int64(samplesBefore)) >= surelyMore, ""
}

// holds evaluates the check's expression. A value before the switch with too few samples counts
// as unknown.
func (c Check) holds(p v1alpha1.CheckPoint, other *v1alpha1.CheckPoint) (bool, v1alpha1.NoVerdictReason, string) {
	value, _ := p.Value.Float()
	var before *float64
	if other != nil && other.Because == "" {
		if f, ok := other.Value.Float(); ok {
			before = &f
		}
	}
	good, err := c.pass.Holds(value, before)
	switch {
	case errors.Is(err, errUnknown):
		return false, v1alpha1.NoVerdictNoOther, ""
	case err != nil:
		return false, v1alpha1.NoVerdictExpression, err.Error()
	}
	return good, "", ""
}
