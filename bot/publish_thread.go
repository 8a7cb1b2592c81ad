package bot

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubapp"
	"github.com/turnout-dev/turnout/bot/report"
)

// Publisher makes GitHub look like the record. It is level-triggered: call Publish whenever
// a release changed, twice if in doubt. Only the leader may run one, with one call of
// Publish at a time for each application.
//
// It makes few requests: at most 15 for the release of one merge that succeeds at once,
// plus one comment for every further pull request of the push. [Publisher.Publish] says
// what it leaves out.
type Publisher struct {
	GitHub *githubapp.Client
	Record Record
	// Known reads what Publish is called for. It may lag behind Record: what changed since then is
	// not written over, and leads to another call.
	Known interface {
		Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error)
		Releases(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)
	}
	// Web is the address of GitHub's pages. Default: https://github.com.
	Web string
	// Grace is how long to wait after a creation of unknown outcome. Default: 10 s.
	Grace time.Duration
	// Apart is the least time between two writes to the same pull request or deployment.
	// Default: a second, as GitHub asks for (GitHub docs, "Best practices for using the
	// REST API").
	Apart time.Duration
	Log   *slog.Logger

	memory   memory
	known    expiring[string, []v1alpha1.BlueGreen] // by repository, see neighbours
	pace     pace
	searches searches
	strays   strays
}

// thread is one call of Publish, for one release among those of its application.
type thread struct {
	*Publisher
	app      *v1alpha1.BlueGreen
	apps     []v1alpha1.BlueGreen // the repository's, including app
	releases []v1alpha1.Release   // newest first, with the last published status
	rel      *v1alpha1.Release    // one of them; nil if it is not listed
	again    time.Duration        // when to call again; 0 if nothing is left to do

	// recorded is what the record has of the releases with notes: their Status.GitHub is newer.
	recorded map[releaseID]*v1alpha1.GitHubStatus
}

// later asks for another call. The soonest one counts.
func (t *thread) later(wait time.Duration) {
	if t.again == 0 || wait < t.again {
		t.again = wait
	}
}

// around is what the report of a release needs beside it.
func (t *thread) around() report.Around {
	return report.Around{Web: t.Web, Applications: t.apps, Releases: t.releases}
}

// note changes a release's status.github by the outcome of a request. The next record of the release
// writes it, at the latest [thread.recordNotes]: every write of the record delays the releases that
// are on their way. If the process ends before, the next one finds an intent without an outcome.
func (t *thread) note(rel *v1alpha1.Release, change func(*v1alpha1.GitHubStatus)) {
	if _, noted := t.recorded[rel.UID]; !noted {
		t.recorded[rel.UID] = rel.Status.GitHub
	}
	rel.Status.GitHub = rel.Status.GitHub.DeepCopy()
	change(rel.Status.GitHub)
}

// record changes a release's status.github, durably, then in memory, such as by an intent. If another
// process has written it, what this one remembers is wrong.
func (t *thread) record(ctx context.Context, rel *v1alpha1.Release, change func(*v1alpha1.GitHubStatus)) error {
	next := rel.Status.GitHub.DeepCopy()
	change(next)
	read := *rel
	if recorded, noted := t.recorded[rel.UID]; noted {
		read.Status.GitHub = recorded
	}
	err := t.Record.PublishGitHub(ctx, &read, *next)
	rel.ResourceVersion = read.ResourceVersion
	if err != nil {
		if errors.Is(err, ErrRace) {
			t.memory.forget(rel.UID)
		}
		return fmt.Errorf("recording what was published of %s: %w", rel.Name, err)
	}
	delete(t.recorded, rel.UID)
	rel.Status.GitHub = next
	t.memory.keep(rel.UID, next)
	return nil
}

// recordNotes records what is only noted.
func (t *thread) recordNotes(ctx context.Context) error {
	var errs []error
	for i := range t.releases {
		if _, noted := t.recorded[t.releases[i].UID]; noted {
			errs = append(errs, t.record(ctx, &t.releases[i], func(*v1alpha1.GitHubStatus) {}))
		}
	}
	return errors.Join(errs...)
}

// doubt records that something is written again although an earlier request may have
// written it, or may still do so.
func (t *thread) doubt(ctx context.Context, rel *v1alpha1.Release) error {
	return t.record(ctx, rel, func(s *v1alpha1.GitHubStatus) { s.DoubtSince = timestamp() })
}

// errStoodStill: another process may have taken over, and made what this one was about to make.
var errStoodStill = errors.New("this process stood still before a request to GitHub; it will look there first")

// inTime reports whether to make what was intended then. Whoever takes over waits for the whole grace
// before making it, too.
func inTime(intended *metav1.Time) error {
	if time.Since(intended.Time) > defaultGrace/2 {
		return errStoodStill
	}
	return nil
}

// timestamp is now, in the precision of the record.
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

// defaultGrace is how long to wait before looking for something that may have been created:
// GitHub may not list it at once.
const defaultGrace = 10 * time.Second

func (t *thread) apart() time.Duration {
	if t.Apart > 0 {
		return t.Apart
	}
	return defaultApart
}

// strays are the releases that were logged as not belonging to their application. The zero
// value is ready.
type strays struct {
	seen expiring[releaseID, struct{}]
}

// strayAgain is after what time a stray is logged again.
const strayAgain = 24 * time.Hour

// first reports whether a release was not logged as a stray before.
func (s *strays) first(uid releaseID) bool {
	_, _, known := s.seen.get(uid, strayAgain)
	if !known {
		s.seen.put(uid, struct{}{})
	}
	return !known
}
