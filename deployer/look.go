package deployer

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// looking is one look at an application: what it reads, and the order of what it does.
type looking struct {
	holder string
	record interface {
		releaseWriter
		Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error)
		Work(ctx context.Context, app types.NamespacedName) ([]v1alpha1.Release, error)
		Claim(ctx context.Context, bg *v1alpha1.BlueGreen, rel *v1alpha1.Release, holder string, now time.Time) error
		Fresh(c *v1alpha1.Claim, holder string, now time.Time) bool
		StaleAt(c *v1alpha1.Claim) time.Time
		Renewal() time.Duration
	}
	known interface { // from the cache
		Application(ctx context.Context, key types.NamespacedName) (*v1alpha1.BlueGreen, error)
	}
	past interface { // for releases beyond the history
		Delete(ctx context.Context, obj client.Object, opts ...client.DeleteOption) error
	}
	beside      beside
	observing   observing
	borders     borders
	inspection  inspection
	takingUp    takingUp
	revoking    revoking
	queue       queue
	driving     driving
	upkeeping   upkeeping
	following   following
	keeping     keeping
	scaling     scaling
	minimum     minimum
	migrating   migrating
	contracting contracting
	held        heldWatching
	status      appStatus
	telling     telling
	withdrawal  withdrawal
}

// look reads an application and does what is due. It returns when to look again.
func (l looking) look(ctx context.Context, log *slog.Logger, key client.ObjectKey) (time.Duration, error) {
	defer l.beside.rest(key)
	released := aside(func() ([]v1alpha1.Release, error) { return l.record.Work(ctx, key) })
	routesOf := l.routesAhead(ctx, key)
	bg, err := l.record.Application(ctx, key)
	if apierrors.IsNotFound(err) || err == nil && bg.DeletionTimestamp != nil {
		l.beside.leave(key)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	releases, err := released()
	if err != nil {
		return 0, err
	}
	routes, err := routesOf(bg)
	if err != nil {
		return 0, err
	}
	o, err := l.observing.application(ctx, bg, releases, routes)
	if err != nil {
		return 0, err
	}
	before := bg.DeepCopy()
	noteMixed(bg, o, releases)
	l.beside.hear(bg, releases)
	w := &work{log: log, bg: bg, o: o, before: before}
	w.releases = l.recordable(w, releases)
	if err := l.run(ctx, w); err != nil {
		if errors.Is(err, record.ErrTooLarge) {
			l.telling.warn(w, "TooLarge", err.Error())
		}
		return 0, err
	}
	return w.again(), nil
}

// routesAhead begins to read the routes of an application whose claim this process holds, beside the
// record: nobody else moves its users and records that, so it does not matter if the record is read
// later than the routes. The result waits for them, or reads them if they must be newer than the record.
func (l looking) routesAhead(ctx context.Context, key client.ObjectKey) func(bg *v1alpha1.BlueGreen) (track.Routes, error) {
	observe := func(bg *v1alpha1.BlueGreen) (track.Routes, error) { return l.observing.routes.Observe(ctx, bg) }
	known, err := l.known.Application(ctx, key)
	if err != nil || !l.holds(known) {
		return observe
	}
	read := aside(func() (track.Routes, error) { return observe(known) })
	return func(bg *v1alpha1.BlueGreen) (track.Routes, error) {
		if !l.holds(bg) || bg.UID != known.UID || bg.Generation != known.Generation { // it may name another Ingress
			return observe(bg)
		}
		return read()
	}
}

// holds reports whether this process holds an application's claim.
func (l looking) holds(bg *v1alpha1.BlueGreen) bool {
	return bg.Status.Active != nil && bg.Status.Active.Holder == l.holder
}

// maxRequest bounds a release without its status, in bytes. etcd accepts objects of 1.5 MB, and
// the status needs room.
const maxRequest = 512 << 10

// recordable leaves out releases whose own text leaves no room for a status. Their outcome cannot
// be recorded, so an event reports it, and no other release waits for them.
func (l looking) recordable(w *work, all []v1alpha1.Release) []v1alpha1.Release {
	return slices.DeleteFunc(all, func(rel v1alpha1.Release) bool {
		if rel.Status.Phase.Finished() {
			return false
		}
		text, err := json.Marshal(v1alpha1.Release{ObjectMeta: rel.ObjectMeta, Spec: rel.Spec})
		if err == nil && len(text) <= maxRequest {
			return false
		}
		l.telling.warn(w, "TooLarge",
			fmt.Sprintf("release %s has %d bytes without its status (at most %d), so its progress cannot be recorded: it "+
				"is ignored; delete it, and ask again", rel.Name, len(text), maxRequest))
		return true
	})
}

// run is the order of one look: who holds the claim, what blocks releases, what acts, what waits,
// what needs cleaning up.
func (l looking) run(ctx context.Context, w *work) error {
	if c := w.bg.Status.Active; l.record.Fresh(c, l.holder, w.o.Now) {
		w.wakeAt(l.record.StaleAt(c))
		l.beside.giveUp(w.bg)
		return nil
	}
	noteSchema(w)
	noteContract(w)
	if err := l.borders.border(ctx, w); err != nil {
		return err
	}
	ready, err := l.inspection.inspect(ctx, w)
	if err != nil {
		return err
	}
	l.takingUp.seeRoutes(w)
	l.takingUp.takeUp(ctx, w)
	if err := l.revoking.stopRevoked(ctx, w); err != nil {
		return err
	}
	active := w.active()
	if active == nil {
		if active, err = l.queue.admit(ctx, w, ready); err != nil {
			return err
		}
	}
	if active, err = l.contracting.admit(ctx, w, active, ready); err != nil {
		return err
	}
	if active != nil {
		if err := l.driveActive(ctx, w, active); err != nil {
			return err
		}
	}
	l.migrating.settle(ctx, w)
	noteSchema(w)
	noteContract(w)
	l.withdrawal.note(w, active)
	if w.bg.Status.Active == nil {
		l.beside.endMeasurement(w.bg)
		if ready {
			if err := l.upkeeping.migrate(ctx, w); err != nil {
				// Nobody waits for it, so it must not stop the steps below.
				w.log.WarnContext(ctx, "the standby place will be changed later", "routes", w.o.Routes.String(), "error", err)
				w.wakeAt(w.o.Now.Add(retryShrink))
			}
		}
		if err := l.upkeeping.upkeep(ctx, w); err != nil {
			return err
		}
	}
	l.held.watch(ctx, w, active)
	l.following.follow(ctx, w, active)
	l.keeping.note(w)
	l.scaling.scale(ctx, w, active)
	l.minimum.minimums(ctx, w, active)
	if err := l.collect(ctx, w); err != nil {
		return err
	}
	return l.status.writeStatus(ctx, w)
}

// driveActive moves the release that holds the claim, and what may move beside it. When that
// release ends, it takes the next one.
func (l looking) driveActive(ctx context.Context, w *work, rel *v1alpha1.Release) error {
	takeover := w.bg.Status.Active != nil && w.bg.Status.Active.Holder != l.holder
	version := w.bg.ResourceVersion
	if err := l.record.Claim(ctx, w.bg, rel, l.holder, w.o.Now); err != nil {
		return err
	}
	if w.bg.ResourceVersion != version { // a fresh claim writes nothing
		w.before = w.bg.DeepCopy()
	}
	w.wakeAt(w.o.Now.Add(l.record.Renewal()))
	if takeover {
		// This write fences a holder that was only slow: that one's next write of the release,
		// which precedes any act, loses the race.
		read := rel.Status.DeepCopy()
		rel.Status.Message, rel.Status.Commands = "taken over by "+l.holder, nil
		if err := l.record.UpdateRelease(ctx, rel, read); err != nil {
			return err
		}
	}
	if err := l.driving.drive(ctx, w, rel, anyStep); err != nil {
		return err
	}
	if rel.Status.Phase.Finished() {
		w.bg.Status.Active = nil
		w.o.Routes = w.o.Routes.DuringRelease(nil)
		w.wakeAt(w.o.Now) // the next in the queue
		return nil
	}
	return l.queue.buildAhead(ctx, w, rel)
}

// collect deletes finished releases beyond the history.
func (l looking) collect(ctx context.Context, w *work) error {
	finished := 0
	for i := range w.releases { // newest first
		rel := &w.releases[i]
		if rel.Status.FinishedAt == nil {
			continue
		}
		finished++
		if last := w.bg.Status.LastSwitch; last != nil && last.UID == string(rel.UID) && !track.SwitchTakenUp(last, w.o.Routes.LoadBalancer) {
			continue // a person may still confirm its switch there
		}
		if finished <= int(w.bg.Spec.HistoryLimit) || w.o.Now.Sub(rel.Status.FinishedAt.Time) < v1alpha1.KeptFor {
			continue
		}
		if gone, err := l.migrating.remove(ctx, w.bg.Namespace, rel); !gone || err != nil {
			if err != nil {
				return fmt.Errorf("deleting the job of release %s, which is beyond spec.historyLimit: %w", rel.Name, err)
			}
			continue
		}
		if err := l.past.Delete(ctx, rel, client.Preconditions{UID: &rel.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting release %s, which is beyond spec.historyLimit: %w", rel.Name, err)
		}
	}
	return nil
}
