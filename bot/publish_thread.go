package bot

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// Publisher makes GitHub look like the record. It is level-triggered: call
// Publish whenever a release changed, twice if in doubt. Only the leader may run
// one, and has one call of Publish at a time for each application.
//
// It asks little of GitHub, see [Publisher.Publish] for what it leaves out: a
// release of one merge that runs through by itself costs at most 15 requests, and
// every further pull request of its push what its own comment costs.
type Publisher struct {
	GitHub *githubapp.Client
	Record Record
	// Web is GitHub's address for people. Default: https://github.com.
	Web string
	// Grace after a creation of unknown outcome. Default: 10 s.
	Grace time.Duration
	// Apart is the least time from one write to the next on the same pull request,
	// or deployment. Default: a second, as GitHub asks for (GitHub docs, "Best
	// practices for using the REST API").
	Apart time.Duration
	Log   *slog.Logger

	memory   memory
	pace     pace
	searches searches
	strays   strays
}

// thread is one call of Publish: a release among those of its application.
type thread struct {
	*Publisher
	app      *v1alpha1.BlueGreen
	apps     []v1alpha1.BlueGreen // of the repository, app among them
	releases []v1alpha1.Release   // newest first, with what was published last
	rel      *v1alpha1.Release    // one of them; nil if it is not listed
	again    time.Duration        // when something is left to do; 0 if nothing is
}

// later notes that something is left to do, the soonest of all that is.
func (t *thread) later(wait time.Duration) {
	if t.again == 0 || wait < t.again {
		t.again = wait
	}
}

// around is what a report of one of the releases needs to know beside it.
func (t *thread) around() report.Around {
	return report.Around{Web: t.Web, Applications: t.apps, Releases: t.releases}
}

// record changes status.github of a release, durably, then in memory.
func (t *thread) record(ctx context.Context, rel *v1alpha1.Release, change func(*v1alpha1.GitHubStatus)) error {
	next := rel.Status.GitHub.DeepCopy()
	change(next)
	if err := t.Record.PublishGitHub(ctx, rel, *next); err != nil {
		return fmt.Errorf("recording what was published of %s: %w", rel.Name, err)
	}
	rel.Status.GitHub = next
	t.memory.keep(rel.UID, next)
	return nil
}

// doubt is recorded when something is written once more that GitHub may have, or
// may still get, from before.
func (t *thread) doubt(ctx context.Context, rel *v1alpha1.Release) error {
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DoubtSince = timestamp() })
}

// timestamp is now, as the record keeps it.
func timestamp() *metav1.Time {
	now := metav1.Now()
	return &now
}

func (t *thread) grace() time.Duration {
	if t.Grace > 0 {
		return t.Grace
	}
	return defaultGrace
}

// defaultGrace is how long what may or may not have been created is waited for
// before it is looked for: what was just written may not be listed yet.
const defaultGrace = 10 * time.Second

func (t *thread) apart() time.Duration {
	if t.Apart > 0 {
		return t.Apart
	}
	return defaultApart
}

// strays are the releases that were said to be none of their application's. The
// zero value is ready.
type strays struct {
	seen expiring[releaseID, struct{}]
}

// strayAgain is how long after it was said a stray is not said again.
const strayAgain = 24 * time.Hour

// first reports whether a release was not said to be a stray before.
func (s *strays) first(uid releaseID) bool {
	_, _, known := s.seen.get(uid, strayAgain)
	if !known {
		s.seen.put(uid, struct{}{})
	}
	return !known
}
