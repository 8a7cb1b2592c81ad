package report

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Seen says what a release's proof showed, and what it did not: a sentence without markup,
// empty if there is no proof yet. The recorded message has the numbers.
func Seen(p *v1alpha1.ProofStatus) string {
	if p == nil {
		return ""
	}
	said := oneLine(p.Message)
	switch p.Result {
	case v1alpha1.ProofMeasuring:
		return clauses("being measured", said)
	case v1alpha1.ProofConfirmed:
		if p.Requests == 0 { // then nothing was measured
			return clauses("confirmed", said)
		}
		return said
	case v1alpha1.ProofFailed:
		if said == "" {
			return fmt.Sprintf("new failures since the switch: %d of %d requests", p.NewFailures, p.Requests)
		}
		return said
	case v1alpha1.ProofInconclusive:
		return clauses(cmp.Or(said, "inconclusive"), "whether users saw failures is unknown")
	case v1alpha1.ProofInterrupted:
		return clauses(cmp.Or(said, "interrupted"), "what users saw in the gap is unknown")
	case v1alpha1.ProofNotObserved:
		return clauses(cmp.Or(said, "the public address was not asked"), "what users saw is unknown")
	}
	return said
}

// clauses joins the parts that are not empty into a sentence.
func clauses(parts ...string) string {
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, "; ")
}

// proof is the comment's line about the public address.
func (e evidence) proof() string {
	seen := Seen(e.v.rel.Status.Proof)
	if seen == "" {
		return ""
	}
	mark := ""
	switch e.v.rel.Status.Proof.Result {
	case v1alpha1.ProofFailed:
		mark = "❌ "
	case v1alpha1.ProofInconclusive, v1alpha1.ProofInterrupted, v1alpha1.ProofNotObserved:
		mark = "⚠️ "
	case v1alpha1.ProofMeasuring, v1alpha1.ProofConfirmed:
	}
	return mark + "Seen from outside: " + plain(prose.Characters(seen, 2*maxMessage))
}
