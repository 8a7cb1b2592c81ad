package bot_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// side is a process that publishes a release, inside a bubble.
func (w *world) side(t *testing.T, e *effects, name string) (ended chan struct{}) {
	t.Helper()
	e.memoryRecord, e.github = w.record, direct{w.github}
	p := w.publisherOver(e)
	p.Record, p.Grace, p.Apart = e, 0, 0
	ended = make(chan struct{})
	go func() {
		defer close(ended)
		e.run(t, p, name)
	}()
	return ended
}

// A process stands still and is taken over, at each of its writes in turn, and then goes on: with the
// write that it was about to make, or after its intent. Nothing that its successor wrote down is erased, so in
// the end GitHub shows the release once.
func TestProcessThatStoodStillErasesNothing(t *testing.T) {
	t.Parallel()
	world := func() (*world, string) {
		w := newWorld(t)
		_, rel := ended(w)
		return w, rel.Name
	}
	var quiet effects
	w, name := world()
	w.publish(name, &quiet)
	want := w.shown()
	if len(want) != 2 || len(quiet.seen) < 5 {
		t.Fatalf("GitHub shows %q after the writes %q", want, quiet.seen)
	}
	for i, what := range quiet.seen {
		t.Run(what, func(t *testing.T) {
			w, name := world()
			w.app.SetWebhookURL("")
			begin := time.Now()
			synctest.Test(t, func(t *testing.T) {
				time.Sleep(time.Until(begin))
				still := &effects{nth: i + 1, late: newHold()}
				first := w.side(t, still, name)
				<-still.late.reached
				second := w.side(t, &effects{}, name)
				time.Sleep(30 * time.Second) // the successor has looked, and made what was missing
				close(still.late.goOn)
				<-first
				<-second
			})
			active := slices.DeleteFunc(w.shown(), func(line string) bool {
				return strings.HasPrefix(line, "deploy: ") && strings.HasSuffix(line, " inactive")
			})
			if diff := cmp.Diff(want, active); diff != "" {
				t.Errorf("GitHub shows (-want +got):\n%s\nall of it: %q", diff, w.shown())
			}
		})
	}
}

// A process that stood still between its intent and the request makes nothing: whoever took over makes
// it.
func TestNothingIsMadeAfterAStandstill(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, rel := ended(w)
	since := len(w.github.Requests())
	w.app.SetWebhookURL("")
	begin := time.Now()
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(begin))
		e := &effects{memoryRecord: w.record, github: direct{w.github}}
		p := w.publisherOver(e)
		p.Record, p.Apart = standstill{e}, 0
		for range 3 {
			again, err := p.Publish(t.Context(), rel)
			if err != nil || again <= 0 {
				t.Errorf("it is to be called again in %s, %v; want an attempt later", again, err)
			}
		}
	})
	if got := w.arrived(since); len(got) > 0 {
		t.Errorf("GitHub got %v", got)
	}
}

// standstill lets time pass after every write of the record.
type standstill struct{ *effects }

func (s standstill) PublishGitHub(ctx context.Context, rel *v1alpha1.Release, status v1alpha1.GitHubStatus) error {
	err := s.effects.PublishGitHub(ctx, rel, status)
	time.Sleep(6 * time.Second)
	return err
}

// What a process remembers of a release may be older than what it reads: another one has published
// meanwhile. That stays.
func TestMemoryThatIsBehindTheRecordErasesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_, rel := ended(w)
	p := w.publisher()
	untilPublished(t, w, p, rel.Name)
	read := func() *v1alpha1.Release { return w.record.change(rel.Name, func(*v1alpha1.Release) {}) }
	theirs, now := v1alpha1.CommentStatus{PullRequest: 99, ID: 5, Digest: "theirs"}, read()
	next := now.Status.GitHub.DeepCopy()
	next.Comments = append(next.Comments, theirs)
	check(t, w.record.PublishGitHub(t.Context(), now, *next))
	w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, v1alpha1.ReleaseFailed) })
	before := len(w.github.Requests())
	for range 2 { // the first one notices
		_, err := p.Publish(t.Context(), read())
		check(t, err)
	}
	if len(w.github.Requests()) == before {
		t.Fatal("nothing was published, so nothing could be erased")
	}
	if got := read().Status.GitHub.Comments; !slices.Contains(got, theirs) {
		t.Errorf("the record has the comments %+v, without the other process's", got)
	}
}
