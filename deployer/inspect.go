package deployer

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/preflight"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/index"
	"github.com/turnout-dev/turnout/record"
)

// inspection determines whether releases can run.
type inspection struct {
	cached, uncached client.Reader
	resolve          func(ctx context.Context, host string) ([]string, error)
	facts            *preflight.Collector
	repinning        repinning
	reaching         reaching
	checking         checking
	telling          telling
}

// inspect sets the application's condition: whether its next release can run, and if not, which
// object blocks it and how to fix it.
func (i inspection) inspect(ctx context.Context, w *work) (ready bool, err error) {
	live := w.o.Sides[w.o.Routes.Live()]
	f := track.ReadyFacts{UnfitImage: !record.IsName(live.Image, record.ImageLimit), ImageLimit: record.ImageLimit}
	if f.Grants, err = readGrants(ctx, i.cached, w.bg.Namespace); err != nil {
		return false, err
	}
	w.granted = f.Grants
	i.repinning.repin(ctx, w, f.Grants)
	if err := i.repinning.meetAgain(ctx, w, f.Grants); err != nil {
		return false, err
	}
	if f.Sharing, f.Shared, err = i.sharing(ctx, w); err != nil {
		return false, err
	}
	if f.StatefulSet, err = i.statefulSet(ctx, w.bg.Namespace, live); err != nil {
		return false, err
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: v1alpha1.ReasonReady, Message: "the next release can run",
	}
	if lock := w.bg.Status.Lock; lock != nil {
		condition.Message = "the next release waits: " + lockedBy(lock)
	}
	i.preflight(ctx, w)
	o := track.JudgeReady(w.bg, w.o, f)
	if o != nil && (o.Reason == v1alpha1.ReasonNotGranted || o.Reason == v1alpha1.ReasonRepositoryChanged) {
		w.barred, w.revoked = o, o.Reason == v1alpha1.ReasonNotGranted
	}
	if o == nil {
		o = i.reaching.reach(ctx, w)
	}
	if o == nil { // the repository was just found to be another
		o = track.OtherRepository(w.bg, w.granted)
	}
	if o == nil {
		o = hindrance(w.bg.Status.Findings)
	}
	var commands []v1alpha1.ShellCommand
	if o != nil {
		condition.Status, condition.Reason, condition.Message, commands = metav1.ConditionFalse, o.Reason, o.Text, o.Commands
		if o.Reason == v1alpha1.ReasonNotGranted {
			w.wakeAt(w.o.Now.Add(retryGrant))
		}
	}
	condition.Message = record.Message(condition.Message) // as recorded, for comparison
	w.bg.Status.SetCommands(condition.Type, record.Commands(commands))
	if meta.SetStatusCondition(&w.bg.Status.Conditions, condition) {
		i.tell(w, condition)
	}
	return condition.Status == metav1.ConditionTrue, nil
}

// preflight reports what is wrong with the objects that the next switch relies on. It judges at
// each look, even during a release, which it does not stop. A failed read changes nothing.
func (i inspection) preflight(ctx context.Context, w *work) {
	if w.o.Routes.Live() == "" {
		w.bg.Status.Findings = nil // there is nothing to switch; the condition says why
		return
	}
	from := preflight.Sources{Cached: i.cached, Uncached: i.uncached, Resolve: i.resolve}
	deploys, _ := w.waiting(nil)
	mends := len(preflight.Errors(w.bg.Status.Findings)) > 0
	soon := w.bg.Status.Active == nil && len(deploys) > 0 || mends
	facts, again, err := i.facts.Collect(ctx, from, w.bg, w.o.Routes, w.o.Now, soon)
	if err != nil {
		w.log.WarnContext(ctx, "the preflight cannot read", "error", err)
		w.wakeAt(w.o.Now.Add(retryPreflight))
		return
	}
	if !again.IsZero() {
		w.wakeAt(again)
	}
	w.bg.Status.Findings = slices.Concat(i.checking.judge(ctx, w), preflight.Check(facts))
	slices.SortStableFunc(w.bg.Status.Findings, func(a, b v1alpha1.Finding) int { return cmp.Compare(a.Severity, b.Severity) })
	if len(preflight.Errors(w.bg.Status.Findings)) > 0 {
		w.wakeAt(w.o.Now.Add(lookAtErrors))
	}
}

// hindrance turns the preflight's errors into an obstacle to the next release; nil if there are
// none.
func hindrance(findings []v1alpha1.Finding) *track.Obstacle {
	errs := preflight.Errors(findings)
	if len(errs) == 0 {
		return nil
	}
	message := errs[0].String()
	if more := len(errs) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more: status.findings)", more)
	}
	return track.Hinders(v1alpha1.ReasonPreflight, message, errs[0].Commands...)
}

// tell emits an event about a changed condition.
func (i inspection) tell(w *work, c metav1.Condition) {
	kind := corev1.EventTypeWarning
	if c.Status == metav1.ConditionTrue {
		kind = corev1.EventTypeNormal
	}
	i.telling.event(w, kind, c.Reason, c.Message)
}

// statefulSet returns the StatefulSet whose pods have the users of a side without a Deployment.
func (i inspection) statefulSet(ctx context.Context, namespace string, live track.Side) (string, error) {
	if live.DeploymentExists || len(live.Selector) == 0 {
		return "", nil
	}
	var pods corev1.PodList
	if err := i.uncached.List(ctx, &pods, client.InNamespace(namespace), client.MatchingLabels(live.Selector), client.Limit(1)); err != nil {
		return "", fmt.Errorf("listing the pods of service %s: %w", live.Service, err)
	}
	for p := range pods.Items {
		if owner := metav1.GetControllerOf(&pods.Items[p]); owner != nil && owner.Kind == "StatefulSet" {
			return owner.Name, nil
		}
	}
	return "", nil
}

// sharing returns another BlueGreen of the namespace that uses one of the
// Services, and that Service.
func (i inspection) sharing(ctx context.Context, w *work) (other, service string, err error) {
	for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
		name := w.bg.Side(c).Service
		var list v1alpha1.BlueGreenList
		part := client.MatchingFields{index.Part: index.Service(name)}
		if err := i.cached.List(ctx, &list, client.InNamespace(w.bg.Namespace), part, client.UnsafeDisableDeepCopy); err != nil {
			return "", "", fmt.Errorf("listing bluegreens that use service %s of namespace %s: %w", name, w.bg.Namespace, err)
		}
		for i := range list.Items {
			if list.Items[i].Name != w.bg.Name {
				return list.Items[i].Name, name, nil
			}
		}
	}
	return "", "", nil
}
