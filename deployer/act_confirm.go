package deployer

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/proof"
	"github.com/turnout-dev/turnout/deployer/track"
)

const (
	// takeUp is how long a load balancer may take to use new routes, where nothing
	// tells that it does. ingress-nginx, the slowest of the common controllers that
	// run in the cluster, looks every 3.3 s at most (--sync-rate-limit=0.3).
	takeUp = 5 * time.Second
	// takeUpGCE is for Google's, of which Google says "several minutes"
	// (networking-recipes, ingress/multi-cluster), if its controller does not tell:
	// events are lost.
	takeUpGCE = 3 * time.Minute
	// confirmPause is the time between two looks.
	confirmPause = time.Second
	// oldLingers is how recent the old version's last answer is at the deadline, if
	// it is still there.
	oldLingers = 10 * time.Second
)

// confirm waits until the switch took effect and the public address was asked for
// a time after that. What was not observed is said to be not observed; the
// prober's own trouble never moves traffic.
func (a *attempt) confirm(ctx context.Context) (pause, error) {
	m := a.measured()
	l := a.lookAtSwitch(ctx, m)
	v := l.judge()
	if v.outcome == confirmAgain && v.sign == "" && l.effect.IsZero() && l.unsynced() != "" {
		a.urge(ctx, l.news, l.switchedAt) // it backs off, and owes users this switch
	}
	if v.sign != "" {
		now := metav1.NewMicroTime(a.o.Now)
		r := a.route()
		r.TookEffectAt, r.TookEffectBy = &now, v.sign
		if m != nil && l.rollback {
			m.Forgive()
			l.seen = m.Read()
		}
	}
	if v.finding != "" {
		a.finding(v.finding)
	}
	switch v.outcome {
	case confirmAgain:
		if m != nil && (v.sign != "" || a.o.Now.Sub(m.checkpointAt) >= checkpointEvery) {
			a.checkpoint(m)
		}
		return pause{until: v.at, message: v.message, waits: v.waits}, nil
	case confirmFails:
		a.proved(m, l.seen.As(v1alpha1.ProofFailed))
		return pause{}, releaseFault(v1alpha1.FailedPublicAddress, "%s fails since the switch: %s", a.bg.Spec.URL, v.message)
	case confirmUntranslatable:
		a.unproved()
		return pause{}, releaseFault(v1alpha1.FailedTranslate, "the load balancer's controller cannot take up ingress %s: %s", a.o.Routes.Name,
			v.message)
	case confirmStuck:
		a.unproved()
		limit := a.bg.Spec.Deadlines.Confirm.Duration
		return pause{}, &fault{class: v1alpha1.FaultWorld, reason: v1alpha1.FailedNotTakenUp, about: about{limit: limit}, message: fmt.Sprintf(
			"%s, after %s (spec.deadlines.confirm); the Ingress %s routes users to %s and stays so: see its events, and type /rollback to go back",
			v.message, limit, a.o.Routes.Name, a.target())}
	case confirmDone:
	}
	p := &v1alpha1.ProofStatus{Result: v1alpha1.ProofNotObserved, Message: "the public address was not asked: spec.url is not set"}
	if m != nil {
		p = l.seen.As(l.seen.Result())
	}
	a.proved(m, p)
	switch {
	case p.Result == v1alpha1.ProofFailed:
		why := "too few of them to move traffic back"
		if l.rollback {
			why = "and a rollback moves traffic no further"
		}
		a.finding(fmt.Sprintf("requests to %s failed since the switch, %s", a.bg.Spec.URL, why))
	case m != nil && p.Result != v1alpha1.ProofConfirmed && p.Result != v1alpha1.ProofInterrupted:
		a.finding("the switch was not observed from outside: " + l.seen.Trouble)
	}
	now := metav1.NewTime(a.o.Now)
	a.rel.Status.Milestones.ConfirmedAt = &now
	a.say(fmt.Sprintf("%s: %s", p.Result, p.Message))
	a.entry().Proof = p.Result
	return pause{}, nil
}

// route is what the release knows of the load balancer.
func (a *attempt) route() *v1alpha1.RouteStatus {
	st := &a.rel.Status
	if st.Route == nil {
		st.Route = &v1alpha1.RouteStatus{}
	}
	if st.Route.LoadBalancer == "" {
		st.Route.LoadBalancer = a.o.Routes.LoadBalancer
	}
	return st.Route
}

// noteEvents notes, right before a patch of the Ingress, which events there were.
// That they cannot be read is no reason to keep users waiting.
func (a *attempt) noteEvents(ctx context.Context) {
	r := a.route()
	r.TookEffectAt, r.TookEffectBy = nil, ""
	news, err := a.d.Routes.News(ctx, a.bg, "")
	if err != nil {
		a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
	}
	if err != nil && a.onGCE() {
		a.finding("the events of ingress " + a.o.Routes.Name +
			" could not be read before the switch, so that what the load balancer's controller says of it is not seen")
	}
	r.EventsBefore, r.Unsettled = news.Now, a.onGCE() && !a.settled()
}

// settled reports whether the load balancer's controller has taken up the routes as
// they are, right before they are patched. Its event of the next URL map is then of
// that patch. On an Ingress that others change, too, it may be still at their change.
func (a *attempt) settled() bool {
	seen, last := a.bg.Status.Ingress, a.bg.Status.LastSwitch
	switch {
	case seen == nil || seen.Generation != a.o.Routes.Generation:
		return false
	case a.o.Now.Sub(seen.Since.Time) >= a.d.settles():
		return true
	case seen.UID == string(a.rel.UID): // by its reference, which the load balancer has once the target is warm
		return a.rel.Status.Milestones.WarmedAt != nil
	}
	return last != nil && seen.UID == last.UID && tells(last.TookEffectBy)
}

// lookAtSwitch collects what tells whether the switch took effect.
func (a *attempt) lookAtSwitch(ctx context.Context, m *measurement) switchLook {
	r := a.route()
	l := switchLook{
		now: a.o.Now, switchedAt: a.switchTime(), deadline: a.entry().StartedAt.Add(a.bg.Spec.Deadlines.Confirm.Duration),
		rollback: a.rel.Spec.Kind == v1alpha1.Rollback, gce: a.onGCE(),
		unsettled: r.Unsettled, wait: a.d.TakeUp, tail: a.bg.Spec.Proof.TailTime(),
	}
	if l.wait == 0 {
		l.wait = takeUp
		if l.gce {
			l.wait = takeUpGCE
		}
	}
	if r.TookEffectAt != nil {
		l.effect = r.TookEffectAt.Time
	}
	if l.gce && r.EventsBefore != "" {
		var err error
		if l.news, err = a.d.Routes.News(ctx, a.bg, r.EventsBefore); err != nil {
			// The other signs are still there, and so is the deadline.
			a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		}
	}
	if last := a.bg.Status.LastSwitch; l.gce && last != nil && last.UID == string(a.rel.UID) && l.effect.IsZero() {
		l.read = a.readMap(ctx, last, l.news.URLMapUpdated)
	}
	if m != nil {
		l.url, l.seen, l.resumed = a.bg.Spec.URL, m.Read(), m.resumedAt
		l.toldApart = l.seen.ToldApart && !a.oneImage() && (l.seen.NewInARow > 0 || !a.sameVersion(ctx, m, l.seen.Status.Baseline))
	}
	return l
}

// oneImage reports whether both colours run the same image, and says so: whatever
// answers call themselves, nobody can tell by them which colour they are from.
func (a *attempt) oneImage() bool {
	m := a.rel.Status.Milestones
	if m.Staged == nil || m.Previous == nil || m.Staged.Image != m.Previous.Image {
		return false
	}
	a.finding(fmt.Sprintf("both colours run %s: the answers of %s cannot tell the new version from the old one, so they do not say when "+
		"users reached it", m.Staged.Image, a.bg.Spec.URL))
	return true
}

// switchLook is one look at a switch that was made.
type switchLook struct {
	now, switchedAt, deadline time.Time
	effect                    time.Time // when the first sign was seen that it took effect; zero: none was
	rollback                  bool
	gce                       bool          // the load balancer is Google's, which tells
	news                      track.News    // since right before the switch
	unsettled                 bool          // what that says of the URL map may be of a change before
	read                      mapWord       // what the URL map itself says
	url                       string        // the public address; empty: it is not asked
	seen                      proof.Reading // of its answers
	toldApart                 bool          // the old version's from the new one's
	resumed                   time.Time     // when the asking was taken up again after an interruption
	wait                      time.Duration // for a load balancer that does not tell
	tail                      time.Duration // to ask on
}

// confirmOutcome is what follows from a look at a switch.
type confirmOutcome int

const (
	confirmAgain          confirmOutcome = iota + 1 // look again, at switchVerdict.at
	confirmDone                                     // it took effect, or nothing more can be known of it
	confirmFails                                    // users meet failures that they did not meet before
	confirmUntranslatable                           // it cannot take effect
	confirmStuck                                    // it has not, and time is up
)

// switchVerdict is what follows from a look at a switch.
type switchVerdict struct {
	outcome confirmOutcome
	sign    v1alpha1.Sign // that it took effect, if this look is the first to see one
	at      time.Time     // of the next look, for confirmAgain
	message string        // for a person
	waits   *v1alpha1.Waiting
	finding string // what was not observed, if something was not
}

// judge says what follows from a look. It is pure.
func (l switchLook) judge() switchVerdict {
	v := switchVerdict{}
	effect := l.effect
	if effect.IsZero() {
		if v.sign = l.sign(); v.sign != "" {
			effect = l.now
		}
	}
	if v.sign == v1alpha1.SignWait && l.gce {
		v.finding = fmt.Sprintf("it was not observed when the load balancer took up the switch: its controller did not say so within %s", l.wait)
		if l.read.asked && l.read.text != "" {
			v.finding += "; " + l.read.text
		}
	}
	end := effect.Add(l.rest(effect))
	switch over := !l.now.Before(l.deadline); {
	case l.seen.Breach != "" && (!l.rollback || !l.effect.IsZero()):
		// What fails before a rollback took effect is the version that it leaves.
		v.outcome, v.message = confirmFails, l.seen.Breach
	case l.news.Translate != "" && effect.IsZero() && !l.rollback:
		// Nothing took effect, and the endpoints of what is live are not kept up any
		// more. A rollback has no way back.
		v.outcome, v.message = confirmUntranslatable, l.news.Translate
	case !effect.IsZero() && !l.now.Before(end):
		v.outcome = confirmDone
	case over && l.oldStays(effect):
		v.outcome, v.message = confirmStuck, "the old version still answers at "+l.url
	case over && effect.IsZero() && l.untranslated() != "":
		v.outcome, v.message = confirmStuck, "the load balancer's controller cannot take up the Ingress: "+l.untranslated()
	case over && effect.IsZero() && l.unsynced() != "":
		v.outcome, v.message = confirmStuck, "the load balancer's controller could not take up the Ingress: "+l.unsynced()
	case over && effect.IsZero() && l.read.against:
		v.outcome, v.message = confirmStuck, "the load balancer has not taken up the Ingress: "+l.read.text
	case over && effect.IsZero():
		v.outcome, v.finding = confirmDone, "it was not observed whether the load balancer took up the switch"
	case over:
		v.outcome, v.finding = confirmDone, fmt.Sprintf("the public address was asked for %s after the switch took effect, not for %s: time "+
			"was up (spec.deadlines.confirm)", l.now.Sub(effect).Round(time.Second), l.tail)
	default:
		v.outcome, v.message, v.waits = confirmAgain, l.waiting(effect, end), l.waits(effect, end)
		v.at = l.now.Add(confirmPause)
		for _, t := range []time.Time{end, l.quiet().Add(l.wait), l.deadline} {
			if t.After(l.now) && t.Before(v.at) {
				v.at = t
			}
		}
	}
	return v
}

// sign is the best sign at this look that the switch took effect; empty if there
// is none.
func (l switchLook) sign() v1alpha1.Sign {
	switch {
	case l.read.there:
		return v1alpha1.SignURLMapRead
	case l.news.URLMapUpdated && !l.unsettled && !l.read.tells:
		return v1alpha1.SignURLMap
	case l.toldApart && l.seen.NewInARow >= proof.NewInARow:
		return v1alpha1.SignNewVersion
	case l.untranslated() == "" && l.unsynced() == "" && !l.read.against && !l.now.Before(l.quiet().Add(l.wait)):
		return v1alpha1.SignWait
	}
	return ""
}

// quiet is since when nothing speaks against the switch having taken effect.
func (l switchLook) quiet() time.Time {
	if l.toldApart && l.seen.LastOld.After(l.switchedAt) {
		return l.seen.LastOld
	}
	return l.switchedAt
}

// rest is how long after it took effect a switch is confirmed, as it looks now:
// front ends of a load balancer take up a change one after the other.
func (l switchLook) rest(effect time.Time) time.Duration {
	if l.url == "" {
		return 0
	}
	from := effect
	if l.resumed.After(from) { // what was met in between is not known
		from = l.resumed
	}
	if l.toldApart && l.seen.LastOld.After(from) {
		from = l.seen.LastOld
	}
	return from.Sub(effect) + l.tail
}

// oldStays reports whether the old version still answers.
func (l switchLook) oldStays(effect time.Time) bool {
	lingers := oldLingers
	if !effect.IsZero() {
		lingers = min(lingers, l.tail)
	}
	return l.toldApart && !l.seen.LastOld.IsZero() && l.now.Sub(l.seen.LastOld) < lingers
}

// waiting says what is waited for. It changes with what it says only: every
// change is a write.
func (l switchLook) waiting(effect, end time.Time) string {
	text := "waits for a sign that the load balancer took up the switch"
	switch {
	case !effect.IsZero() && l.toldApart && l.seen.LastOld.After(effect):
		text = fmt.Sprintf("asks %s until the old version has not answered for %s", l.url, l.tail)
	case !effect.IsZero():
		text = "asks " + l.url + " until " + clock(end)
	case !l.gce && !l.toldApart:
		text = "gives the load balancer time to take up the switch until " + clock(l.quiet().Add(l.wait))
	}
	if l.read.against {
		text += "; " + l.read.text
	}
	if said := cmp.Or(l.untranslated(), l.unsynced()); said != "" {
		text += "; its controller says: " + said
	}
	return text
}

// waits is the same in facts.
func (l switchLook) waits(effect, end time.Time) *v1alpha1.Waiting {
	w := waitsFor(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseSwitch)
	switch {
	case !effect.IsZero() && l.toldApart && l.seen.LastOld.After(effect):
		w = waitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseOldVersion, l.url)
	case !effect.IsZero():
		w = waitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseTail, l.url)
		w.Until = stamp(end)
	case !l.gce && !l.toldApart:
		w = waitsUntil(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseTime, l.quiet().Add(l.wait))
	}
	if l.read.against {
		w.Detail = l.read.text
	}
	if said := cmp.Or(l.untranslated(), l.unsynced()); said != "" {
		w.Detail = strings.TrimPrefix(w.Detail+"; "+said, "; ")
	}
	return w
}

// untranslated and unsynced are what the controller fails at. It repeats that with
// every try, so that what it has not said for long is no longer so: that its next try
// succeeded is told by an event, which may be lost.
func (l switchLook) untranslated() string { return l.still(l.news.Translate, l.news.TranslateAt) }
func (l switchLook) unsynced() string     { return l.still(l.news.Sync, l.news.SyncAt) }

func (l switchLook) still(said string, at time.Time) string {
	lasts := l.wait
	if l.news.Warnings >= track.Budget { // it may repeat itself once in a while only
		lasts += track.Refill
	}
	if !at.IsZero() && !l.now.Before(at.Add(lasts)) {
		return ""
	}
	return said
}
