package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// liveInterval is the shortest time between two looks at the live version, once its migration
	// has ended: hours may pass until users are moved.
	liveInterval = 5 * time.Second
	// liveRate is how many requests a second go to the public address, at most: this may take
	// hours, and the users are the live version's.
	liveRate = 2
)

// liveWatching watches the version that users have, from before a migration until all users are moved,
// or until a contract has ended. From then on a deploy is judged by its own measurement, and
// [heldWatching] watches between releases.
type liveWatching struct {
	live    livePods
	probers *probers // of its own: a baseline of the measurement discards what came before
	address publicAddress
}

// watch looks at the live version, if the release has a migration. It returns a pause if the release
// may not take the step yet, and a fault if the live version suffers since the migration. Nothing is
// stopped that runs, and nobody is moved.
func (l liveWatching) watch(ctx context.Context, a *attempt, s v1alpha1.Step) (pause, error) {
	st := &a.rel.Status
	if !l.concerns(a, s) {
		l.probers.endOf(client.ObjectKeyFromObject(a.bg), string(a.rel.UID)) // another one is that of [heldWatching]
		return pause{}, nil
	}
	// While users are divided, the release's other looks must go on, and nothing of them ends by this
	// one: track.CannotRaise keeps the share from growing.
	divided := a.rel.LastWeight() != nil
	watch := liveWatchOf(a.bg, !track.Migrating(a.rel) && !divided && st.Live != nil && st.Live.KnownAt != nil)
	measured, err := l.measured(a)
	if err != nil {
		return pause{}, err
	}
	moves := !divided && (s == v1alpha1.StepShift || s == v1alpha1.StepWorkers || s == v1alpha1.StepSwitch)
	look := l.asked(a, measured)
	if at := watch.NextAt(st.Live); !moves && look.Breach == "" && a.o.Now.Before(at) {
		a.wakeAt(at)
		if st.Live.KnownAt == nil {
			return pause{until: at}, nil
		}
		return pause{}, nil
	}
	look.SoakLook = l.live.lookAt(ctx, a.work, watched(a))
	if ctx.Err() != nil {
		return pause{}, ctx.Err()
	}
	books, v := watch.Step(st.Live, look)
	known := st.Live == nil || st.Live.KnownAt == nil
	st.Live = &books
	a.wakeAt(v.At)
	if v.Recovered != "" {
		a.finding(v.Recovered)
	}
	switch v.Outcome {
	case track.LiveUnknown:
		return l.waitsToKnow(a, look, v), nil
	case track.LiveSuffers:
		if divided {
			l.tellDivided(a, v)
			return pause{}, nil
		}
		return pause{}, l.fault(a, v)
	case track.LiveFails:
		if moves {
			return waitsForLive(a, v), nil
		}
	case track.LiveWell:
		if known && books.KnownAt != nil {
			l.begin(a, measured)
		}
	}
	return pause{}, nil
}

// liveWatchOf is how an application's live version is watched. slow: hours may pass until it ends.
func liveWatchOf(bg *v1alpha1.BlueGreen, slow bool) track.LiveWatch {
	watch := track.LiveWatch{Looks: max(bg.Spec.Gate.Consecutive, 1), Interval: bg.Spec.Gate.Interval.Duration}
	watch.Tolerance = time.Duration(watch.Looks) * watch.Interval
	if slow {
		watch.Interval = max(watch.Interval, liveInterval)
	}
	return watch
}

// concerns reports whether the release is between its migration and its switch, or about to migrate. A
// migration that an earlier version of Turnout began has no look from before.
func (l liveWatching) concerns(a *attempt, s v1alpha1.Step) bool {
	st := a.rel.Status
	switch {
	case st.Failure != nil, watched(a).Replicas == 0: // nobody has users
		return false
	case a.rel.Spec.Contract != nil:
		return a.rel.Spec.Contract.Done == "" && (st.Live != nil || st.Migration == nil)
	case a.rel.Spec.Kind != v1alpha1.Deploy, st.Milestones.SwitchIntendedAt != nil:
		return false
	}
	return st.Live != nil || s == v1alpha1.StepExpand && st.Migration == nil
}

// watched is the version that users have while a release migrates.
func watched(a *attempt) track.Side {
	if a.rel.Spec.Contract != nil {
		return a.o.Sides[a.o.Routes.Live()]
	}
	return a.o.Previous
}

// measured is the prober of the public address; nil if there is none to ask. Before the migration it
// takes a baseline. Another process continues with that of the record.
func (l liveWatching) measured(a *attempt) (*measurement, error) {
	key, uid, st := client.ObjectKeyFromObject(a.bg), string(a.rel.UID), a.rel.Status.Live
	if a.bg.Spec.URL == "" || a.bg.Spec.Proof.BaselineTime() == 0 {
		return nil, nil
	}
	if a.rel.LastWeight() != nil { // both versions answer, which the release measures itself
		l.probers.end(key)
		return nil, nil
	}
	m := l.probers.get(key, uid)
	known := st != nil && st.KnownAt != nil
	if m != nil || known && st.Address == nil {
		return m, nil
	}
	c := l.address.proofConfig(a.bg, a.o.Routes)
	c.Rate = min(c.Rate, liveRate)
	if known {
		c.From = proof.Resume(*st.Address, st.KnownAt.Time)
	}
	m, err := l.probers.begin(key, uid, c)
	switch {
	case err != nil:
		return nil, err
	case known:
		m.AskOn()
	default:
		m.TakeBaseline(a.bg.Spec.Proof.BaselineTime())
	}
	return m, nil
}

// asked is what the public address shows.
func (l liveWatching) asked(a *attempt, m *measurement) track.LiveLook {
	st := a.rel.Status.Live
	switch {
	case m == nil:
		return track.LiveLook{}
	case st != nil && st.KnownAt != nil:
		r := m.Read()
		if r.Breach == "" {
			return track.LiveLook{}
		}
		return track.LiveLook{Breach: a.bg.Spec.URL + ": " + r.Breach, BreachFrom: r.BreachFrom}
	case a.o.Now.Before(m.FullAt()):
		return track.LiveLook{Full: m.FullAt()}
	case !m.Settled(): // the last answers are part of the baseline
		return track.LiveLook{Full: a.o.Now.Add(settling)}
	}
	return track.LiveLook{}
}

// begin is the moment from which failures count against the migration.
func (l liveWatching) begin(a *attempt, m *measurement) {
	st := a.rel.Status.Live
	if st.Before != "" {
		a.finding("the live version is not judged by its pods while the schema changes, because they failed before: " + st.Before)
	}
	if m == nil {
		return
	}
	st.Address = m.Read().As(v1alpha1.ProofMeasuring)
	m.Switch(st.KnownAt.Time)
}

// waitsToKnow is the wait until it is known how the live version fares without the migration.
func (l liveWatching) waitsToKnow(a *attempt, look track.LiveLook, v track.LiveVerdict) pause {
	object, until := watched(a).Deployment, v.At
	if look.Full.After(until) {
		object, until = a.bg.Spec.URL, look.Full
	}
	waits := track.WaitsForObject(v1alpha1.WaitsForBaseline, "", object)
	waits.Until = track.Stamp(until)
	return pause{
		until: v.At, message: "takes a baseline of " + object + " until " + track.Clock(until) + ", before the migration", waits: waits,
	}
}

// waitsForLive is the wait of a step that would move users or tasks.
func waitsForLive(a *attempt, v track.LiveVerdict) pause {
	waits := track.WaitsForObject(v1alpha1.WaitsForLive, "", a.o.Previous.Deployment)
	waits.Since, waits.Detail = track.Stamp(v.Since), v.Message
	return pause{
		until: v.At, waits: waits,
		message: "the live version, deployment " + a.o.Previous.Deployment + ", fails since " + track.Clock(v.Since) + ": " + v.Message,
	}
}

// tellDivided says that the version suffers which the other users of a canary have. Its users stay, and
// so do those of the new version: nothing shows that they would be better off elsewhere.
func (l liveWatching) tellDivided(a *attempt, v track.LiveVerdict) {
	a.finding(fmt.Sprintf("the version that the other users have, %s, suffers since %s, and did not before this release's migration: %s; "+
		"nobody else is moved meanwhile. Look at the database; /cancel brings all users back to that version",
		a.rel.Status.Milestones.Previous.Short(), track.Clock(v.Since), v.Message))
}

// fault ends a release whose migration makes the live version suffer. The migration is not killed: a
// person decides about data.
func (l liveWatching) fault(a *attempt, v track.LiveVerdict) error {
	st := a.rel.Status
	f := releaseFault(v1alpha1.FailedLiveSuffers, "the live version %s suffers since %s, and did not before this release's migration: %s",
		watchedVersion(a).Short(), track.Clock(v.Since), v.Message)
	f.about.since = &metav1.Time{Time: v.Since}
	if v.Evidence != nil {
		f.evidence = []v1alpha1.Evidence{*v.Evidence}
	}
	switch m := st.Migration; {
	case m == nil:
	case track.Migrating(a.rel):
		f.message += fmt.Sprintf("; users were not moved, and job %s runs on: look at the database, and stop the job if it is the cause", m.Job)
		f.commands = stopsMigration(a.bg, m.Job)
	default:
		f.message += fmt.Sprintf("; users were not moved; job %s ended at %s, and Turnout does not revert it: look at the database", m.Job,
			track.Clock(m.EndedAt.Time))
		f.commands = v1alpha1.Commands(v1alpha1.Shell("kubectl", "logs", "job/"+m.Job, "-n", a.bg.Namespace, "--all-containers"))
	}
	return f
}

// watchedVersion is the version that users have while a release migrates, as the release knows it.
func watchedVersion(a *attempt) v1alpha1.Version {
	if p := a.rel.Status.Milestones.Previous; p != nil {
		return *p
	}
	return version(watched(a))
}

// stopsMigration are the commands that show what a migration does, and stop it.
func stopsMigration(bg *v1alpha1.BlueGreen, job string) []v1alpha1.ShellCommand {
	return v1alpha1.Commands(
		v1alpha1.Shell("kubectl", "logs", "job/"+job, "-n", bg.Namespace, "--all-containers"),
		v1alpha1.Shell("kubectl", "patch", "job", job, "-n", bg.Namespace, "--type", "merge", "-p", `{"spec":{"suspend":true}}`))
}
