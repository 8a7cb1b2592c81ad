package deployer

import (
	"context"
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// shifting gives a release's target its share of the users: the step shift a growing one,
// and the step withdraw none.
type shifting struct {
	recorder
	moving moving
	routes interface {
		Shift(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Routes, to v1alpha1.Color, weight int32) error
	}
	takeUp time.Duration // what a load balancer is given that does not tell; 0: the default
}

// look is what is known about the last weight.
func (s shifting) look(a *attempt) track.ShiftLook {
	l := track.ShiftLook{Now: a.o.Now, Steps: a.o.Canary, Last: a.rel.LastWeight(), Wait: s.patience()}
	l.Share, l.Known = a.o.Routes.Share(a.target())
	l.Parents = a.o.Routes.WordOn(a.rel)
	return l
}

// patience is how long a load balancer is given that does not tell.
func (s shifting) patience() time.Duration {
	if s.takeUp == 0 {
		return takeUpGCE
	}
	return s.takeUp
}

// intend records, before the patch, that the target is to have a weight. From the first
// one on the release divides users.
func (s shifting) intend(ctx context.Context, a *attempt, weight int32) error {
	st := &a.rel.Status
	if st.Shift == nil {
		st.Shift = &v1alpha1.ShiftStatus{
			Steps: a.o.Canary, Replicas: a.o.Previous.Replicas, Watch: &v1alpha1.SoakStatus{Restarts: a.o.Target.Restarts()},
		}
	}
	r := a.route()
	r.Parents = a.o.Routes.AcceptedSince(r.Parents)
	st.Shift.Weights = append(st.Shift.Weights, v1alpha1.ShiftedWeight{Weight: weight, IntendedAt: metav1.NewMicroTime(a.o.Now)})
	a.o.Routes = a.o.Routes.DuringRelease(a.rel)
	return s.save(ctx, a)
}

// give patches the route so that the target has its last weight. It reports whether it has.
func (s shifting) give(ctx context.Context, a *attempt) (bool, error) {
	weight := a.rel.LastWeight().Weight
	err := s.moving.moveRoutes(ctx, a, func() error { return s.routes.Shift(ctx, a.bg, a.o.Routes, a.target(), weight) })
	if err != nil {
		return false, err
	}
	share, known := a.o.Routes.Share(a.target())
	return known && share == weight, nil
}

// seen records that the target has its last weight. Whichever process patched it, the
// generation is this one or an earlier one.
func (s shifting) seen(ctx context.Context, a *attempt) error {
	last := a.rel.LastWeight()
	last.Generation = a.o.Routes.Generation
	a.say(fmt.Sprintf("%s gives %s %d %% of the users", a.o.Routes, a.target(), last.Weight))
	return s.save(ctx, a)
}

// tookEffect records that every Gateway has taken up the last weight.
func (s shifting) tookEffect(a *attempt, by v1alpha1.Sign) {
	now := metav1.NewMicroTime(a.o.Now)
	last := a.rel.LastWeight()
	last.EffectiveAt, last.EffectiveBy = &now, by
}

// patchAgain is the wait after a patch that somebody else's was ahead of.
func (s shifting) patchAgain(a *attempt, because v1alpha1.WaitingBecause) pause {
	return pause{until: a.o.Now, message: "dividing users", waits: waitsForRoutes(a, because)}
}
