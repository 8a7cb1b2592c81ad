package deployer

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// warm waits until the load balancer itself finds every pod of the target
// healthy, or where it does not tell, until requests to the target's Service reach
// every pod of it. It makes Google's controller tell anew when something is to be
// learnt by that.
func (a *attempt) warm(ctx context.Context) (pause, error) {
	st := a.route()
	w := track.WarmAnew(a.rel, a.o)
	st.HealthySince = w.HealthySince
	now := metav1.NewTime(a.o.Now)
	if w.Warm {
		a.rel.Status.Milestones.WarmedAt = &now
		a.sayWarm(w)
		return pause{}, nil
	}
	rare := a.rarely(ctx, w)
	if !w.PokeAt.IsZero() && !a.o.Now.Before(w.PokeAt) && !a.o.Now.Before(rare) {
		at := metav1.NewMicroTime(a.o.Now)
		st.Pokes, st.PokedAt = st.Pokes+1, &at
		a.say(lackingText(w, a.o.Target.Service))
		// Counted first: a poke that nobody remembers would be made again and again.
		if err := a.save(ctx); err != nil {
			return pause{}, err
		}
		if err := a.d.Routes.Poke(ctx, a.bg, a.o.Routes, a.o.Now); err != nil {
			return pause{}, err
		}
		w = track.WarmAnew(a.rel, a.o)
	}
	if a.o.Now.Before(rare) && w.Again.Before(rare) {
		w.Again = rare
	}
	p := pause{until: w.Again, message: lackingText(w, a.o.Target.Service), waits: a.waitsForWarmth(w)}
	if slices.ContainsFunc(a.o.Groups, func(g track.Group) bool { return g.Trouble != "" }) {
		p.until = a.o.Now.Add(lookAtRoutes)
	}
	return p, nil
}

// rarely is when a poke that is due may be made: at once, unless the controller's
// budget of events is nearly spent, and one was made lately. Users who go back do not
// wait for that.
func (a *attempt) rarely(ctx context.Context, w track.Warmth) time.Time {
	if w.PokeAt.IsZero() || a.o.Now.Before(w.PokeAt) || a.rel.Spec.Kind == v1alpha1.Rollback || a.o.Routes.PokedAt.After(a.o.Now) {
		return time.Time{}
	}
	news, err := a.d.Routes.News(ctx, a.bg, "")
	if err != nil {
		a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		return time.Time{}
	}
	return a.o.Routes.PokedAt.Add(news.RarePokes(a.d.Routes.Settle))
}

// sayWarm notes what was found, and what of it could not be seen.
func (a *attempt) sayWarm(w track.Warmth) {
	if !a.onGCE() {
		a.say(fmt.Sprintf("%d ready endpoints", w.Pods))
		return
	}
	if len(w.Waived) > 0 {
		text := fmt.Sprintf("%d pods of %s are ready and had the users until %s; not waited for: %s", w.Pods, a.o.Target.Deployment,
			track.Clock(a.o.LeftAt), lackText(w.Waived))
		a.say(text)
		a.finding(text)
		return
	}
	if len(w.Unseen) == 0 {
		a.say(fmt.Sprintf("the load balancer finds %d pods healthy", w.Pods))
		return
	}
	text := fmt.Sprintf("the load balancer finds service %s healthy; it does not say so of each pod: %s", a.o.Target.Service,
		lackText(w.Unseen))
	a.say(text)
	a.finding(text)
}

// waitsForWarmth is what a target lacks, in facts.
func (a *attempt) waitsForWarmth(w track.Warmth) *v1alpha1.Waiting {
	waits := track.WaitsForObject(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseEndpoints, a.o.Target.Service)
	if a.onGCE() {
		waits.Because = v1alpha1.BecauseHealth
	}
	waits.Done, waits.Of, waits.Detail = int32(w.Good), int32(w.Pods), lackText(w.Lacking)
	return waits
}

// lackingText says what a target lacks.
func lackingText(w track.Warmth, service string) string {
	text := fmt.Sprintf("%d of %d pods are ready endpoints of service %s", w.Good, w.Pods, service)
	if len(w.Lacking) > 0 {
		text += ": " + lackText(w.Lacking)
	}
	if len(w.Unseen) > 0 {
		text += "; not seen one by one: " + lackText(w.Unseen)
	}
	return text
}

// lacksNamed bounds how many pods a message names.
const lacksNamed = 3

func lackText(all []track.Lack) string {
	var texts []string
	for _, l := range all[:min(len(all), lacksNamed)] {
		texts = append(texts, l.String())
	}
	if more := len(all) - lacksNamed; more > 0 {
		texts = append(texts, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(texts, "; ")
}
