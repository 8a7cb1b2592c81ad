package deployer

import (
	"context"
	"fmt"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
	"github.com/turnout-dev/turnout/record"
)

// takingUp checks whether the load balancer uses the current routes.
type takingUp struct {
	routes     newsReader
	urlMap     urlMap
	addressing addressing
	urging     urging
	telling    telling
	asks, maps *asks
	carriesOut time.Duration
}

// takeUp checks whether the load balancer has taken up the current routes, and sets a condition
// if nothing shows it. It uses only the record and current answers, so another process would
// reach the same result.
func (t takingUp) takeUp(ctx context.Context, w *work) {
	last, live := w.bg.Status.LastSwitch, w.o.Routes.Live()
	w.o.Unconfirmed = ""
	if last == nil || live == "" {
		return // which routes to expect is not known
	}
	t.overrule(w, last, live)
	if live != track.RoutedTo(last) {
		return // a release has moved users, and is about to record it
	}
	if track.SwitchTakenUp(last, w.o.Routes.LoadBalancer) {
		t.confirmed(w, last)
		return
	}
	if active := w.active(); active != nil && string(active.UID) == last.UID && active.Status.Failure == nil &&
		active.Status.Milestones.ConfirmedAt == nil {
		return // the release checks that itself
	}
	h := t.listen(ctx, w, last, live)
	read := t.urlMap.readMap(ctx, w, last, h.urlMap)
	h.routes, h.mapTells = read.There, read.Tells
	t.weigh(w, last, h)
	var told answers
	if !track.Tells(last.TookEffectBy) && w.o.Routes.Gateway == nil {
		told = t.addressing.ask(w, last, live)
		t.weigh(w, last, heard{answers: told.there})
	}
	if track.SwitchTakenUp(last, w.o.Routes.LoadBalancer) {
		t.confirmed(w, last)
		return
	}
	if h.news.Sync != "" {
		t.urging.urge(ctx, w, h.news, track.RoutedSince(last))
	}
	t.unconfirmed(w, last, live, h.against, read, told)
}

// heard is everything that may show that the load balancer took up the routes.
type heard struct {
	person   *v1alpha1.Confirmation // of users reaching the colour that the routes lead to
	urlMap   bool                   // the controller updated the URL map since just before a release wrote the routes
	routes   bool                   // the URL map was read since, and leads there
	mapTells bool                   // the URL map can be read, so events about it are not needed
	parents  track.ParentsWord      // what the Gateways report about the route as it is
	answers  bool                   // the version there answers at the public address
	against  string                 // what its controller reports as failing
	news     track.News             // the events behind this
}

// weigh records the first sign, if there is one. Drain and hold begin with it. The controller's
// report counts only if no earlier or later change could have caused it.
func (t takingUp) weigh(w *work, last *v1alpha1.SwitchRecord, h heard) {
	at := w.o.Now
	var by v1alpha1.Sign
	switch {
	case track.Tells(last.TookEffectBy):
		return
	case h.person != nil && !h.person.At.Time.Before(track.RoutedSince(last).Truncate(time.Second)):
		at, by = h.person.At.Time, v1alpha1.SignPerson
	case h.parents.InEffect:
		by = v1alpha1.SignRouteStatus
	case h.parents.Silent && !at.Before(track.RoutedSince(last).Add(t.carriesOut)):
		by = v1alpha1.SignWait
	case h.routes:
		by = v1alpha1.SignURLMapRead
	case h.urlMap && !last.Unsettled && !h.mapTells:
		by = v1alpha1.SignURLMap
	case h.answers:
		by = v1alpha1.SignNewVersion
	default:
		return
	}
	last.TookEffectAt, last.TookEffectBy = &metav1.Time{Time: at}, by
}

// overrule records that somebody else moved users since the last switch, in either direction.
func (t takingUp) overrule(w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color) {
	if w.bg.Status.Active != nil || live == track.RoutedTo(last) {
		return // a current release moves users itself
	}
	last.Unsettled = true
	last.AnswersFrom = &metav1.Time{Time: w.o.Now.Add(t.carriesOut + w.bg.Spec.DrainTime())}
	last.OverruledAt, last.OverruledTo = &metav1.Time{Time: w.o.Now}, live
	last.TookEffectAt, last.TookEffectBy = nil, ""
}

// listen reads a person's confirmation, which is in the release that last moved users, and the
// reports of the load balancer's controller. It ignores what cannot be read: no rollback waits
// for it.
func (t takingUp) listen(ctx context.Context, w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color) (h heard) {
	rel := mover(w, last)
	if w.o.Routes.Gateway != nil {
		h.parents = reported(w, last, rel)
		h.against = prose.Line(h.parents.Text, wayLimit)
	}
	if rel == nil {
		return h
	}
	h.person = rel.Spec.Confirmed(live)
	st := rel.Status.Route
	if st == nil || st.EventsBefore == "" {
		return h
	}
	news, err := t.routes.News(ctx, w.bg, st.EventsBefore)
	if err != nil {
		w.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		return h
	}
	h.news = news
	h.urlMap, h.against = news.URLMapUpdated && !st.Unsettled, t.says(w, news.Sync, news.SyncAt)
	if news.Translate != "" {
		h.against = t.says(w, news.Translate, news.TranslateAt)
	}
	return h
}

// mover is the release that moved users last; nil if it is gone.
func mover(w *work, last *v1alpha1.SwitchRecord) *v1alpha1.Release {
	i := slices.IndexFunc(w.releases, func(r v1alpha1.Release) bool { return string(r.UID) == last.UID })
	if i < 0 {
		return nil
	}
	return &w.releases[i]
}

// reported is the report of the Gateways that had accepted the route before the last switch. If
// somebody else has moved users since, or the release is gone, it is the report of those that
// accept the route now.
func reported(w *work, last *v1alpha1.SwitchRecord, rel *v1alpha1.Release) track.ParentsWord {
	parents := track.Accepted(w.o.Routes.Gateway.Parents)
	if rel != nil && rel.Status.Route != nil && last.OverruledAt == nil {
		parents = rel.Status.Route.Parents
	}
	return w.o.Routes.Word(parents)
}

// says is the failure that the controller reports, or last reported.
func (t takingUp) says(w *work, what string, at time.Time) string {
	switch {
	case what == "":
		return ""
	case !at.IsZero() && w.o.Now.Sub(at) >= t.carriesOut:
		return "said at " + track.Clock(at) + ", and not since: " + prose.Line(what, wayLimit)
	}
	return "says: " + prose.Line(what, wayLimit)
}

// seeRoutes records since when an Ingress of Google's has had its present spec: its controller needs
// a while to carry it out.
func (t takingUp) seeRoutes(w *work) {
	if s := w.bg.Status.Ingress; w.o.OnGCE() && w.o.Routes.Exists && (s == nil || s.Generation != w.o.Routes.Generation) {
		w.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: w.o.Routes.Generation, Since: metav1.NewTime(w.o.Now)}
	}
}

// confirmed clears the condition.
func (t takingUp) confirmed(w *work, last *v1alpha1.SwitchRecord) {
	w.bg.Status.SetCommands(v1alpha1.ConditionSwitchUnconfirmed, nil)
	if meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionSwitchUnconfirmed) {
		t.telling.event(w, corev1.EventTypeNormal, "SwitchConfirmed",
			fmt.Sprintf("the load balancer took up the last switch (%s)", last.TookEffectBy))
	}
	t.asks.forget(client.ObjectKeyFromObject(w.bg))
	t.maps.forget(client.ObjectKeyFromObject(w.bg))
}

// wayLimit bounds foreign text in the condition, so that the ways out have room.
const wayLimit = 240

// unconfirmed sets the condition, with the ways out.
func (t takingUp) unconfirmed(w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color, said string, read track.MapWord, told answers) {
	other := live.Other()
	w.o.Unconfirmed = fmt.Sprintf("nothing shows that it did, so users may still be with %s", w.bg.Side(other).Service)
	if said != "" {
		w.o.Unconfirmed += "; its controller " + said
	}
	since := track.RoutedSince(last)
	who := "Google's load balancer sends"
	if w.o.Routes.Gateway != nil {
		who = "every Gateway of " + w.o.Routes.String() + " sends"
		told = answers{reason: v1alpha1.ReasonOldRoutes, text: "Each of them reports it in the status of the route"}
		if at := since.Add(t.carriesOut); w.o.Now.Before(at) {
			w.wakeAt(at)
		}
	}
	message := fmt.Sprintf("nothing shows that %s users to %s since %s, so they may still be with %s: "+
		"deployment %s keeps its size, and nothing is staged over it",
		who, live, prose.Minute(since), other, w.bg.Side(other).Deployment)
	if said != "" {
		message += "; the controller " + said
	}
	reason := told.reason
	if read.Against {
		reason = v1alpha1.ReasonOldRoutes
	}
	if read.Text != "" {
		message += ". " + read.Text
	}
	message += fmt.Sprintf(". %s. Or check it yourself, and once users reach %s, confirm that", told.text, live)
	c := metav1.Condition{
		Type: v1alpha1.ConditionSwitchUnconfirmed, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: reason, Message: message,
	}
	w.bg.Status.SetCommands(c.Type,
		record.Commands(v1alpha1.Commands(v1alpha1.Shell("turnout", "confirm", w.bg.Name, "--namespace", w.bg.Namespace))))
	fresh := meta.FindStatusCondition(w.bg.Status.Conditions, c.Type) == nil
	if meta.SetStatusCondition(&w.bg.Status.Conditions, c); fresh {
		t.telling.event(w, corev1.EventTypeWarning, v1alpha1.ConditionSwitchUnconfirmed, message)
	}
	w.wakeAt(t.asks.next(client.ObjectKeyFromObject(w.bg), routesOf(last), t.addressing.rhythm.every(w, last)))
}

const (
	// takeUp is how long a load balancer without reports may take to use new routes.
	// ingress-nginx, the slowest common in-cluster controller, looks at least every 3.3 s
	// (--sync-rate-limit=0.3).
	takeUp = 5 * time.Second
	// takeUpGCE is the time for Google's load balancer if its controller does not report, since
	// events get lost. Google says "several minutes" (networking-recipes, ingress/multi-cluster).
	takeUpGCE = 3 * time.Minute
)
