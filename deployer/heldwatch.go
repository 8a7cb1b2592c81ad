package deployer

import (
	"context"
	"fmt"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// calm is how long the public address must be well before its failures count as over.
const calm = 30 * time.Second

// heldWatching watches the version that users have, after its schema was changed, while no release
// moves users or watches that version itself. It moves nobody and stops nothing: a person decides.
type heldWatching struct {
	live    livePods
	probers *probers // those of [liveWatching], which watches during a release
	address publicAddress
	looks   *heldLooks
	telling telling
}

// watch looks at the live version when that is due, and sets a condition of the application while it
// suffers.
func (h heldWatching) watch(ctx context.Context, w *work, active *v1alpha1.Release) {
	app := client.ObjectKeyFromObject(w.bg)
	why, due := track.WatchesSchema(w.bg, w.o.Routes, w.releases, w.o.Now)
	busy := w.bg.Status.Active != nil && active != nil && speaksForLive(active)
	if !due || busy || w.o.Sides[w.o.Routes.Live()].Replicas == 0 {
		if w.bg.Status.Active == nil {
			h.probers.end(app)
		}
		h.looks.forget(app)
		h.note(w, nil)
		return
	}
	if !why.Until.IsZero() {
		w.wakeAt(why.Until)
	}
	known := h.looks.get(app)
	if known.about != why.About {
		known = heldLook{about: why.About, books: why.Begin(w.o.Now)}
		known.books.LastLookAt = nil
	}
	h.ask(w, &known)
	if at := liveWatchOf(w.bg, true).NextAt(&known.books); w.o.Now.Before(at) {
		w.wakeAt(at)
	} else {
		h.look(ctx, w, &known)
	}
	if ctx.Err() != nil {
		return
	}
	h.looks.set(app, known)
	h.note(w, suffering(w, why, known))
}

// speaksForLive reports whether a release watches the live version itself, or users are leaving that
// version.
func speaksForLive(rel *v1alpha1.Release) bool {
	st := rel.Status
	return st.Live != nil || rel.Spec.Contract != nil || st.Milestones.SwitchIntendedAt != nil || rel.LastWeight() != nil
}

// look looks at the live pods.
func (h heldWatching) look(ctx context.Context, w *work, known *heldLook) {
	side := w.o.Sides[w.o.Routes.Live()]
	look := track.LiveLook{SoakLook: h.live.lookAt(ctx, w, side)}
	books, v := liveWatchOf(w.bg, true).Step(&known.books, look)
	at := metav1.NewMicroTime(w.o.Now)
	books.LastLookAt = &at
	known.books = books
	if look.Unseen == nil { // otherwise what is known stays true
		known.verdict = v
	}
	w.wakeAt(v.At)
}

// ask takes in what the public address answered since the last look. After failures the prober begins
// anew, with the same baseline, so that their end is seen.
func (h heldWatching) ask(w *work, known *heldLook) {
	app, from := client.ObjectKeyFromObject(w.bg), known.books.Address
	if from == nil || w.bg.Spec.URL == "" {
		return
	}
	m := h.probers.get(app, known.about)
	if m != nil {
		r := m.Read()
		if r.Breach == "" {
			return
		}
		if known.breach == "" {
			known.breachFrom = r.BreachFrom
		}
		known.breach, known.breachAt = w.bg.Spec.URL+": "+r.Breach, w.o.Now
	}
	h.probers.end(app)
	c := h.address.proofConfig(w.bg, w.o.Routes)
	c.Rate = min(c.Rate, liveRate)
	c.From = proof.Resume(*from, w.o.Now)
	m, err := h.probers.begin(app, known.about, c)
	if err != nil {
		w.log.Warn("the public address is not asked during the hold", "error", err)
		return
	}
	m.AskOn()
}

// suffering is what people are told; nil while nothing is wrong.
func suffering(w *work, why track.SchemaWatch, known heldLook) *sufferingNote {
	side := w.o.Sides[w.o.Routes.Live()]
	n := sufferingNote{reason: v1alpha1.ReasonPodsFail}
	since, what := known.verdict.Since, known.verdict.Message
	if known.verdict.Outcome != track.LiveSuffers {
		if known.breach == "" || w.o.Now.Sub(known.breachAt) >= calm {
			return nil
		}
		n.reason, since, what = v1alpha1.ReasonAddressFails, known.breachFrom, known.breach
		w.wakeAt(known.breachAt.Add(calm))
	}
	text := fmt.Sprintf("the live version %s (deployment %s) suffers since %s: %s. %s, and Turnout does not revert that: look at it",
		version(side).Short(), side.Deployment, track.Clock(since), what, why.Change)
	switch back := w.bg.Status.WayBack; {
	case why.Job != "":
		n.advice = v1alpha1.Advise(text+", and stop the job if it is the cause", stopsMigration(w.bg, why.Job)...)
	case w.bg.Status.Previous != nil && (back == nil || back.Missing == ""):
		n.advice = v1alpha1.Advise(text+", or go back with /rollback",
			v1alpha1.Shell("turnout", "rollback", w.bg.Name, "--namespace", w.bg.Namespace))
	default:
		n.advice = v1alpha1.Advise(text + ", and merge a commit that fixes it")
	}
	return &n
}

// sufferingNote is the content of a condition.
type sufferingNote struct {
	reason string
	advice v1alpha1.Advice
}

// note sets the condition, or removes it.
func (h heldWatching) note(w *work, n *sufferingNote) {
	if n == nil {
		w.bg.Status.SetCommands(v1alpha1.ConditionLiveSuffers, nil)
		meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionLiveSuffers)
		return
	}
	w.bg.Status.SetCommands(v1alpha1.ConditionLiveSuffers, record.Commands(n.advice.Commands))
	fresh := meta.FindStatusCondition(w.bg.Status.Conditions, v1alpha1.ConditionLiveSuffers) == nil
	meta.SetStatusCondition(&w.bg.Status.Conditions, metav1.Condition{
		Type: v1alpha1.ConditionLiveSuffers, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: n.reason, Message: record.Message(n.advice.Text),
	})
	if fresh {
		h.telling.event(w, corev1.EventTypeWarning, v1alpha1.ConditionLiveSuffers, n.advice.Text)
	}
}

// heldLook is what is known of a live version that is watched between releases. Another process
// begins anew: what fails still fails then.
type heldLook struct {
	about   string
	books   v1alpha1.LiveStatus
	verdict track.LiveVerdict
	// breach is how the public address failed last, from breachFrom until breachAt; "" if it did not.
	breach               string
	breachFrom, breachAt time.Time
}

// heldLooks are those of all applications. The zero value is ready to use.
type heldLooks struct {
	mu sync.Mutex
	of map[client.ObjectKey]heldLook
}

func (h *heldLooks) get(app client.ObjectKey) heldLook {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.of[app]
}

func (h *heldLooks) set(app client.ObjectKey, look heldLook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.of == nil {
		h.of = map[client.ObjectKey]heldLook{}
	}
	h.of[app] = look
}

func (h *heldLooks) forget(app client.ObjectKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.of, app)
}
