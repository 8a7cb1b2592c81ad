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
type takingUp struct{ *work }

// takeUp checks whether the load balancer has taken up the routes as they are written, and sets a
// condition if nothing shows it. It uses only the record and what can be asked now, so another process
// would see the same.
func (w takingUp) takeUp(ctx context.Context) {
	last, live := w.bg.Status.LastSwitch, w.o.Routes.Live()
	w.o.Unconfirmed = ""
	if last == nil || live == "" {
		return // nobody knows what should be taken up
	}
	w.overrule(last, live)
	if live != track.RoutedTo(last) {
		return // a release has moved users, and is about to record it
	}
	if track.SwitchTakenUp(last, w.o.Routes.LoadBalancer) {
		w.confirmed(last)
		return
	}
	if active := looking(w).active(); active != nil && string(active.UID) == last.UID && active.Status.Failure == nil &&
		active.Status.Milestones.ConfirmedAt == nil {
		return // it is looking itself
	}
	h := w.listen(ctx, last, live)
	read := urlMap(w).readMap(ctx, last, h.urlMap)
	h.routes, h.mapTells = read.There, read.Tells
	w.weigh(last, h)
	var told answers
	if !track.Tells(last.TookEffectBy) {
		told = addressing(w).ask(last, live)
		w.weigh(last, heard{answers: told.there})
	}
	if track.Tells(last.TookEffectBy) {
		w.confirmed(last)
		return
	}
	if h.news.Sync != "" {
		urging(w).urge(ctx, h.news, track.RoutedSince(last))
	}
	w.unconfirmed(last, live, h.against, read, told)
}

// heard is everything that may show that the load balancer took up the routes.
type heard struct {
	person   *v1alpha1.Confirmation // that users reach the colour that the routes lead to
	urlMap   bool                   // its controller updated the URL map since right before a release wrote the routes
	routes   bool                   // the URL map was read since, and leads there
	mapTells bool                   // the URL map can be read, so events about it are not needed
	answers  bool                   // the version there answers at the public address
	against  string                 // what its controller reports as failing
	news     track.News             // the events that this came from
}

// weigh notes the first sign that there is. Drain and hold begin with it. The controller's report counts
// only for routes without a change before or after that it could be about.
func (w takingUp) weigh(last *v1alpha1.SwitchRecord, h heard) {
	at := w.o.Now
	var by v1alpha1.Sign
	switch {
	case track.Tells(last.TookEffectBy):
		return
	case h.person != nil && !h.person.At.Time.Before(track.RoutedSince(last).Truncate(time.Second)):
		at, by = h.person.At.Time, v1alpha1.SignPerson
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
func (w takingUp) overrule(last *v1alpha1.SwitchRecord, live v1alpha1.Color) {
	if w.bg.Status.Active != nil || live == track.RoutedTo(last) {
		return // a current release moves users itself
	}
	last.Unsettled = true
	last.AnswersFrom = &metav1.Time{Time: w.o.Now.Add(w.d.settles() + w.bg.Spec.DrainTime())}
	last.OverruledAt, last.OverruledTo = &metav1.Time{Time: w.o.Now}, live
	last.TookEffectAt, last.TookEffectBy = nil, ""
}

// listen looks for a person's confirmation, which is in the release that last moved users, and for the
// reports of the load balancer's controller. What cannot be read is ignored: no rollback waits for it.
func (w takingUp) listen(ctx context.Context, last *v1alpha1.SwitchRecord, live v1alpha1.Color) heard {
	i := slices.IndexFunc(w.releases, func(r v1alpha1.Release) bool { return string(r.UID) == last.UID })
	if i < 0 {
		return heard{}
	}
	rel := &w.releases[i]
	h := heard{person: rel.Spec.Confirmed(live)}
	st := rel.Status.Route
	if st == nil || st.EventsBefore == "" {
		return h
	}
	news, err := w.d.Routes.News(ctx, w.bg, st.EventsBefore)
	if err != nil {
		w.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		return h
	}
	h.news = news
	h.urlMap, h.against = news.URLMapUpdated && !st.Unsettled, w.says(news.Sync, news.SyncAt)
	if news.Translate != "" {
		h.against = w.says(news.Translate, news.TranslateAt)
	}
	return h
}

// says is what the controller reports as failing, or last reported.
func (w takingUp) says(what string, at time.Time) string {
	switch {
	case what == "":
		return ""
	case !at.IsZero() && w.o.Now.Sub(at) >= w.d.settles():
		return "said at " + track.Clock(at) + ", and not since: " + prose.Line(what, wayLimit)
	}
	return "says: " + prose.Line(what, wayLimit)
}

// seeRoutes notes the time since which the spec of the Ingress is as it is.
func (w takingUp) seeRoutes() {
	if s := w.bg.Status.Ingress; w.o.Routes.Exists && (s == nil || s.Generation != w.o.Routes.Generation) {
		w.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: w.o.Routes.Generation, Since: metav1.NewTime(w.o.Now)}
	}
}

// confirmed ends the condition.
func (w takingUp) confirmed(last *v1alpha1.SwitchRecord) {
	w.bg.Status.SetCommands(v1alpha1.ConditionSwitchUnconfirmed, nil)
	if meta.RemoveStatusCondition(&w.bg.Status.Conditions, v1alpha1.ConditionSwitchUnconfirmed) && w.d.Events != nil {
		w.d.Events.Eventf(w.bg, nil, corev1.EventTypeNormal, "SwitchConfirmed", "Inspect", "the load balancer took up the last switch (%s)",
			last.TookEffectBy)
	}
	w.d.asks.forget(client.ObjectKeyFromObject(w.bg))
	w.d.maps.forget(client.ObjectKeyFromObject(w.bg))
}

// wayLimit bounds somebody else's words in the condition, so that there is room for the ways out.
const wayLimit = 240

// unconfirmed sets the condition, with the ways out.
func (w takingUp) unconfirmed(last *v1alpha1.SwitchRecord, live v1alpha1.Color, said string, read track.MapWord, told answers) {
	other := live.Other()
	w.o.Unconfirmed = fmt.Sprintf("nothing says that it did, so that users may still be with %s", w.bg.Side(other).Service)
	if said != "" {
		w.o.Unconfirmed += "; its controller " + said
	}
	since := track.RoutedSince(last)
	message := fmt.Sprintf("nothing says that Google's load balancer sends users to %s since %s, so that they may still be with %s: "+
		"deployment %s keeps its size, and nothing is staged over it",
		live, since.UTC().Format("2006-01-02 15:04:05 UTC"), other, w.bg.Side(other).Deployment)
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
	if meta.SetStatusCondition(&w.bg.Status.Conditions, c); fresh && w.d.Events != nil {
		w.d.Events.Eventf(w.bg, nil, corev1.EventTypeWarning, v1alpha1.ConditionSwitchUnconfirmed, "Inspect", "%s", message)
	}
	w.wakeAt(w.d.asks.next(client.ObjectKeyFromObject(w.bg), routesOf(last), addressing(w).askEvery(last)))
}
