package proof

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

// Sentence describes the result of a proof:
//
//	412 requests, 0 failed, p99 34 ms; new version after 1.2 s
//
// Trouble is why some requests showed nothing, if there were any. It is pure.
func Sentence(s v1alpha1.ProofStatus, trouble string) string {
	switch s.Result {
	case v1alpha1.ProofMeasuring:
		return fmt.Sprintf("%s so far", requests(s))
	case v1alpha1.ProofConfirmed:
		return requests(s) + percentile(s) + versions(s) + divided(s.Shift)
	case v1alpha1.ProofFailed:
		if s.NewFailures == 0 && s.Shift != nil {
			text := fmt.Sprintf("%d new failures while users were divided, of %s", s.Shift.NewFailures, plural(s.Shift.Requests)) +
				byVersion(s.Shift)
			if s.LastFailure != "" {
				text += "; the last failure: " + s.LastFailure
			}
			return text
		}
		text := fmt.Sprintf("%d requests, %d new failures since the switch", s.Requests, s.NewFailures)
		if old := s.Failed - s.NewFailures; old > 0 {
			text += fmt.Sprintf(" and %d as before", old)
		}
		text += percentile(s) + versions(s) + divided(s.Shift)
		if s.LastFailure != "" {
			text += "; the last failure: " + s.LastFailure
		}
		return text
	case v1alpha1.ProofInconclusive:
		text := fmt.Sprintf("inconclusive: %d of %d requests say nothing about the application", s.Unseen, s.Requests+s.Unseen)
		if trouble != "" {
			text += ": " + trouble
		}
		if s.Failed > 0 {
			text += fmt.Sprintf("; of the others %d failed as before the switch", s.Failed)
		}
		return text
	case v1alpha1.ProofInterrupted:
		text := "interrupted"
		if s.InterruptedAt != nil {
			text += " at " + s.InterruptedAt.UTC().Format("15:04:05 UTC")
		}
		text += fmt.Sprintf(": %s counted, %d of them failed", plural(s.Requests), s.Failed)
		if s.Unseen > 0 {
			text += fmt.Sprintf(", %d more say nothing", s.Unseen)
		}
		return text + versions(s) + divided(s.Shift)
	case v1alpha1.ProofNotObserved:
		if trouble != "" {
			return "the public address was not observed: " + trouble
		}
		return "the public address was not observed: no request was answered after the switch"
	}
	return ""
}

// divided counts the answers while users were divided, by version if that is known.
func divided(s *v1alpha1.ProofShift) string {
	if s == nil {
		return ""
	}
	return fmt.Sprintf("; while users were divided %s, %d failed", plural(s.Requests), s.Failed) + byVersion(s)
}

func byVersion(s *v1alpha1.ProofShift) (text string) {
	for i, v := range s.Versions {
		sign := ","
		if i == 0 {
			sign = ":"
		}
		text += fmt.Sprintf("%s %d by %s", sign, v.Requests, v.Version)
		if v.Failed > 0 {
			text += fmt.Sprintf(" (%d failed)", v.Failed)
		}
	}
	return text
}

// requests counts all requests and the failed ones. Failures are as before the switch
// unless the text says otherwise.
func requests(s v1alpha1.ProofStatus) string {
	text := fmt.Sprintf("%s, %d failed", plural(s.Requests), s.Failed)
	if s.Failed > 0 && s.NewFailures == 0 && s.Result != v1alpha1.ProofMeasuring {
		text += " as before the switch"
	}
	return text
}

func plural(n int32) string {
	if n == 1 {
		return "1 request"
	}
	return fmt.Sprintf("%d requests", n)
}

func percentile(s v1alpha1.ProofStatus) string {
	if s.P99 == nil {
		return ""
	}
	return ", p99 " + prose.Latency(s.P99.Duration)
}

func versions(s v1alpha1.ProofStatus) string {
	text := ""
	if s.NewVersionAfter != nil {
		text = "; new version after " + prose.Latency(s.NewVersionAfter.Duration)
	}
	if old := s.OldVersionUntil; old != nil && s.NewVersionAfter != nil && old.Duration > s.NewVersionAfter.Duration {
		text += ", old one until " + prose.Latency(old.Duration)
	}
	return text
}
