package deployer

import (
	"math"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/analysis"
)

// ownRequests are how many requests of the proof each colour may have had in a window of a step,
// the target first: its share of one a second, and as much beyond that as chance allows. Metrics do
// not tell them apart from those of users, so they must not be what makes samples enough.
func (w *metricsWatch) ownRequests() [2]float64 {
	if w.bg.Spec.URL == "" {
		return [2]float64{}
	}
	var all [2]float64
	for i, share := range []float64{float64(w.when.Weight), float64(v1alpha1.Everybody - w.when.Weight)} {
		asked := w.when.Window.Seconds()
		mean := asked * share / v1alpha1.Everybody
		all[i] = math.Ceil(min(asked, mean+3*math.Sqrt(mean)))
	}
	return all
}

func setOwn(all []analysis.Reading, own float64) {
	for i := range all {
		all[i].Own = own
	}
}
