package bot

import (
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/report"
)

// defaultApart is the least time between two writes to the same thread on GitHub.
const defaultApart = time.Second

// progressEvery is how often a comment is edited for minor changes, such as the number of
// ready pods.
const progressEvery = 10 * time.Minute

// settling is how long the first comment waits for the address of the build's log, which is
// known a moment after the build starts. That saves an edit, and the first state has its
// link.
const settling = 5 * time.Second

// confirming is how long the comment may wait after the switch for the soak to begin. A
// switch that is confirmed at once is then one edit, not two.
const confirming = 10 * time.Second

// pace keeps writes apart. A restart loses it, which costs an edit at most. The zero value
// is ready.
type pace struct {
	mu     sync.Mutex
	writes expiring[string, struct{}] // by thread: a pull request, or a deployment
	told   expiring[string, string]   // gists, by comment
}

// turn takes the next turn to write to a thread, or says how long to wait for it.
func (p *pace) turn(thread string, apart time.Duration) (wait time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, age, found := p.writes.get(thread, apart); found {
		return apart - age
	}
	p.writes.put(thread, struct{}{})
	return 0
}

// news says how long the edit of a comment may wait: not at all if the gist has changed.
func (p *pace) news(comment, gist string) (wait time.Duration) {
	if told, age, found := p.told.get(comment, progressEvery); found && told == gist {
		return progressEvery - age
	}
	return 0
}

// tell notes the present gist of a comment.
func (p *pace) tell(comment, gist string) { p.told.put(comment, gist) }

// unsettled is how long the first comment of a release should still wait.
func unsettled(rel *v1alpha1.Release) time.Duration {
	st := rel.Status
	begun := st.Step != "" && st.Step != v1alpha1.StepBuild
	if rel.Spec.Rollback != nil || st.Phase.Finished() || begun || st.Phase == v1alpha1.ReleaseUndoing {
		return 0
	}
	if st.Build != nil && st.Build.LogURL != "" {
		return 0
	}
	return min(settling, settling-time.Since(rel.CreationTimestamp.Time)) // clocks may differ
}

// unconfirmed is how long the comment about a switch should still wait.
func unconfirmed(rel *v1alpha1.Release) time.Duration {
	st := rel.Status
	if st.Phase != v1alpha1.ReleaseRunning || !report.Moved(rel) || st.Step == v1alpha1.StepSoak {
		return 0
	}
	return confirming - time.Since(st.Milestones.SwitchedAt.Time)
}
