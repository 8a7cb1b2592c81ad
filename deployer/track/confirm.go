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
	// oldLingers is how recent the old version's last answer is at the deadline, if
	// it is still there.
	oldLingers = 10 * time.Second
	// NewInARow is how many answers of the new version, and none of the old one in
	// between, say that it is there.
	NewInARow = 3
)

// SwitchLook is one look at a switch that was made.
type SwitchLook struct {
	Now, SwitchedAt, Deadline time.Time
	Effect                    time.Time // when the first sign was seen that it took effect; zero: none was
	Rollback                  bool
	GCE                       bool          // the load balancer is Google's, which tells
	News                      News          // since right before the switch
	Unsettled                 bool          // what that says of the URL map may be of a change before
	Read                      MapWord       // what the URL map itself says
	URL                       string        // the public address; empty: it is not asked
	Seen                      Answered      // what it answered
	ToldApart                 bool          // the old version's from the new one's
	Resumed                   time.Time     // when the asking was taken up again after an interruption
	Wait                      time.Duration // for a load balancer that does not tell
	Tail                      time.Duration // to ask on
}

// Answered is what the answers of the public address tell of a switch.
type Answered struct {
	// Breach is why traffic should move back; empty: nothing says so.
	Breach string
	// NewInARow answers were the new version's; the old one's last came at LastOld.
	NewInARow int
	LastOld   time.Time
}

// MapWord is what the URL map of Google's load balancer says of routes.
type MapWord struct {
	// Asked: whoever runs Turnout lets it be read. Tells: it can be, as far as is known,
	// and says which colour it leads to.
	Asked, Tells bool
	// There: it leads to where users are sent. Against: it leads to the other colour.
	There, Against bool
	// Text is for people: what it says, or how it might be read.
	Text string
}

// ConfirmOutcome is what follows from a look at a switch.
type ConfirmOutcome int

// The outcomes of a look at a switch.
const (
	ConfirmAgain          ConfirmOutcome = iota + 1 // look again, at SwitchVerdict.At
	ConfirmDone                                     // it took effect, or nothing more can be known of it
	ConfirmFails                                    // users meet failures that they did not meet before
	ConfirmUntranslatable                           // it cannot take effect
	ConfirmStuck                                    // it has not, and time is up
)

// SwitchVerdict is what follows from a look at a switch.
type SwitchVerdict struct {
	Outcome ConfirmOutcome
	Sign    v1alpha1.Sign     // that it took effect, if this look is the first to see one
	At      time.Time         // of the next look, for ConfirmAgain
	Message string            // for a person
	Waits   *v1alpha1.Waiting // the same in facts, for ConfirmAgain
	Finding string            // what was not observed, if something was not
}

// Judge says what follows from a look.
func (l SwitchLook) Judge() SwitchVerdict {
	v := SwitchVerdict{}
	effect := l.Effect
	if effect.IsZero() {
		if v.Sign = l.sign(); v.Sign != "" {
			effect = l.Now
		}
	}
	if v.Sign == v1alpha1.SignWait && l.GCE {
		v.Finding = fmt.Sprintf("it was not observed when the load balancer took up the switch: its controller did not say so within %s", l.Wait)
		if l.Read.Asked && l.Read.Text != "" {
			v.Finding += "; " + l.Read.Text
		}
	}
	end := effect.Add(l.rest(effect))
	switch over := !l.Now.Before(l.Deadline); {
	case l.Seen.Breach != "" && (!l.Rollback || !l.Effect.IsZero()):
		// What fails before a rollback took effect is the version that it leaves.
		v.Outcome, v.Message = ConfirmFails, l.Seen.Breach
	case l.News.Translate != "" && effect.IsZero() && !l.Rollback:
		// Nothing took effect, and the endpoints of what is live are not kept up any
		// more. A rollback has no way back.
		v.Outcome, v.Message = ConfirmUntranslatable, l.News.Translate
	case !effect.IsZero() && !l.Now.Before(end):
		v.Outcome = ConfirmDone
	case over && l.oldStays(effect):
		v.Outcome, v.Message = ConfirmStuck, "the old version still answers at "+l.URL
	case over && effect.IsZero() && l.untranslated() != "":
		v.Outcome, v.Message = ConfirmStuck, "the load balancer's controller cannot take up the Ingress: "+l.untranslated()
	case over && effect.IsZero() && l.Unsynced() != "":
		v.Outcome, v.Message = ConfirmStuck, "the load balancer's controller could not take up the Ingress: "+l.Unsynced()
	case over && effect.IsZero() && l.Read.Against:
		v.Outcome, v.Message = ConfirmStuck, "the load balancer has not taken up the Ingress: "+l.Read.Text
	case over && effect.IsZero():
		v.Outcome, v.Finding = ConfirmDone, "it was not observed whether the load balancer took up the switch"
	case over:
		v.Outcome, v.Finding = ConfirmDone, fmt.Sprintf("the public address was asked for %s after the switch took effect, not for %s: time "+
			"was up (spec.deadlines.confirm)", l.Now.Sub(effect).Round(time.Second), l.Tail)
	default:
		v.Outcome, v.Message, v.Waits = ConfirmAgain, l.waiting(effect, end), l.waits(effect, end)
		v.At = l.Now.Add(confirmPause)
		for _, t := range []time.Time{end, l.quiet().Add(l.Wait), l.Deadline} {
			if t.After(l.Now) && t.Before(v.At) {
				v.At = t
			}
		}
	}
	return v
}

// sign is the best sign at this look that the switch took effect; empty if there
// is none.
func (l SwitchLook) sign() v1alpha1.Sign {
	switch {
	case l.Read.There:
		return v1alpha1.SignURLMapRead
	case l.News.URLMapUpdated && !l.Unsettled && !l.Read.Tells:
		return v1alpha1.SignURLMap
	case l.ToldApart && l.Seen.NewInARow >= NewInARow:
		return v1alpha1.SignNewVersion
	case l.untranslated() == "" && l.Unsynced() == "" && !l.Read.Against && !l.Now.Before(l.quiet().Add(l.Wait)):
		return v1alpha1.SignWait
	}
	return ""
}

// quiet is since when nothing speaks against the switch having taken effect.
func (l SwitchLook) quiet() time.Time {
	if l.ToldApart && l.Seen.LastOld.After(l.SwitchedAt) {
		return l.Seen.LastOld
	}
	return l.SwitchedAt
}

// rest is how long after it took effect a switch is confirmed, as it looks now:
// front ends of a load balancer take up a change one after the other.
func (l SwitchLook) rest(effect time.Time) time.Duration {
	if l.URL == "" {
		return 0
	}
	from := effect
	if l.Resumed.After(from) { // what was met in between is not known
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

// waiting says what is waited for. It changes with what it says only: every
// change is a write.
func (l SwitchLook) waiting(effect, end time.Time) string {
	text := "waits for a sign that the load balancer took up the switch"
	switch {
	case !effect.IsZero() && l.ToldApart && l.Seen.LastOld.After(effect):
		text = fmt.Sprintf("asks %s until the old version has not answered for %s", l.URL, l.Tail)
	case !effect.IsZero():
		text = "asks " + l.URL + " until " + Clock(end)
	case !l.GCE && !l.ToldApart:
		text = "gives the load balancer time to take up the switch until " + Clock(l.quiet().Add(l.Wait))
	}
	if l.Read.Against {
		text += "; " + l.Read.Text
	}
	if said := cmp.Or(l.untranslated(), l.Unsynced()); said != "" {
		text += "; its controller says: " + said
	}
	return text
}

// waits is the same in facts.
func (l SwitchLook) waits(effect, end time.Time) *v1alpha1.Waiting {
	w := WaitsFor(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseSwitch)
	switch {
	case !effect.IsZero() && l.ToldApart && l.Seen.LastOld.After(effect):
		w = WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseOldVersion, l.URL)
	case !effect.IsZero():
		w = WaitsForObject(v1alpha1.WaitsForAddress, v1alpha1.BecauseTail, l.URL)
		w.Until = Stamp(end)
	case !l.GCE && !l.ToldApart:
		w = WaitsUntil(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseTime, l.quiet().Add(l.Wait))
	}
	if l.Read.Against {
		w.Detail = l.Read.Text
	}
	if said := cmp.Or(l.untranslated(), l.Unsynced()); said != "" {
		w.Detail = strings.TrimPrefix(w.Detail+"; "+said, "; ")
	}
	return w
}

// Unsynced is why the controller could not program the load balancer, if that lasts.
func (l SwitchLook) Unsynced() string { return l.still(l.News.Sync, l.News.SyncAt) }

// untranslated is why it cannot use the Ingress, if that lasts.
func (l SwitchLook) untranslated() string { return l.still(l.News.Translate, l.News.TranslateAt) }

// still is what the controller says it fails at. It repeats that with every try, so
// that what it has not said for long is no longer so: that its next try succeeded is
// told by an event, which may be lost.
func (l SwitchLook) still(said string, at time.Time) string {
	lasts := l.Wait
	if l.News.Warnings >= Budget { // it may repeat itself once in a while only
		lasts += Refill
	}
	if !at.IsZero() && !l.Now.Before(at.Add(lasts)) {
		return ""
	}
	return said
}
