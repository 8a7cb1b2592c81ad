package cloudbuild

import "time"

const (
	// minPause and maxPause bound the pause between two looks at one build. Looking every second
	// exceeds GetRequestsPerMinutePerProject (GoogleContainerTools/skaffold issue 1589,
	// google/go-tpm-tools pull 889).
	minPause = 5 * time.Second
	maxPause = 10 * time.Second
	// settle is how long the pauses take to grow to the longest: most builds are over by then.
	settle = 3 * time.Minute
	// worstFactor bounds the pause while Cloud Build does not answer, in multiples of the longest.
	worstFactor = 12
)

// Pace is how often to look at a build. The zero value means every 5 to 10 seconds;
// shorter pauses are for emulators.
type Pace struct {
	Min, Max time.Duration
}

// Next is the pause before the next look. elapsed is the build's age. failures counts the
// consecutive looks without an answer. random is in [0,1) and spreads the looks at many builds.
//
// After an answer the pause lies between Min and Max, and grows with the build's age. Without an
// answer every failure doubles Max, up to twelve times Max (two minutes by default), and the
// pause is at least half of that.
func (p Pace) Next(elapsed time.Duration, failures int, random float64) time.Duration {
	if p.Min <= 0 || p.Max < p.Min {
		p = Pace{Min: minPause, Max: maxPause}
	}
	if failures > 0 {
		limit := p.Max
		for range min(failures, worstFactor) {
			limit = min(2*limit, worstFactor*p.Max)
		}
		return limit/2 + time.Duration(random*float64(limit/2))
	}
	age := min(max(float64(elapsed)/float64(settle), 0), 1)
	span := float64(p.Max - p.Min)
	return p.Min + time.Duration(span*(age+random)/2)
}
