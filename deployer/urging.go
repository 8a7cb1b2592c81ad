package deployer

import (
	"context"
	"time"

	"github.com/turnout-dev/turnout/deployer/track"
)

// urging makes the load balancer's controller try again.
type urging struct {
	routes poker
	settle time.Duration // of [route.Router]
}

// urge makes the load balancer's controller retry routes on which it failed. The Ingress records
// the poke, for everybody who may make the next one.
func (u urging) urge(ctx context.Context, w *work, news track.News, since time.Time) {
	at, now := news.UrgeAt(since, w.o.Routes.PokedAt, u.settle), time.Now()
	if now.Before(at) && !w.o.Routes.PokedAt.After(now) {
		w.wakeAt(at)
		return
	}
	w.o.Routes.PokedAt = now
	if err := u.routes.Poke(ctx, w.bg, w.o.Routes, now); err != nil {
		w.log.WarnContext(ctx, "the load balancer's controller cannot be urged", "ingress", w.o.Routes.Name, "error", err)
	}
	w.wakeAt(news.UrgeAt(since, now, u.settle))
}
