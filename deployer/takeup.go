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

// takingUp checks whether the load balancer uses the routes as they are written.
type takingUp struct {
	routes     newsReader
	urlMap     urlMap
	addressing addressing
	urging     urging
	telling    telling
	asks, maps *asks
	carriesOut time.Duration
}

// takeUp checks whether the load balancer has taken up the routes as they are written, and sets a
// condition if nothing shows it. It uses only the record and what can be asked now, so another process
// would see the same.
func (t takingUp) takeUp(ctx context.Context, w *work) {
	last, live := w.bg.Status.LastSwitch, w.o.Routes.Live()
	w.o.Unconfirmed = ""
	if last == nil || live == "" {
		return // nobody knows what should be taken up
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
		return // it is looking itself
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
	person   *v1alpha1.Confirmation // that users reach the colour that the routes lead to
	urlMap   bool                   // its controller updated the URL map since right before a release wrote the routes
	routes   bool                   // the URL map was read since, and leads there
	mapTells bool                   // the URL map can be read, so events about it are not needed
	parents  track.ParentsWord      // what the Gateways report about the route as it is
	answers  bool                   // the version there answers at the public address
	against  string                 // what its controller reports as failing
	news     track.News             // the events that this came from
}

// weigh notes the first sign that there is. Drain and hold begin with it. The controller's report counts
// only for routes without a change before or after that it could be about.
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

// overrule notes that somebody else moved users since the last switch, in either direction.
func (t takingUp) overrule(w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color) {
	if w.bg.Status.Active != nil || live == track.RoutedTo(last) {
		return // a current release moves users itself
	}
	last.Unsettled = true
	last.AnswersFrom = &metav1.Time{Time: w.o.Now.Add(t.carriesOut + w.bg.Spec.DrainTime())}
	last.OverruledAt, last.OverruledTo = &metav1.Time{Time: w.o.Now}, live
	last.TookEffectAt, last.TookEffectBy = nil, ""
}

// listen looks for a person's confirmation, which is in the release that last moved users, and for the
// reports of the load balancer's controller. What cannot be read is ignored: no rollback waits for it.
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

// reported is what the Gateways report that had accepted the route before the last switch, or
// that accept it now, if somebody else has moved users since or the release is gone.
func reported(w *work, last *v1alpha1.SwitchRecord, rel *v1alpha1.Release) track.ParentsWord {
	parents := track.Accepted(w.o.Routes.Gateway.Parents)
	if rel != nil && rel.Status.Route != nil && last.OverruledAt == nil {
		parents = rel.Status.Route.Parents
	}
	return w.o.Routes.Word(parents)
}

// says is what the controller reports as failing, or last reported.
func (t takingUp) says(w *work, what string, at time.Time) string {
	switch {
	case what == "":
		return ""
	case !at.IsZero() && w.o.Now.Sub(at) >= t.carriesOut:
		return "said at " + track.Clock(at) + ", and not since: " + prose.Line(what, wayLimit)
	}
	return "says: " + prose.Line(what, wayLimit)
}

// seeRoutes notes the time since which the spec of the Ingress is as it is.
func (t takingUp) seeRoutes(w *work) {
	if s := w.bg.Status.Ingress; w.o.Routes.Exists && (s == nil || s.Generation != w.o.Routes.Generation) {
		w.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: w.o.Routes.Generation, Since: metav1.NewTime(w.o.Now)}
	}
}

// confirmed ends the condition.
func (t takingUp) confirmed(w *work, last *v1alpha1.SwitchRecord) {
	w.bg.Status.SetCommands(v1alpha1.ConditionSwitchUnconfirmed, nil)
	if meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionSwitchUnconfirmed) {
		t.telling.event(w, corev1.EventTypeNormal, "SwitchConfirmed",
			fmt.Sprintf("the load balancer took up the last switch (%s)", last.TookEffectBy))
	}
	t.asks.forget(client.ObjectKeyFromObject(w.bg))
	t.maps.forget(client.ObjectKeyFromObject(w.bg))
}

// wayLimit bounds somebody else's words in the condition, so that there is room for the ways out.
const wayLimit = 240

// unconfirmed sets the condition, with the ways out.
func (t takingUp) unconfirmed(w *work, last *v1alpha1.SwitchRecord, live v1alpha1.Color, said string, read track.MapWord, told answers) {
	other := live.Other()
	w.o.Unconfirmed = fmt.Sprintf("nothing says that it did, so that users may still be with %s", w.bg.Side(other).Service)
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
	message := fmt.Sprintf("nothing says that %s users to %s since %s, so that they may still be with %s: "+
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
	message += fmt.Sprintf(". %s. Or look yourself, and once users reach %s, confirm it", told.text, live)
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
	// takeUp is how long a load balancer may take to use new routes, if nothing reports it.
	// ingress-nginx, the slowest of the common controllers that run in the cluster, looks at
	// least every 3.3 s (--sync-rate-limit=0.3).
	takeUp = 5 * time.Second
	// takeUpGCE is for Google's, about which Google says "several minutes"
	// (networking-recipes, ingress/multi-cluster), if its controller does not report: events
	// get lost.
	takeUpGCE = 3 * time.Minute
)
