package deployer

import (
	"context"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// warmAct waits for the load balancer.
type warmAct struct {
	recorder
	routes interface {
		newsReader
		poker
	}
	settle time.Duration // of [route.Router]
}

// do waits until the load balancer itself finds every pod of the target healthy. If the load
// balancer does not report that, it waits until requests to the target's Service reach each of
// its pods. It makes Google's controller report again when that would show something new.
func (act warmAct) do(ctx context.Context, a *attempt) (pause, error) {
	st := a.route()
	w := track.WarmAnew(a.rel, a.o)
	st.HealthySince = w.HealthySince
	now := metav1.NewTime(a.o.Now)
	if w.Warm {
		a.rel.Status.Milestones.WarmedAt = &now
		sayWarm(a, w)
		return pause{}, nil
	}
	rare := act.rarely(ctx, a, w)
	if !w.PokeAt.IsZero() && !a.o.Now.Before(w.PokeAt) && !a.o.Now.Before(rare) {
		at := metav1.NewMicroTime(a.o.Now)
		st.Pokes, st.PokedAt = st.Pokes+1, &at
		a.say(lackingText(w, a.o.Target.Service))
		// Count first: an uncounted poke would be repeated again and again.
		if err := act.save(ctx, a); err != nil {
			return pause{}, err
		}
		if err := act.routes.Poke(ctx, a.bg, a.o.Routes, a.o.Now); err != nil {
			return pause{}, err
		}
		w = track.WarmAnew(a.rel, a.o)
	}
	if a.o.Now.Before(rare) && w.Again.Before(rare) {
		w.Again = rare
	}
	p := pause{until: w.Again, message: lackingText(w, a.o.Target.Service), waits: act.waitsForWarmth(a, w)}
	if slices.ContainsFunc(a.o.Groups, func(g track.Group) bool { return g.Trouble != "" }) {
		p.until = a.o.Now.Add(lookAtRoutes)
	}
	return p, nil
}

// rarely is when a due poke may be sent: at once, unless the controller's event budget is nearly
// used up and the last poke was recent. Users who go back do not wait for that.
func (act warmAct) rarely(ctx context.Context, a *attempt, w track.Warmth) time.Time {
	if w.PokeAt.IsZero() || a.o.Now.Before(w.PokeAt) || a.rel.Spec.Kind == v1alpha1.Rollback || a.o.Routes.PokedAt.After(a.o.Now) {
		return time.Time{}
	}
	news, err := act.routes.News(ctx, a.bg, "")
	if err != nil {
		a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
		return time.Time{}
	}
	return a.o.Routes.PokedAt.Add(news.RarePokes(act.settle))
}

// waitsForWarmth is what a target lacks, as data.
func (act warmAct) waitsForWarmth(a *attempt, w track.Warmth) *v1alpha1.Waiting {
	waits := track.WaitsForObject(v1alpha1.WaitsForLoadBalancer, v1alpha1.BecauseEndpoints, a.o.Target.Service)
	if a.o.OnGCE() {
		waits.Because = v1alpha1.BecauseHealth
	}
	waits.Done, waits.Of, waits.Detail = int32(w.Good), int32(w.Pods), lackText(w.Lacking)
	return waits
}
