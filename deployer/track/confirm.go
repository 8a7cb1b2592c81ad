package track

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	// confirmPause is the time between two looks.
	confirmPause = time.Second
	// oldLingers: if the old version still answered this shortly before the deadline, it is still
	// there.
	oldLingers = 10 * time.Second
	// NewInARow is how many consecutive answers of the new version show that it is there.
	NewInARow = 3
)

// SwitchLook is one observation of a switch that was made.
type SwitchLook struct {
	Now, SwitchedAt, Deadline time.Time
	Effect                    time.Time // when the first sign of the new version was seen; zero: none yet
	Rollback                  bool
	GCE                       bool          // Google's load balancer, whose controller reports
	News                      News          // of its controller since just before the switch
	Unsettled                 bool          // the report on the URL map may concern an earlier change
	Read                      MapWord       // what the URL map itself shows
	Gateway                   bool          // a Gateway, whose controller reports in the route's status
	Parents                   ParentsWord   // that report, for the switched route
	URL                       string        // the public address; empty: no requests are sent
	Seen                      Answered      // the answers of that address
	ToldApart                 bool          // the two versions' answers can be distinguished
	Resumed                   time.Time     // when requests resumed after an interruption
	Wait                      time.Duration // for a load balancer that does not report
	Tail                      time.Duration // how long to keep sending requests
}

// Answered is what the answers of the public address show about a switch.
type Answered struct {
	// Breach is why traffic should move back; empty if nothing shows that.
	Breach string
	// NewInARow answers were the new version's; the old one's last came at LastOld.
	NewInARow int
	LastOld   time.Time
}

// MapWord is what the URL map of Google's load balancer shows about routes.
type MapWord struct {
	// Asked: the operator of Turnout allows it to read the map. Tells: the map can be read and
	// shows which colour it leads to, as far as is known.
	Asked, Tells bool
	// There: it leads to where the release sends users. Against: it leads to the other colour.
	There, Against bool
	// Pending: where it leads is not known yet, but soon will be.
	Pending bool
	// Text is for people: what the map shows, or how to make it readable.
	Text string
}

// ConfirmOutcome is the conclusion from an observed switch.
type ConfirmOutcome int

// The outcomes of an observed switch.
const (
	ConfirmAgain          ConfirmOutcome = iota + 1 // look again, at SwitchVerdict.At
	ConfirmDone                                     // it took effect, or nothing more can be known
	ConfirmFails                                    // users experience failures that they did not before
	ConfirmUntranslatable                           // it cannot take effect
	ConfirmStuck                                    // it has not, and time is up
)

// SwitchVerdict is the conclusion from an observed switch, with its reasons.
type SwitchVerdict struct {
	Outcome ConfirmOutcome
	Sign    v1alpha1.Sign     // that it took effect, if this look is the first to see one
	At      time.Time         // of the next look, for ConfirmAgain
	Message string            // for a person
	Waits   *v1alpha1.Waiting // the same in facts, for ConfirmAgain
	Finding string            // what was not observed, if anything
}

// Judge draws the conclusion.
func (l SwitchLook) Judge() SwitchVerdict {
	v := SwitchVerdict{}
	effect := l.Effect
	if effect.IsZero() {
		if v.Sign = l.sign(); v.Sign != "" {
			effect = l.Now
		}
	}
	if v.Sign == v1alpha1.SignWait && l.GCE {
		v.Finding = fmt.Sprintf("nobody saw when the load balancer took up the switch: its controller did not report it within %s", l.Wait)
		if l.Read.Asked && l.Read.Text != "" {
			v.Finding += "; " + l.Read.Text
		}
	}
	end := effect.Add(l.rest(effect))
	switch over := !l.Now.Before(l.Deadline); {
	case l.Seen.Breach != "" && (!l.Rollback || !l.Effect.IsZero()):
		// Failures before a rollback takes effect belong to the version that it leaves.
		v.Outcome, v.Message = ConfirmFails, l.Seen.Breach
	case l.Parents.Refused && effect.IsZero() && !l.Rollback:
		v.Outcome, v.Message = ConfirmUntranslatable, l.Parents.Text
	case l.News.Translate != "" && effect.IsZero() && !l.Rollback:
		// Nothing took effect, and the controller no longer updates the live colour's endpoints.
		// A rollback cannot be undone.
		v.Outcome, v.Message = ConfirmUntranslatable, l.News.Translate
	case !effect.IsZero() && !l.Now.Before(end):
		v.Outcome = ConfirmDone
	case over && l.oldStays(effect):
		v.Outcome, v.Message = ConfirmStuck, "the old version still answers at "+l.URL
	case over && effect.IsZero() && l.untranslated() != "":
		v.Outcome, v.Message = ConfirmStuck, "the load balancer's controller cannot take up the Ingress: "+l.untranslated()
	case over && effect.IsZero() && l.Unsynced() != "":
		v.Outcome, v.Message = ConfirmStuck, "the load balancer's controller could not take up the Ingress: "+l.Unsynced()
	case over && effect.IsZero() && (l.Parents.Refused || l.Parents.Waits()) && l.Gateway:
		v.Outcome, v.Message = ConfirmStuck, "not every Gateway has taken up the HTTPRoute: "+l.Parents.Text
	case over && effect.IsZero() && l.Read.Against:
		v.Outcome, v.Message = ConfirmStuck, "the load balancer has not taken up the Ingress: "+l.Read.Text
	case over && effect.IsZero():
		v.Outcome, v.Finding = ConfirmDone, "nobody saw whether the load balancer took up the switch"
	case over:
		v.Outcome, v.Finding = ConfirmDone, fmt.Sprintf("the public address was measured for only %s after the switch took effect, not for %s: "+
			"time was up (spec.deadlines.confirm)", l.Now.Sub(effect).Round(time.Second), l.Tail)
	default:
		v.Outcome, v.Message, v.Waits = ConfirmAgain, l.waiting(effect, end), l.waits(effect, end)
		v.At = l.Deadline
		if l.GCE || l.Gateway || l.URL != "" { // there is something to read meanwhile
			v.At = l.Now.Add(confirmPause)
		}
		for _, t := range []time.Time{end, l.quiet().Add(l.Wait), l.Deadline} {
			if t.After(l.Now) && t.Before(v.At) {
				v.At = t
			}
		}
	}
	return v
}

// sign is the best sign in this look that the switch took effect; empty if there is none.
//
// On a Gateway an answer of the new version is no sign: only the nearest of several Gateways and
// front ends has answered. If a controller does not report the generation of its conditions, the
// sign is that a fixed time has passed.
func (l SwitchLook) sign() v1alpha1.Sign {
	switch {
	case l.Gateway && l.Parents.InEffect:
		return v1alpha1.SignRouteStatus
	case l.Gateway && l.Parents.Silent && !l.Now.Before(l.quiet().Add(l.Wait)):
		return v1alpha1.SignWait
	case l.Gateway:
		return ""
	case l.Read.There:
		return v1alpha1.SignURLMapRead
	case l.News.URLMapUpdated && !l.Unsettled && !l.Read.Tells:
		return v1alpha1.SignURLMap
	case l.ToldApart && l.Seen.NewInARow >= NewInARow:
		return v1alpha1.SignNewVersion
	case l.untranslated() == "" && l.Unsynced() == "" && !l.Read.Against && !l.Read.Pending && !l.Now.Before(l.quiet().Add(l.Wait)):
		return v1alpha1.SignWait
	}
	return ""
}

// quiet is the time since which nothing contradicts the switch.
func (l SwitchLook) quiet() time.Time {
	if l.ToldApart && l.Seen.LastOld.After(l.SwitchedAt) {
		return l.Seen.LastOld
	}
	return l.SwitchedAt
}

// rest is how long after it took effect a switch is confirmed, on current evidence. A load
// balancer's front ends take up a change one after the other.
func (l SwitchLook) rest(effect time.Time) time.Duration {
	if l.URL == "" && !l.Gateway {
		return 0
	}
	from := effect             // on a Gateway, its controller's report: front ends follow it
	if l.Resumed.After(from) { // nobody knows what happened in between
		from = l.Resumed
	}
	if l.ToldApart && l.Seen.LastOld.After(from) {
		from = l.Seen.LastOld
	}
	return from.Sub(effect) + l.Tail
}

// oldStays reports whether the old version still answers.
func (l SwitchLook) oldStays(effect time.Time) bool {
	lingers := oldLingers
	if !effect.IsZero() {
		lingers = min(lingers, l.Tail)
	}
	return l.ToldApart && !l.Seen.LastOld.IsZero() && l.Now.Sub(l.Seen.LastOld) < lingers
}

// waiting describes what the release waits for. Its text changes only with its meaning, since
// every change is a write.
func (l SwitchLook) waiting(effect, end time.Time) string {
	text := "waits for a sign that the load balancer took up the switch"
	switch {
	case !effect.IsZero() && l.ToldApart && l.Seen.LastOld.After(effect):
		text = fmt.Sprintf("measures %s until the old version has not answered for %s", l.URL, l.Tail)
	case !effect.IsZero() && l.URL == "":
		text = "gives the front ends time to take up the switch until " + Clock(end)
	case !effect.IsZero():
		text = "measures " + l.URL + " until " + Clock(end)
	case !l.GCE && !l.Gateway && !l.ToldApart:
		text = "gives the load balancer time to take up the switch until " + Clock(l.quiet().Add(l.Wait))
	}
	if l.Read.Against {
		text += "; " + l.Read.Text
	}
	if l.Gateway && effect.IsZero() && l.Parents.Text != "" {
		text += ": " + l.Parents.Text
	}
	if said := cmp.Or(l.untranslated(), l.Unsynced()); said != "" {
		text += "; its controller reports: " + said
	}
	return text
}

// waits is the same as data.
func (l SwitchLook) waits(effect, end time.Time) *v1alpha1.Waiting {
	w := WaitsFor(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseSwitch)
	switch {
	case !effect.IsZero() && l.ToldApart && l.Seen.LastOld.After(effect):
		w = WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseOldVersion, l.URL)
	case !effect.IsZero() && l.URL == "":
		w = WaitsUntil(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseTime, end)
	case !effect.IsZero():
		w = WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseTail, l.URL)
		w.Until = Stamp(end)
	case !l.GCE && !l.Gateway && !l.ToldApart:
		w = WaitsUntil(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseTime, l.quiet().Add(l.Wait))
	}
	if l.Read.Against {
		w.Detail = l.Read.Text
	}
	if l.Gateway && effect.IsZero() {
		w.Detail = l.Parents.Text
	}
	if said := cmp.Or(l.untranslated(), l.Unsynced()); said != "" {
		w.Detail = strings.TrimPrefix(w.Detail+"; "+said, "; ")
	}
	return w
}

// Unsynced is why the controller could not program the load balancer, if that still holds.
func (l SwitchLook) Unsynced() string { return l.still(l.News.Sync, l.News.SyncAt) }

// untranslated is why the controller cannot use the Ingress, if that still holds.
func (l SwitchLook) untranslated() string { return l.still(l.News.Translate, l.News.TranslateAt) }

// still is the controller's report of a failure, if it still holds. The controller repeats the
// report at every attempt, so an old report no longer holds. An event reports a later success,
// but events can get lost.
func (l SwitchLook) still(said string, at time.Time) string {
	lasts := l.Wait
	if l.News.Warnings >= Budget { // it can repeat its report only rarely
		lasts += Refill
	}
	if !at.IsZero() && !l.Now.Before(at.Add(lasts)) {
		return ""
	}
	return said
}
