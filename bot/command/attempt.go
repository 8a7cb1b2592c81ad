package command

import "github.com/turnout-dev/turnout/api/v1alpha1"

// MaxAttempt is the highest number of an attempt. Names with it still fit the 63 characters
// of a label.
const MaxAttempt = 99

// attemptAfter is the number of the next attempt. It follows the last one; if that is
// implausibly high, it is the first free number.
func attemptAfter(last int32, used map[int32]bool) int32 {
	next := last + 1
	if last >= MaxAttempt {
		next = 1
	}
	for next < MaxAttempt && used[next] {
		next++
	}
	return next
}

// nextDeploy is the number of the attempt that follows a deploy.
func (s Situation) nextDeploy(after *v1alpha1.Release) int32 {
	used := map[int32]bool{}
	for i := range s.Releases {
		if d := s.Releases[i].Spec.Deploy; d != nil && d.Commit == after.Spec.Deploy.Commit {
			used[d.Attempt] = true
		}
	}
	return attemptAfter(after.Spec.Deploy.Attempt, used)
}
