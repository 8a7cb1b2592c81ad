package deployer

import (
	"context"
	"errors"
	"fmt"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
)

// moving is what every patch that moves users needs.
type moving struct{ *attempt }

// noteEvents notes, right before a patch of the Ingress, which events there were.
// That they cannot be read is no reason to keep users waiting.
func (a moving) noteEvents(ctx context.Context) {
	r := a.route()
	r.TookEffectAt, r.TookEffectBy = nil, ""
	news, err := a.d.Routes.News(ctx, a.bg, "")
	if err != nil {
		a.log.WarnContext(ctx, "the events of the ingress cannot be read", "error", err)
	}
	if err != nil && a.o.OnGCE() {
		a.finding("the events of ingress " + a.o.Routes.Name +
			" could not be read before the switch, so that what the load balancer's controller says of it is not seen")
	}
	r.EventsBefore, r.Unsettled = news.Now, a.o.OnGCE() && !a.settled()
}

// settled reports whether the load balancer's controller has taken up the routes as
// they are, right before they are patched. Its event of the next URL map is then of
// that patch. On an Ingress that others change, too, it may be still at their change.
func (a moving) settled() bool {
	seen, last := a.bg.Status.Ingress, a.bg.Status.LastSwitch
	switch {
	case seen == nil || seen.Generation != a.o.Routes.Generation:
		return false
	case a.o.Now.Sub(seen.Since.Time) >= a.d.settles():
		return true
	case seen.UID == string(a.rel.UID): // by its reference, which the load balancer has once the target is warm
		return a.rel.Status.Milestones.WarmedAt != nil
	}
	return last != nil && seen.UID == last.UID && track.Tells(last.TookEffectBy)
}

// stampPatience is how long users who go back wait for a Deployment that cannot be
// written just now, and that nobody forbids to write: a try or two.
const stampPatience = time.Second

// stamp keeps a colour, from right before users are brought there, from whoever was
// about to shrink it. What the switch rests on was looked at before: of a Deployment
// that was written since it is looked at again. Users who go back wait for nothing
// else.
func (a moving) stamp(ctx context.Context, side track.Side) (pause, error) {
	err := a.d.Workloads.HoldMinimum(ctx, a.bg, side, a.rel.Name)
	if err != nil && !apierrors.IsConflict(err) {
		a.log.WarnContext(ctx, "the autoscaler keeps its minimum", "autoscaler", side.Autoscaler.Name, "error", err)
		err = nil
	}
	if err == nil {
		err = a.d.Workloads.Stamp(ctx, a.bg, side, a.rel.Name)
	}
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

// translates reports, right before a switch, whether Google's controller can take
// it up: much may have changed since the Service was attached. The patch would move
// nobody, and what is in the way may be mended meanwhile. Users of a rollback do not
// wait for that, should this be wrong about it.
func (a moving) translates(ctx context.Context) error {
	if !a.o.OnGCE() {
		return nil
	}
	err := a.d.Routes.CheckTranslation(ctx, a.bg, a.o.Routes, a.target())
	if err != nil && a.rel.Spec.Kind == v1alpha1.Rollback {
		a.finding("the ingress is switched all the same: " + err.Error())
		return nil
	}
	return err
}

// fence makes void what an earlier look of this release sent, and nobody knows
// whether it will arrive: a process that was taken over may be stuck right before its
// patch. From here on the release may go another way, and leave the target to be
// shrunk or staged over.
func (a moving) fence(ctx context.Context) error {
	if !track.PatchMayBeOut(a.rel, a.o) {
		return nil
	}
	err := a.d.Routes.Fence(ctx, a.bg, a.o.Routes)
	switch {
	case err == nil, errors.Is(err, route.ErrLostRace):
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		// Then that patch is refused, too; the release must not stand still for ever.
		a.log.WarnContext(ctx, "the ingress cannot be fenced", "ingress", a.o.Routes.Name, "error", err)
		return nil
	default:
		return err
	}
	now, observeErr := a.d.Routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now
	if err != nil && track.PatchMayBeOut(a.rel, a.o) {
		return err // not by that patch: look again
	}
	return nil
}

// waitsForRoutes is the wait for the Ingress to be as this release writes it.
func (a moving) waitsForRoutes(because v1alpha1.WaitingBecause) *v1alpha1.Waiting {
	return track.WaitsForObject(v1alpha1.WaitsForIngress, because, a.o.Routes.Name)
}

// moveRoutes makes one patch of the Ingress and looks at what is there now. A
// race lost to somebody who left our routes alone is run again at the next look;
// one lost to somebody who changed them is theirs.
func (a moving) moveRoutes(ctx context.Context, patch func() error) error {
	before := a.o.Routes
	err := patch()
	if _, ok := errors.AsType[*route.PortError](err); ok {
		return &fault{class: v1alpha1.FaultRelease, reason: v1alpha1.FailedPorts, message: err.Error()}
	}
	lost := errors.Is(err, route.ErrLostRace)
	if err != nil && !lost {
		return err
	}
	now, observeErr := a.d.Routes.Observe(ctx, a.bg)
	if observeErr != nil {
		return observeErr
	}
	a.o.Routes = now
	if !lost && now.Generation == before.Generation+1 {
		a.bg.Status.Ingress = &v1alpha1.IngressSeen{Generation: now.Generation, Since: metav1.NewTime(time.Now()), UID: string(a.rel.UID)}
	}
	if lost && !route.Same(before, now) {
		return &fault{
			class: v1alpha1.FaultInterference, reason: v1alpha1.FailedInterference,
			message: fmt.Sprintf("the routes of ingress %s were changed by someone else during the release; nothing was changed by this release "+
				"since", now.Name),
		}
	}
	return nil
}
