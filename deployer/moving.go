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

// noteEvents notes, right before a patch of the Ingress, which events there are. If they cannot
// be read, users do not wait for that.
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

// settled reports whether the load balancer's controller has taken up the current routes, right
// before they are patched. Its event about the next URL map is then about that patch. On an
// Ingress that others change, too, the controller may still be at their change.
func (a moving) settled() bool {
	seen, last := a.bg.Status.Ingress, a.bg.Status.LastSwitch
	switch {
	case seen == nil || seen.Generation != a.o.Routes.Generation:
		return false
	case a.o.Now.Sub(seen.Since.Time) >= a.d.settles():
		return true
	case seen.UID == string(a.rel.UID): // the last change was its reference, taken up before the target was warm
		return a.rel.Status.Milestones.WarmedAt != nil
	}
	return last != nil && seen.UID == last.UID && track.Tells(last.TookEffectBy)
}

// stampPatience is how long users who go back wait for a Deployment that cannot be written at the
// moment, although nobody forbids it: one or two tries.
const stampPatience = time.Second

// stamp protects a colour, from right before users are brought there, from whoever was about to
// shrink it. The switch's conditions were checked before: if the Deployment has been written
// since, they are checked again. Users who go back wait for nothing else.
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

// translates reports, right before a switch, whether Google's controller can take it up: much may
// have changed since the Service was attached. Otherwise the patch would move nobody, and
// somebody may fix the cause in the meantime. Users of a rollback do not wait for that, in case
// this check is wrong.
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

// fence invalidates what an earlier look of this release sent, if nobody knows whether it will
// arrive: a process that was taken over may be stuck right before its patch. From here on the
// release may go another way, and the target may be shrunk or staged over.
func (a moving) fence(ctx context.Context) error {
	if !track.PatchMayBeOut(a.rel, a.o) {
		return nil
	}
	err := a.d.Routes.Fence(ctx, a.bg, a.o.Routes)
	switch {
	case err == nil, errors.Is(err, route.ErrLostRace):
	case apierrors.IsForbidden(err), apierrors.IsInvalid(err):
		// That patch is then refused as well; the release must not stand still for ever.
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

// waitsForRoutes is the wait until the Ingress is as this release writes it.
func (a moving) waitsForRoutes(because v1alpha1.WaitingBecause) *v1alpha1.Waiting {
	return track.WaitsForObject(v1alpha1.WaitsForIngress, because, a.o.Routes.Name)
}

// moveRoutes makes one patch of the Ingress and reads the result. If it loses a race to somebody
// who left our routes alone, the next look tries again; if somebody changed our routes, their
// change stays.
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
