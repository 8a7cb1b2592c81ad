package deployer

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/events"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild"
	"github.com/turnout-dev/turnout/deployer/gate"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/record"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/urlmap"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// Deployer moves the releases of applications along their tracks. It is a
// reconciler keyed by BlueGreen. All fields are required unless they say so.
type Deployer struct {
	// Client writes, and reads through a cache.
	Client client.Client
	// Record holds releases and the claim.
	Record *record.Record
	// Repositories is the ledger of first contacts.
	Repositories *record.Repositories
	// Routes reads and patches Ingresses.
	Routes *route.Router
	// Workloads reads and patches Deployments.
	Workloads *workload.Workloads
	// Pods is how the gate reaches pods.
	Pods gate.Access
	// Google has Cloud Build and the store of sources.
	Google Google
	// Source is what the deployer needs to know of repositories.
	Source Source
	// Holder names this process in claims. It must be unique.
	Holder string
	// BuildPace is how often a build is looked at; the zero value is 5 to 10 s.
	BuildPace cloudbuild.Pace
	// BuildGrace is how long after an intent without an outcome the search for
	// its build is repeated before another one is started: the list may lag
	// behind. The zero value is a minute.
	BuildGrace time.Duration
	// BuildRetry is the pause before a build that Cloud Build lost is made anew;
	// the second time it is twice that. The zero value is 15 s.
	BuildRetry time.Duration
	// PolicyLag is how long after it was written the admission policy may not be in
	// force yet. The zero value is [policy.Lag].
	PolicyLag time.Duration
	// BackOff is the pause after a call to GitHub, Cloud Build or Cloud Storage that
	// failed; it doubles with every failure in a row, up to 2 minutes. The zero value
	// is half a second.
	BackOff time.Duration
	// TakeUp is how long a load balancer that does not tell is given to use new
	// routes. The zero value is 5 s, and 3 minutes for Google's.
	TakeUp time.Duration
	// Namespaced: there is no right to watch Namespaces. A grant is then seen at the
	// next look, not at once. Optional.
	Namespaced bool
	// AllowAddresses are ranges besides the public ones in which an application's
	// address may be, see [publicnet.Allowed]. Optional.
	AllowAddresses []netip.Prefix
	// Proxy that the public address is asked through. Optional: by default none is,
	// whatever the environment says.
	Proxy *url.URL
	// AskEvery is how often the public address is asked who answers there, as long as
	// nothing says that a switch was taken up. The zero value is 15 s.
	AskEvery time.Duration
	// URLMaps reads the URL maps of Google's load balancers. Optional: by default
	// none is read.
	URLMaps *urlmap.Client
	// UserAgent is how the public address is asked, see [proof.UserAgent]. Optional.
	UserAgent string
	// Resolve looks up the addresses of a standby host that an owner chose, see
	// [preflight.Sources]. Optional.
	Resolve func(ctx context.Context, host string) ([]string, error)
	// Events tells users of conditions. Optional.
	Events events.EventRecorder
	// Observer is told of steps and outcomes, for metrics. Optional.
	Observer Observer
	// Log is the destination of the deployer's log.
	Log *slog.Logger

	registryTLS *tls.Config // of tests
	probers     probers
	asks, maps  asks // the public addresses, and the URL maps
	facts       preflight.Collector
	attestation attestation
	calls       calls
	reaches     reaches
	looks       looks
}

// Observer is told what happened, for metrics.
type Observer interface {
	// StepEnded says that a step of a release took a time.
	StepEnded(app client.ObjectKey, step v1alpha1.Step, took time.Duration)
	// ReleaseEnded says how a release ended.
	ReleaseEnded(app client.ObjectKey, kind v1alpha1.ReleaseKind, phase v1alpha1.ReleasePhase)
	// Switched says that traffic moved; kind is Deploy, Rollback or Restore.
	Switched(app client.ObjectKey, kind string)
	// Asked says what an answer of the public address told: served, failed or
	// unseen.
	Asked(app client.ObjectKey, told string)
	// Proved says how a proof ended, and when the new version was first seen after
	// the switch; 0 if it was not.
	Proved(app client.ObjectKey, result v1alpha1.ProofResult, newVersionAfter time.Duration)
}

// safetyNet is how long nothing is looked at if no watch tells of a change.
const safetyNet = 5 * time.Minute

// afterRace is when to look again after a lost race. The other's write wakes us
// as well, but users may be waiting for a switch; a race lost again and again
// costs no more than twenty looks a second.
const afterRace = 50 * time.Millisecond

// Reconcile looks at one application and does what is due. Everything it
// decides on is read anew, so that it may run at any time, any number of times.
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
	w.releases = w.recordable(releases)
	if err := w.run(ctx); err != nil {
		if errors.Is(err, record.ErrTooLarge) {
			w.warn("TooLarge", err.Error())
		}
		return 0, err
	}
	return w.again(), nil
}

// maxRequest bounds the request for a release, in bytes: etcd takes objects of 1.5
// MB, and there must be room for a status.
const maxRequest = 512 << 10

// recordable leaves out releases whose own text leaves no room for a status. What
// becomes of them cannot be written down, so they are told of by an event, and keep
// no other release waiting.
func (w *work) recordable(all []v1alpha1.Release) []v1alpha1.Release {
	return slices.DeleteFunc(all, func(rel v1alpha1.Release) bool {
		if rel.Status.Phase.Finished() {
			return false
		}
		text, err := json.Marshal(v1alpha1.Release{ObjectMeta: rel.ObjectMeta, Spec: rel.Spec})
		if err == nil && len(text) <= maxRequest {
			return false
		}
		w.warn("TooLarge", fmt.Sprintf("release %s has %d bytes without its status (at most %d), so that nothing can be written down of it: it "+
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

// commandsOf are what people asked for, as the releases have it.
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

// work is one look at one application.
type work struct {
	d        *Deployer
	log      *slog.Logger
	bg       *v1alpha1.BlueGreen
	before   *v1alpha1.BlueGreen // as last written
	o        track.Observed
	releases []v1alpha1.Release // newest first
	wake     time.Time          // when to look again; zero: not before a change
	// barred is why nothing may be asked of the repository; nil if it may.
	barred error
	// granted is what the namespace is granted.
	granted v1alpha1.Grants
	// revoked: the namespace is not granted what the application needs.
	revoked bool
	// identified: the repository is the one that was first met.
	identified bool
	turn       *turn // of the queue: what it asks of the world outside
}

// run is the order of one look: who holds the claim, what hinders, what acts,
// what waits, what is left to clean up.
func (w *work) run(ctx context.Context) error {
	if c := w.bg.Status.Active; w.d.Record.Fresh(c, w.d.Holder, w.o.Now) {
		w.wakeAt(w.d.Record.StaleAt(c))
		w.d.probers.end(client.ObjectKeyFromObject(w.bg))
		w.d.calls.leave(client.ObjectKeyFromObject(w.bg))
		return nil
	}
	if err := w.border(ctx); err != nil {
		return err
	}
	ready, err := w.inspect(ctx)
	if err != nil {
		return err
	}
	w.seeRoutes()
	w.takeUp(ctx)
	if err := w.stopRevoked(ctx); err != nil {
		return err
	}
	active := w.active()
	if active == nil {
		if active, err = w.admit(ctx, ready); err != nil {
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
			if err := w.migrate(ctx); err != nil {
				// Nobody waits for it, and everything below must not.
				w.log.WarnContext(ctx, "the standby host will be changed later", "ingress", w.o.Routes.Name, "error", err)
				w.wakeAt(w.o.Now.Add(retryShrink))
			}
		}
		if err := w.upkeep(ctx); err != nil {
			return err
		}
	}
	w.minimums(ctx, active)
	if err := w.collect(ctx); err != nil {
		return err
	}
	return w.writeStatus(ctx)
}

// active returns the unfinished release that the claim names. A claim on one
// that is finished or gone is void.
func (w *work) active() *v1alpha1.Release {
	c := w.bg.Status.Active
	if c == nil {
		return nil
	}
	for i := range w.releases {
		if string(w.releases[i].UID) == c.UID && !w.releases[i].Status.Phase.Finished() {
			return &w.releases[i]
		}
	}
	w.bg.Status.Active = nil
	return nil
}

// driveActive moves the release that holds the claim, and whatever may move
// beside it, and takes the next one when it ends.
func (w *work) driveActive(ctx context.Context, rel *v1alpha1.Release) error {
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
		// This write fences a holder that was only slow: its next write of the
		// release, which comes before any act, is a lost race.
		read := rel.Status.DeepCopy()
		rel.Status.Message, rel.Status.Commands = "taken over by "+w.d.Holder, nil
		if err := w.d.Record.UpdateRelease(ctx, rel, read); err != nil {
			return err
		}
	}
	if err := w.drive(ctx, rel, anyStep); err != nil {
		return err
	}
	if rel.Status.Phase.Finished() {
		w.bg.Status.Active = nil
		w.wakeAt(w.o.Now) // the next in the queue
		return nil
	}
	return w.buildAhead(ctx, rel)
}

func (w *work) wakeAt(t time.Time) {
	if w.wake.IsZero() || t.Before(w.wake) {
		w.wake = t
	}
}

func (w *work) again() time.Duration {
	if w.wake.IsZero() {
		return safetyNet
	}
	return max(time.Until(w.wake), time.Millisecond)
}

// recordSwitch writes the movement of traffic into the application's status.
// It is derived from the release's milestones, so that it is never lost: it runs
// at every look while the release holds the claim.
func (w *work) recordSwitch(rel *v1alpha1.Release) {
	m, s := rel.Status.Milestones, &w.bg.Status
	if m.SwitchedAt == nil || m.Previous == nil {
		return
	}
	uid := string(rel.UID)
	if s.LastSwitch == nil || s.LastSwitch.UID != uid {
		to, from := version(w.o.Sides[m.Target]), byDigest(*m.Previous, w.o.Sides[m.Previous.Color])
		next := &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: uid, Kind: string(rel.Spec.Kind), At: *m.SwitchedAt,
			From: from, To: to, Before: s.Previous,
		}
		w.follows(next, s.LastSwitch)
		s.LastSwitch, s.Previous = next, &from
		if rel.Spec.Kind == v1alpha1.Rollback {
			s.Previous = nil
			w.rolledBack(rel)
		}
	}
	w.recordSign(rel)
	if last := s.LastSwitch; m.RestoredAt != nil && last.Kind != v1alpha1.KindRestore {
		next := &v1alpha1.SwitchRecord{
			Release: rel.Name, UID: uid, Kind: v1alpha1.KindRestore, At: *m.RestoredAt,
			From: last.To, To: last.From,
		}
		w.follows(next, last)
		s.LastSwitch, s.Previous = next, last.Before
	}
}

// recordSign takes over the sign that a release saw of its switch.
func (w *work) recordSign(rel *v1alpha1.Release) {
	last, r, f := w.bg.Status.LastSwitch, rel.Status.Route, rel.Status.Failure
	if last.Kind == v1alpha1.KindRestore || last.Unsettled {
		return
	}
	if r != nil && r.TookEffectAt != nil && !track.Tells(last.TookEffectBy) &&
		(r.TookEffectBy != v1alpha1.SignNewVersion || !r.TookEffectAt.Time.Before(answersFrom(last))) {
		last.TookEffectAt, last.TookEffectBy = &metav1.Time{Time: r.TookEffectAt.Time}, r.TookEffectBy
	}
	if f != nil && f.Reason == v1alpha1.FailedNotTakenUp && track.Tells(last.TookEffectBy) {
		// The old version answered after the sign, and to the end: that spoke of
		// something else.
		last.TookEffectAt, last.TookEffectBy, last.Unsettled = nil, "", true
		last.AnswersFrom = &metav1.Time{Time: last.At.Add(w.d.settles() + w.bg.Spec.DrainTime())}
	}
}

// countSwitch tells the observer of a switch that a write made durable: one that
// a lost race takes back, and the next look records again, is not counted twice.
func (w *work) countSwitch(before, now *v1alpha1.SwitchRecord) {
	same := before != nil && now != nil && before.UID == now.UID && before.Kind == now.Kind
	if now == nil || same || w.d.Observer == nil {
		return
	}
	w.d.Observer.Switched(client.ObjectKeyFromObject(w.bg), now.Kind)
}

// rolledBack remembers a commit that users were moved away from.
func (w *work) rolledBack(rel *v1alpha1.Release) {
	from := rel.Spec.Rollback.From
	if from.Commit == "" {
		return
	}
	w.bg.Status.RolledBack = append(w.bg.Status.RolledBack, v1alpha1.RolledBack{
		Commit: from.Commit, Release: rel.Name, By: rel.AskedBy(), At: *rel.Status.Milestones.SwitchedAt,
	})
}

// saveApplication writes the application's status now, because what follows
// rests on it.
func (w *work) saveApplication(ctx context.Context) error {
	w.describeLive()
	w.describeWayBack()
	if err := record.FitApplication(&w.bg.Status); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	if sameStatus(w.before, w.bg) {
		return nil
	}
	if err := w.d.Record.UpdateApplication(ctx, w.bg); err != nil {
		return fmt.Errorf("recording: %w", err)
	}
	w.countSwitch(w.before.Status.LastSwitch, w.bg.Status.LastSwitch)
	w.before = w.bg.DeepCopy()
	return nil
}
