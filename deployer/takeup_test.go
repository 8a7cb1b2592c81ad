package deployer

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// Times of the world of [balanced].
const (
	drains = 5 * time.Minute
	// carriesOut is how long the load balancer takes at most to apply a change of its routes:
	// less than Turnout allows.
	carriesOut = takeUpGCE - 20*time.Second
	// lags is how long front ends take at most to follow: less than the drain.
	lags = drains - 20*time.Second
)

// balanced is an application behind Google's load balancer. The routes in use follow the written
// ones some time later, or never; the controller's events get lost sometimes, or always; and
// people do as they like. The decisions are the deployer's own, and the acts obey them.
type balanced struct {
	t   *testing.T
	rng *rand.Rand
	now time.Time
	// written are the routes of the Ingress. used are the routes of the front ends that have
	// followed; before, those of the others, until that time.
	written, used, before v1alpha1.Color
	until                 time.Time
	// begun is the change being applied, since beganAt.
	begun   v1alpha1.Color
	beganAt time.Time
	mute    bool        // every event is lost
	broken  bool        // no change is carried out
	events  []time.Time // of the URL map, that arrived
	url     bool        // the public address may be asked
	project bool        // the URL map may be read
	reading *reading    // of the URL map, in progress
	size    map[v1alpha1.Color]int
	w       *work
	count   int
	log     []string
}

// reading is a read of the URL map; its result arrives at a later look.
type reading struct {
	about string
	leads v1alpha1.Color
	fails bool
}

func newBalanced(t *testing.T, seed uint64) *balanced {
	b := &balanced{
		t: t, rng: rand.New(rand.NewPCG(seed, 2)), now: epoch,
		written: v1alpha1.Blue, used: v1alpha1.Blue, before: v1alpha1.Blue,
		size: map[v1alpha1.Color]int{v1alpha1.Blue: 2, v1alpha1.Green: 0},
	}
	b.url, b.mute, b.project = b.chance(2), b.chance(2), b.chance(2)
	bg := &v1alpha1.BlueGreen{}
	bg.Spec.Drain, bg.Spec.Hold = duration(drains), duration(time.Duration(b.rng.IntN(20))*time.Minute)
	b.w = &work{bg: bg}
	b.look()
	return b
}

// chance is one in n.
func (b *balanced) chance(n int) bool { return b.rng.IntN(n) == 0 }

func (b *balanced) note(format string, args ...any) {
	b.log = append(b.log, b.now.Sub(epoch).String()+" "+fmt.Sprintf(format, args...))
}

// reached reports whether users may reach a colour.
func (b *balanced) reached(c v1alpha1.Color) bool {
	return c == b.written || c == b.used || c == b.before && b.now.Before(b.until)
}

// balance is what the load balancer's controller does in the meantime. When it finishes a change,
// the written routes may have changed again.
func (b *balanced) balance() {
	if b.begun != "" && (b.chance(3) || b.now.Sub(b.beganAt) > carriesOut/2) {
		if b.begun != b.used && !b.broken {
			b.before, b.used, b.until = b.used, b.begun, b.now.Add(time.Duration(b.rng.Int64N(int64(lags))))
			b.note("uses %s", b.used)
			if !b.mute && !b.chance(3) {
				b.events = append(b.events, b.now)
			}
		}
		b.begun = ""
	}
	if b.begun == "" && b.chance(4) {
		b.begun, b.beganAt = b.written, b.now
	}
	if b.chance(10) {
		b.broken = !b.broken
	}
}

// look is the deployer's look: it weighs all signs.
func (b *balanced) look() {
	o := track.Observed{Now: b.now, Routes: routesTo(b.written), Sides: map[v1alpha1.Color]track.Side{}}
	for c := range b.size {
		o.Sides[c] = track.Side{Color: c}
	}
	o.Routes.LoadBalancer = v1alpha1.LoadBalancerGCE
	b.w.o = o
	last := b.w.bg.Status.LastSwitch
	if last == nil {
		return
	}
	takingUp{carriesOut: takeUpGCE}.overrule(b.w, last, b.written)
	if b.written != track.RoutedTo(last) {
		return
	}
	if track.SwitchTakenUp(last, o.Routes.LoadBalancer) {
		return
	}
	h := heard{}
	if mark := b.mark(last); !mark.IsZero() {
		for _, at := range b.events {
			h.urlMap = h.urlMap || at.After(mark)
		}
	}
	b.read(last, &h)
	takingUp{}.weigh(b.w, last, h)
	// Turnout asks from one place, and sees the nearest front ends.
	if front := []v1alpha1.Color{b.used, b.before}[b.rng.IntN(2)]; b.url && !b.now.Before(answersFrom(last)) &&
		(front == b.used || b.now.Before(b.until)) {
		takingUp{}.weigh(b.w, last, heard{answers: front == b.written})
	}
	if b.chance(30) && b.used == b.written && b.begun == "" && !b.now.Before(b.until) { // a person checked carefully
		takingUp{}.weigh(b.w, last, heard{person: &v1alpha1.Confirmation{Color: b.written, At: metav1.NewTime(b.now)}})
	}
	if !track.SwitchTakenUp(last, o.Routes.LoadBalancer) {
		b.w.o.Unconfirmed = "nothing says so"
		return
	}
	b.note("taken up, by %s", last.TookEffectBy)
}

// read starts a read of the URL map, which shows what the controller did last, and takes the
// result of the previous read of the same routes. A failed read shows nothing.
func (b *balanced) read(last *v1alpha1.SwitchRecord, h *heard) {
	if !b.project || b.now.Before(urlMap{carriesOut: takeUpGCE}.mapFrom(last)) {
		return
	}
	if r := b.reading; r != nil && r.about == routesOf(last) && !r.fails {
		h.routes, h.mapTells = r.leads == b.written, true
	}
	b.reading = &reading{routesOf(last), b.used, b.chance(3)}
}

// mark is the moment right before the last switch wrote the routes.
func (b *balanced) mark(last *v1alpha1.SwitchRecord) time.Time {
	for i := range b.w.releases {
		if r := &b.w.releases[i]; string(r.UID) == last.UID && r.Status.Route != nil {
			at, err := time.Parse(time.RFC3339Nano, r.Status.Route.EventsBefore)
			check(b.t, err)
			return at
		}
	}
	return time.Time{}
}

// act is what the deployer does while nothing is active.
func (b *balanced) act() {
	switch n := b.rng.IntN(12); {
	case n < 3:
		b.upkeep()
	case n < 5:
		b.deploy()
	case n == 5:
		b.rollback()
	case n == 6 && b.chance(4): // by hand
		// Turnout does not know of switches before its own first one.
		if b.size[b.written.Other()] > 0 && b.w.bg.Status.LastSwitch != nil {
			b.written = b.written.Other()
			b.note("somebody routes to %s", b.written)
		}
	}
}

func (b *balanced) upkeep() {
	last := b.w.bg.Status.LastSwitch
	at, open := track.ShrinkAt(b.w.bg, b.w.o.Routes)
	if !open || b.now.Before(at) {
		return
	}
	last.Shrunk = true
	if b.written != last.To.Color {
		return
	}
	b.note("shrinks %s", last.From.Color)
	if b.reached(last.From.Color) {
		b.t.Errorf("%s is shrunk although users may reach it", last.From.Color)
	}
	b.size[last.From.Color] = 0
}

func (b *balanced) release(kind v1alpha1.ReleaseKind) *v1alpha1.Release {
	b.count++
	r := v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: kind, Rollback: &v1alpha1.RollbackSpec{}}}
	r.UID, r.Name = types.UID(fmt.Sprint(b.count)), fmt.Sprint("r", b.count)
	r.Status.Milestones = v1alpha1.Milestones{Target: b.written.Other(), Previous: &v1alpha1.Version{Color: b.written}}
	b.w.releases = append(b.w.releases, r)
	return &b.w.releases[len(b.w.releases)-1]
}

func (b *balanced) deploy() {
	target := b.written.Other()
	b.w.o.DrainedAt = track.DrainedAt(b.w.bg, target, "")
	if track.RowOf(v1alpha1.StepStage).After(b.w.o).Rests() {
		return
	}
	b.note("stages over %s", target)
	if b.reached(target) {
		b.t.Errorf("%s is staged over although users may reach it", target)
	}
	b.size[target] = 2
	r := b.release(v1alpha1.Deploy)
	if b.chance(4) {
		return // it fails before its switch, and its staged version stays
	}
	b.move(r)
	b.watch(r)
	if b.chance(3) { // fails there
		r.Status.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultRelease}
		b.intend(r)
		b.pass(2)
		b.written = b.written.Other()
		b.note("restores %s", b.written)
		at := metav1.NewTime(b.now)
		r.Status.Milestones.RestoredAt = &at
		b.look2(r)
	}
	b.w.bg.Status.Active = nil
}

// rollback does not wait for the load balancer.
func (b *balanced) rollback() {
	if b.size[b.written.Other()] == 0 || b.w.bg.Status.LastSwitch == nil {
		return
	}
	r := b.release(v1alpha1.Rollback)
	b.move(r)
	b.watch(r)
	b.w.bg.Status.Active = nil
}

// intend marks the events right before the routes are written.
func (b *balanced) intend(r *v1alpha1.Release) {
	r.Status.Route = &v1alpha1.RouteStatus{EventsBefore: b.now.Format(time.RFC3339Nano)}
}

func (b *balanced) move(r *v1alpha1.Release) {
	b.w.bg.Status.Active = &v1alpha1.Claim{Release: r.Name, UID: string(r.UID)}
	b.intend(r)
	b.written = r.Status.Milestones.Target
	b.note("%s %s moves users to %s", r.Spec.Kind, r.Name, b.written)
	at := metav1.NewTime(b.now)
	r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt = &at, &at
	b.look2(r)
}

// watch is the confirmation: a sign, or no sign, and then the release ends without one.
func (b *balanced) watch(r *v1alpha1.Release) {
	for range b.rng.IntN(6) {
		b.pass(1)
		st := r.Status.Route
		mark, err := time.Parse(time.RFC3339Nano, st.EventsBefore)
		check(b.t, err)
		now := metav1.NewMicroTime(b.now)
		for _, at := range b.events {
			if at.After(mark) && st.TookEffectAt == nil {
				st.TookEffectAt, st.TookEffectBy = &now, v1alpha1.SignURLMap
			}
		}
		if st.TookEffectAt == nil && b.now.Sub(mark) > takeUpGCE {
			st.TookEffectAt, st.TookEffectBy = &now, v1alpha1.SignWait
		}
		b.look2(r)
	}
}

// look2 is a look at a release in progress.
func (b *balanced) look2(r *v1alpha1.Release) {
	b.look()
	switches{takeUpGCE}.recordSwitch(b.w, r)
}

func (b *balanced) pass(n int) {
	for range n {
		b.now = b.now.Add(time.Duration(1+b.rng.IntN(60)) * time.Second)
		b.balance()
	}
}

// Whatever gets lost, and whenever the routes in use follow, if at all: a colour that users may
// reach is never shrunk or staged over.
func TestColourThatUsersMayReachIsLeftAlone(t *testing.T) {
	acted := map[string]int{}
	for seed := range uint64(4000) {
		b := newBalanced(t, seed)
		for range 150 {
			b.pass(1)
			b.look()
			b.act()
			if t.Failed() {
				for _, line := range b.log {
					t.Log(line)
				}
				t.Fatalf("seed %d, with a public address: %v, without events: %v, with the URL map: %v", seed, b.url, b.mute, b.project)
			}
		}
		if last := b.w.bg.Status.LastSwitch; last != nil {
			acted[string(last.TookEffectBy)]++
		}
	}
	for _, sign := range []v1alpha1.Sign{"", v1alpha1.SignURLMap, v1alpha1.SignURLMapRead, v1alpha1.SignNewVersion, v1alpha1.SignPerson} {
		if acted[string(sign)] == 0 {
			t.Errorf("no world ended with the sign %q: %v", sign, acted)
		}
	}
}

func routesTo(c v1alpha1.Color) track.Routes {
	return track.Routes{Name: "ing", Exists: true, Users: map[v1alpha1.Color][]track.Backend{c: {{}}}}
}

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
