package track

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/internal/prose"
)

const (
	// liveBlind is how long a migration waits for a look at the live pods, if Turnout cannot check
	// them.
	liveBlind = time.Minute
	// liveRecords is how often a look that shows nothing new is recorded: every write wakes watchers.
	liveRecords = 10 * time.Second
)

// LiveWatch is how the live version is watched from before a migration until users are moved.
type LiveWatch struct {
	// Looks at the pods before the migration.
	Looks int32
	// Interval from one look to the next.
	Interval time.Duration
	// Tolerance is how long ready pods may answer wrongly before the migration is blamed.
	Tolerance time.Duration
}

// LiveLook is one observation of the live version.
type LiveLook struct {
	SoakLook
	// Full is when the public address was asked for long enough before the migration; zero if it
	// is not asked, or was.
	Full time.Time
	// Breach is how the public address fails since the migration, and BreachFrom since when; ""
	// if it does not, or failed so before.
	Breach     string
	BreachFrom time.Time
}

// LiveOutcome is what a look at the live version shows.
type LiveOutcome int

// What a look at the live version shows.
const (
	LiveUnknown LiveOutcome = iota + 1 // how it fares without the migration is not known yet: look again, at LiveVerdict.At
	LiveWell                           // nothing, so far
	LiveFails                          // it fails, not for long yet
	LiveSuffers                        // it fails since the migration
)

// LiveVerdict is the conclusion from the looks so far.
type LiveVerdict struct {
	Outcome LiveOutcome
	// At is when to look again.
	At time.Time
	// Since is when it began to fail, for LiveFails and LiveSuffers.
	Since time.Time
	// Message is for people: how it fails.
	Message string
	// Evidence of a pod, if it was one.
	Evidence *v1alpha1.Evidence
	// Recovered says that it failed for a while, and is well again; "" if not.
	Recovered string
}

// NextAt is when the next look is due: the first one at once.
func (w LiveWatch) NextAt(s *v1alpha1.LiveStatus) time.Time {
	if s == nil || s.LastLookAt == nil {
		return time.Time{}
	}
	return s.LastLookAt.Add(w.Interval)
}

// Step adds a look; prev is nil before the first. What failed before the migration is recorded, and
// not blamed on it later. That Turnout could not look shows nothing.
func (w LiveWatch) Step(prev *v1alpha1.LiveStatus, l LiveLook) (v1alpha1.LiveStatus, LiveVerdict) {
	now := metav1.NewMicroTime(l.At)
	s := v1alpha1.LiveStatus{BeganAt: now}
	if prev != nil {
		s = *prev.DeepCopy()
	}
	if s.KnownAt == nil {
		s.LastLookAt = &now
		return s, w.before(&s, l)
	}
	v := LiveVerdict{Outcome: LiveWell, At: l.At.Add(w.Interval)}
	switch {
	case s.Before != "", l.Unseen != nil:
	case l.Problem == nil && s.FailingSince != nil:
		v.Recovered = fmt.Sprintf("the live version failed from %s to %s, since the migration", Clock(s.FailingSince.Time), Clock(l.At))
		s.FailingSince = nil
	case l.Problem != nil && s.FailingSince == nil:
		s.FailingSince = &now
	}
	if s.FailingSince != nil {
		v.Outcome, v.Since = LiveFails, s.FailingSince.Time
		v.Message = fmt.Sprintf("it could not be checked again: %v", l.Unseen)
	}
	if s.FailingSince != nil && l.Problem != nil {
		v.Message, v.Evidence = shown(l.Problem), l.Problem
		if l.At.Sub(v.Since) >= w.tolerance(l.Problem) {
			v.Outcome = LiveSuffers
		}
	}
	if l.Breach != "" && v.Outcome != LiveSuffers {
		v.Outcome, v.Since, v.Message, v.Evidence = LiveSuffers, l.BreachFrom, l.Breach, nil
	}
	if s.LastLookAt == nil || !prev.FailingSince.Equal(s.FailingSince) || l.At.Sub(s.LastLookAt.Time) >= liveRecords {
		s.LastLookAt = &now
	}
	return s, v
}

// before adds a look from before the migration.
func (w LiveWatch) before(s *v1alpha1.LiveStatus, l LiveLook) LiveVerdict {
	v := LiveVerdict{Outcome: LiveUnknown, At: l.At.Add(w.Interval)}
	switch {
	case l.Problem != nil:
		s.Looks++
		s.Before = prose.Line(shown(l.Problem), maxBefore)
	case l.Unseen == nil:
		s.Looks++
	case l.At.Sub(s.BeganAt.Time) >= liveBlind:
		s.Looks = w.Looks
		s.Before = prose.Line(fmt.Sprintf("could not be checked for %s: %v", liveBlind, l.Unseen), maxBefore)
	}
	if s.Looks >= w.Looks && !l.At.Before(l.Full) {
		v.Outcome, s.KnownAt = LiveWell, s.LastLookAt
	}
	if l.Full.After(l.At) && l.Full.Before(v.At) {
		v.At = l.Full
	}
	return v
}

// maxBefore bounds what was wrong before a migration, in bytes of JSON.
const maxBefore = 512

// tolerance is how long a problem may last. That too few pods are ready may have other reasons,
// such as a lost node.
func (w LiveWatch) tolerance(e *v1alpha1.Evidence) time.Duration {
	if e.Reason == notReady {
		return soakTolerance
	}
	return w.Tolerance
}

// SchemaWatch is why the live version is watched although no deploy or rollback is under way.
type SchemaWatch struct {
	// About identifies it: a new one begins anew.
	About string
	// Change names what changed the schema, for people.
	Change string
	// Release with that migration; nil if it is gone.
	Release *v1alpha1.Release
	// Job that still runs; "" if none does.
	Job string
	// Until is when it ends by itself; zero while something else ends it.
	Until time.Time
}

// WatchesSchema decides whether the live version is to be watched between releases: while a migration
// runs whose release has ended, for soak after a contract, and until the end of hold after a switch
// with a migration, or back from one.
func WatchesSchema(bg *v1alpha1.BlueGreen, routes Routes, releases []v1alpha1.Release, now time.Time) (SchemaWatch, bool) {
	live := routes.Live()
	for i := range releases {
		if r := &releases[i]; Migrating(r) && (r.Status.Failure != nil || r.Status.Phase.Finished()) && r.Status.Migration.ResumedAt != nil {
			job := r.Status.Migration.Job
			return SchemaWatch{
				About: "runs " + job + " " + string(live), Change: "job " + job + " is changing the schema of its database", Release: r, Job: job,
			}, true
		}
	}
	s, last := bg.Status.Schema, bg.Status.LastSwitch
	if s == nil {
		return SchemaWatch{}, false
	}
	if c := s.Contract; c != nil && c.EndedAt != nil && now.Before(c.EndedAt.Add(bg.Spec.SoakTime())) &&
		(last == nil || last.At.Before(c.EndedAt)) {
		return SchemaWatch{
			About: "contract " + c.UID, Change: "contract " + c.Release + " changed the schema of its database",
			Release: releaseNamed(releases, c.Release), Until: c.EndedAt.Add(bg.Spec.SoakTime()),
		}, true
	}
	if last == nil || last.Shrunk || live == "" || live != last.To.Color {
		return SchemaWatch{}, false
	}
	for _, e := range s.Expanded {
		if e.Release == last.Release || e.Release == last.From.Release {
			return SchemaWatch{
				About: "hold " + last.UID + " " + last.Kind, Change: e.Release + " changed the schema of its database",
				Release: releaseNamed(releases, e.Release),
			}, true
		}
	}
	return SchemaWatch{}, false
}

func releaseNamed(releases []v1alpha1.Release, name string) *v1alpha1.Release {
	for i := range releases {
		if releases[i].Name == name {
			return &releases[i]
		}
	}
	return nil
}

// Begin returns the status of the live version when such a watch begins. Of a migration that ran while
// the same version was live, its release knows how that one fared before; after a switch the soak
// has shown that the new one is well.
func (s SchemaWatch) Begin(now time.Time) v1alpha1.LiveStatus {
	at := metav1.NewMicroTime(now)
	began := v1alpha1.LiveStatus{BeganAt: at, KnownAt: &at}
	if s.Release == nil || s.Release.Status.Live == nil {
		return began
	}
	if s.Job != "" || s.Release.Spec.Contract != nil {
		began = *s.Release.Status.Live.DeepCopy()
		if began.KnownAt == nil {
			began.KnownAt = &at
		}
		return began
	}
	began.Address = s.Release.Status.Live.Address.DeepCopy()
	return began
}
