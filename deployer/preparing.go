package deployer

import (
	"context"
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// preparing is what precedes moving users.
type preparing struct {
	routes    newsReader
	workloads interface {
		HoldMinimum(ctx context.Context, bg *v1alpha1.BlueGreen, colour track.Side, release string) error
		Stamp(ctx context.Context, bg *v1alpha1.BlueGreen, s track.Side, release string) error
	}
	carriesOut time.Duration // see [Deployer.carriesOut]
}

// events asks which events exist, and does not wait for the answer. Only Google's controllers report
// by events.
func (p preparing) events(ctx context.Context, a *attempt) (told func() (track.News, error)) {
	if !a.o.OnGCE() {
		return func() (track.News, error) { return track.News{}, nil }
	}
	bg := a.bg.DeepCopy()
	return aside(func() (track.News, error) { return p.routes.News(ctx, bg, "") })
}

// noteEvents records which events exist, right before a patch of the Ingress. If they cannot be
// read, users do not wait for that.
func (p preparing) noteEvents(ctx context.Context, a *attempt, told func() (track.News, error)) {
	r := a.route()
	r.TookEffectAt, r.TookEffectBy = nil, ""
	r.Parents = a.o.Routes.AcceptedSince(r.Parents)
	news, err := told()
	if err != nil {
		a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
	}
	if err != nil && a.o.OnGCE() {
		a.finding("the events of ingress " + a.o.Routes.Name +
			" could not be read before the switch, so the reports of the load balancer's controller are not seen")
	}
	r.EventsBefore, r.Unsettled = news.Now, a.o.OnGCE() && !p.settled(a)
}

// settled reports whether the load balancer's controller has taken up the current routes, right
// before they are patched. Its next event about the URL map is then about that patch. If others
// change the Ingress, too, the controller may still be at their change.
func (p preparing) settled(a *attempt) bool {
	seen, last := a.bg.Status.Ingress, a.bg.Status.LastSwitch
	switch {
	case seen == nil || seen.Generation != a.o.Routes.Generation:
		return false
	case a.o.Now.Sub(seen.Since.Time) >= p.carriesOut:
		return true
	case seen.UID == string(a.rel.UID): // the last change was its reference, taken up before the target was warm
		return a.rel.Status.Milestones.WarmedAt != nil
	}
	return last != nil && seen.UID == last.UID && track.Tells(last.TookEffectBy)
}

// stampPatience is how long a rollback waits for a Deployment that temporarily cannot be written:
// one or two attempts.
const stampPatience = time.Second

// stamp begins to protect a colour, from right before users move there, from a late shrink. The
// switch's conditions were checked before; if the Deployment has been written since, they are checked
// again. Nothing else delays a rollback. The result waits for the end, and may be asked again.
func (p preparing) stamp(ctx context.Context, a *attempt, side track.Side) func() (pause, error) {
	bg, release, log := *a.bg, a.rel.Name, a.log
	ended := aside(func() (struct{}, error) {
		err := p.workloads.HoldMinimum(ctx, &bg, side, release)
		if err != nil && !apierrors.IsConflict(err) {
			log.WarnContext(ctx, "the autoscaler's minimum cannot be raised", "autoscaler", side.Autoscaler.Name, "error", err)
			err = nil
		}
		if err == nil {
			err = p.workloads.Stamp(ctx, &bg, side, release)
		}
		return struct{}{}, err
	})
	return sync.OnceValues(func() (pause, error) {
		_, err := ended()
		return p.stamped(a, side, err)
	})
}

// stampedBefore reports whether a colour has its stamp, and no autoscaler that needs one, so that
// stamping it only looks whether that is still so.
func stampedBefore(a *attempt, side track.Side) bool {
	return side.SwitchedBy == a.rel.Name && side.Autoscaler.Name == ""
}

// stamped is what follows from the attempt to stamp a colour.
func (p preparing) stamped(a *attempt, side track.Side, err error) (pause, error) {
	switch {
	case err == nil:
		return pause{}, nil
	case apierrors.IsConflict(err):
		return pause{
			until: a.o.Now, message: "deployment " + side.Deployment + " changed meanwhile: looking again",
			waits: track.WaitsForObject(v1alpha1.WaitsForDeployment, "", side.Deployment),
		}, nil
	case a.rel.Spec.Kind == v1alpha1.Deploy && a.rel.Status.Failure == nil:
		return pause{}, err
	case !apierrors.IsForbidden(err) && !apierrors.IsInvalid(err) && a.o.Now.Sub(a.entry().StartedAt.Time) < stampPatience:
		return pause{}, err
	}
	a.finding(fmt.Sprintf("users go back although deployment %s could not be annotated: %v", side.Deployment, err))
	return pause{}, nil
}
