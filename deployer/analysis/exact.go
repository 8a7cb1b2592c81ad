package analysis

import "math"

// MoreErrors is the probability of at least so many errors by chance, if errors were as frequent
// now as before: Fisher's exact test, one-sided. It is 1 if there is nothing to compare.
func MoreErrors(errors, samples, errorsBefore, samplesBefore int64) float64 {
	all, bad := samples+samplesBefore, errors+errorsBefore
	if errors <= 0 || samples <= 0 || samplesBefore <= 0 {
		return 1
	}
	h := hypergeometric{all: all, bad: bad, drawn: samples}
	if float64(errors) > float64(bad)*float64(samples)/float64(all) {
		return min(h.from(errors), 1)
	}
	return min(max(1-h.below(errors), 0), 1)
}

// hypergeometric is the distribution of the bad ones among a number drawn.
type hypergeometric struct{ all, bad, drawn int64 }

// at is the probability of exactly x.
func (h hypergeometric) at(x int64) float64 {
	return math.Exp(choose(h.bad, x) + choose(h.all-h.bad, h.drawn-x) - choose(h.all, h.drawn))
}

// from is the probability of x or more, for x on the falling side.
func (h hypergeometric) from(x int64) float64 {
	sum, term := 0.0, h.at(x)
	for ; x <= min(h.bad, h.drawn); x++ {
		sum += term
		if term < sum*1e-16 {
			break
		}
		term *= float64(h.bad-x) * float64(h.drawn-x) / (float64(x+1) * float64(h.all-h.bad-h.drawn+x+1))
	}
	return sum
}

// below is the probability of less than x, for x on the rising side.
func (h hypergeometric) below(x int64) float64 {
	x--
	least := max(0, h.drawn-(h.all-h.bad))
	if x < least {
		return 0
	}
	sum, term := 0.0, h.at(x)
	for ; x >= least; x-- {
		sum += term
		if term < sum*1e-16 {
			break
		}
		term *= float64(x) * float64(h.all-h.bad-h.drawn+x) / (float64(h.bad-x+1) * float64(h.drawn-x+1))
	}
	return sum
}

// choose is the logarithm of the number of ways to choose k of n.
func choose(n, k int64) float64 {
	if k < 0 || k > n {
		return math.Inf(-1)
	}
	a, _ := math.Lgamma(float64(n + 1))
	b, _ := math.Lgamma(float64(k + 1))
	c, _ := math.Lgamma(float64(n - k + 1))
	return a - b - c
}
