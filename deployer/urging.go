package deployer

import (
	"context"
	"time"

	"github.com/turnout-dev/turnout/deployer/track"
)

// urging makes the load balancer's controller try again.
type urging struct{ *work }

// urge makes the load balancer's controller try again at routes at which it failed. The Ingress records
// the poke for whoever is about to make the next one.
func (w urging) urge(ctx context.Context, news track.News, since time.Time) {
	at, now := news.UrgeAt(since, w.o.Routes.PokedAt, w.d.Routes.Settle), time.Now()
	if now.Before(at) && !w.o.Routes.PokedAt.After(now) {
		w.wakeAt(at)
		return
	}
	w.o.Routes.PokedAt = now
	if err := w.d.Routes.Poke(ctx, w.bg, w.o.Routes, now); err != nil {
		w.log.WarnContext(ctx, "the load balancer's controller cannot be urged", "ingress", w.o.Routes.Name, "error", err)
	}
	w.wakeAt(news.UrgeAt(since, now, w.d.Routes.Settle))
}
