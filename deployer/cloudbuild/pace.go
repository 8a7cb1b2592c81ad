package cloudbuild

import "time"

const (
	// minPause and maxPause between two looks at one build. Looking every
	// second runs into GetRequestsPerMinutePerProject
	// (GoogleContainerTools/skaffold issue 1589, google/go-tpm-tools pull 889).
	minPause = 5 * time.Second
	maxPause = 10 * time.Second
	// settle is how long a build is looked at briskly: most are over by then.
	settle = 3 * time.Minute
	// worstFactor bounds the pause while Cloud Build does not answer, in maxima.
	worstFactor = 12
)

// Pace is how often builds are looked at. The zero value is 5 to 10 seconds;
// shorter ones are for emulators.
type Pace struct {
	Min, Max time.Duration
}

// Next is the pause before the next look. elapsed is the build's age; failures
// counts the looks in a row that were not answered (0 after one that was);
// random is in [0,1) and spreads the looks of many builds.
//
// Answered, it lies between Min and Max, later ones being longer. Unanswered,
// Max is doubled by every failure up to two minutes, and at least half of that
// is waited.
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
