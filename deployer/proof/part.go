package proof

import (
	"maps"
	"slices"
)

const (
	// clearly: more failures of a kind than this, plus as many times its earlier rate, are not
	// chance.
	clearly = 3
	// maxVersions bounds the recorded versions and kinds of failure. If a header has more values
	// than this in a baseline, it does not distinguish versions.
	maxVersions = 8
)

// part holds the counts from before the switch, or from after it.
type part struct {
	served, failed, unseen int
	failures, versions     map[string]int
}

func (p *part) answered() int { return p.served + p.failed }

func (p *part) add(a Answer) {
	switch a.Kind {
	case Served:
		p.served++
	case Failed:
		p.failed++
		remember(&p.failures, a.Failure, 1)
	case Unseen:
		p.unseen++
	}
	if a.Version != "" {
		remember(&p.versions, a.Version, 1)
	}
}

// join adds the counts of another part.
func (p *part) join(q part) {
	p.served += q.served
	p.failed += q.failed
	p.unseen += q.unseen
	for _, failure := range slices.Sorted(maps.Keys(q.failures)) {
		remember(&p.failures, failure, q.failures[failure])
	}
	for _, version := range slices.Sorted(maps.Keys(q.versions)) {
		remember(&p.versions, version, q.versions[version])
	}
}

func (p *part) clone() part {
	q := *p
	q.failures, q.versions = maps.Clone(p.failures), maps.Clone(p.versions)
	return q
}

func remember(counts *map[string]int, value string, n int) {
	if *counts == nil {
		*counts = map[string]int{}
	}
	if (*counts)[value] > 0 || len(*counts) <= maxVersions { // one more shows that there were too many
		(*counts)[value] += n
	}
}

// moreOf reports whether answers have clearly more of a kind of failure than earlier ones.
func moreOf(failure string, old, now part) bool {
	if old.failures[failure] == 0 {
		return true
	}
	rate := float64(old.failures[failure]) / float64(max(old.answered(), 1))
	return float64(now.failures[failure]) > clearly+clearly*rate*float64(now.answered())
}
