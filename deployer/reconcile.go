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
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// afterRace is when to look again after a lost race. The other's write wakes us as well, but users
// may be waiting for a switch; even if every race is lost, that is at most twenty looks a second.
const afterRace = 50 * time.Millisecond

// Reconcile looks at one application and does what is due. It reads everything on which it decides
// anew, so it may run at any time, any number of times.
func (d *Deployer) Reconcile(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
	log := d.Log.With("bluegreen", req.String())
	ctx, end := d.looks.begin(ctx, req.NamespacedName)
	defer end()
	again, err := d.reconcile(ctx, log, req.NamespacedName)
	switch {
	case err == nil:
		return reconcile.Result{RequeueAfter: again}, nil
	case errors.Is(context.Cause(ctx), errRollback):
		log.InfoContext(ctx, "look cancelled for a rollback", "error", err)
		return reconcile.Result{RequeueAfter: time.Millisecond}, nil
	case apierrors.IsNotFound(err):
		return reconcile.Result{}, nil
	case errors.Is(err, record.ErrHeld):
		log.DebugContext(ctx, "lost a race", "error", err)
		return reconcile.Result{RequeueAfter: afterRace}, nil
	}
	if newer, ok := errors.AsType[*v1alpha1.NewerFormatError](err); ok {
		d.leaveToNewer(ctx, log, req.NamespacedName, newer)
		return reconcile.Result{RequeueAfter: safetyNet}, nil
	}
	return reconcile.Result{}, err
}

func (d *Deployer) reconcile(ctx context.Context, log *slog.Logger, key client.ObjectKey) (time.Duration, error) {
	bg, err := d.Record.Application(ctx, key)
	if apierrors.IsNotFound(err) || err == nil && bg.DeletionTimestamp != nil {
		d.leave(key)
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	o, err := d.observeApplication(ctx, bg)
	if err != nil {
		return 0, err
	}
	releases, err := d.Record.Work(ctx, key)
	if err != nil {
		return 0, err
	}
	d.looks.know(bg, releases)
	d.calls.keep(key, unfinished(releases))
	d.calls.hear(key, commandsOf(releases))
	w := &work{d: d, log: log, bg: bg, o: o, before: bg.DeepCopy()}
	w.releases = looking{w}.recordable(releases)
	if err := (looking{w}).run(ctx); err != nil {
		if errors.Is(err, record.ErrTooLarge) {
			telling{w}.warn("TooLarge", err.Error())
		}
		return 0, err
	}
	return looking{w}.again(), nil
}

// maxRequest bounds a release without its status, in bytes: etcd accepts objects of 1.5 MB, and there
// must be room for a status.
const maxRequest = 512 << 10

// recordable leaves out releases whose own text leaves no room for a status. Their fate cannot be
// recorded, so an event reports it, and no other release waits for them.
func (w looking) recordable(all []v1alpha1.Release) []v1alpha1.Release {
	return slices.DeleteFunc(all, func(rel v1alpha1.Release) bool {
		if rel.Status.Phase.Finished() {
			return false
		}
		text, err := json.Marshal(v1alpha1.Release{ObjectMeta: rel.ObjectMeta, Spec: rel.Spec})
		if err == nil && len(text) <= maxRequest {
			return false
		}
		telling(w).warn("TooLarge",
			fmt.Sprintf("release %s has %d bytes without its status (at most %d), so that nothing can be written down of it: it "+
				"is ignored; delete it, and ask again", rel.Name, len(text), maxRequest))
		return true
	})
}

// unfinished are the UIDs of the releases that have not ended.
func unfinished(releases []v1alpha1.Release) map[string]bool {
	uids := map[string]bool{}
	for i := range releases {
		if !releases[i].Status.Phase.Finished() {
			uids[string(releases[i].UID)] = true
		}
	}
	return uids
}

// commandsOf are people's commands in the releases.
func commandsOf(releases []v1alpha1.Release) map[string]bool {
	all := map[string]bool{}
	for i := range releases {
		uid, spec := string(releases[i].UID), releases[i].Spec
		all["release "+uid] = spec.Cause.Kind != v1alpha1.CausePush
		all["approve "+uid] = spec.Approval != nil
		all["cancel "+uid] = spec.Cancel != nil
	}
	return all
}

// run is the order of one look: who holds the claim, what blocks releases, what acts, what waits,
// what is left to clean up.
func (w looking) run(ctx context.Context) error {
	if c := w.bg.Status.Active; w.d.Record.Fresh(c, w.d.Holder, w.o.Now) {
		w.wakeAt(w.d.Record.StaleAt(c))
		w.d.probers.end(client.ObjectKeyFromObject(w.bg))
		w.d.calls.leave(client.ObjectKeyFromObject(w.bg))
		return nil
	}
	if err := borders(w).border(ctx); err != nil {
		return err
	}
	ready, err := inspection(w).inspect(ctx)
	if err != nil {
		return err
	}
	takingUp(w).seeRoutes()
	takingUp(w).takeUp(ctx)
	if err := revoking(w).stopRevoked(ctx); err != nil {
		return err
	}
	active := w.active()
	if active == nil {
		if active, err = queue(w).admit(ctx, ready); err != nil {
			return err
		}
	}
	if active != nil {
		if err := w.driveActive(ctx, active); err != nil {
			return err
		}
	}
	if w.bg.Status.Active == nil {
		w.d.probers.end(client.ObjectKeyFromObject(w.bg))
		if ready {
			if err := upkeeping(w).migrate(ctx); err != nil {
				// Nobody waits for it, and everything below must not.
				w.log.WarnContext(ctx, "the standby host will be changed later", "ingress", w.o.Routes.Name, "error", err)
				w.wakeAt(w.o.Now.Add(retryShrink))
			}
		}
		if err := upkeeping(w).upkeep(ctx); err != nil {
			return err
		}
	}
	minimum(w).minimums(ctx, active)
	if err := w.collect(ctx); err != nil {
		return err
	}
	return appStatus(w).writeStatus(ctx)
}

// driveActive moves the release that holds the claim, and whatever may move beside it, and takes the
// next one when it ends.
func (w looking) driveActive(ctx context.Context, rel *v1alpha1.Release) error {
	takeover := w.bg.Status.Active != nil && w.bg.Status.Active.Holder != w.d.Holder
	version := w.bg.ResourceVersion
	if err := w.d.Record.Claim(ctx, w.bg, rel, w.d.Holder, w.o.Now); err != nil {
		return err
	}
	if w.bg.ResourceVersion != version { // a claim that need not be renewed writes nothing
		w.before = w.bg.DeepCopy()
	}
	w.wakeAt(w.o.Now.Add(w.d.Record.Renewal()))
	if takeover {
		// This write fences a holder that was only slow: its next write of the release, which
		// comes before any act, loses the race.
		read := rel.Status.DeepCopy()
		rel.Status.Message, rel.Status.Commands = "taken over by "+w.d.Holder, nil
		if err := w.d.Record.UpdateRelease(ctx, rel, read); err != nil {
			return err
		}
	}
	if err := driving(w).drive(ctx, rel, anyStep); err != nil {
		return err
	}
	if rel.Status.Phase.Finished() {
		w.bg.Status.Active = nil
		w.wakeAt(w.o.Now) // the next in the queue
		return nil
	}
	return queue(w).buildAhead(ctx, rel)
}

// collect deletes finished releases beyond the history.
func (w looking) collect(ctx context.Context) error {
	finished := 0
	for i := range w.releases { // newest first
		rel := &w.releases[i]
		if rel.Status.FinishedAt == nil {
			continue
		}
		finished++
		if last := w.bg.Status.LastSwitch; last != nil && last.UID == string(rel.UID) && !track.SwitchTakenUp(last, w.o.Routes.LoadBalancer) {
			continue // a person may still confirm there that it was taken up
		}
		if finished <= int(w.bg.Spec.HistoryLimit) || w.o.Now.Sub(rel.Status.FinishedAt.Time) < v1alpha1.KeptFor {
			continue
		}
		if err := w.d.Client.Delete(ctx, rel, client.Preconditions{UID: &rel.UID}); client.IgnoreNotFound(err) != nil {
			return fmt.Errorf("deleting release %s, which is beyond spec.historyLimit: %w", rel.Name, err)
		}
	}
	return nil
}
