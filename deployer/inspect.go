package deployer

import (
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
	"github.com/turnout-dev/turnout/deployer/workload"
	"github.com/turnout-dev/turnout/record"
)

// facts are what a BlueGreen is judged by, besides its own spec.
type facts struct {
	grants v1alpha1.Grants
	// sharing names another BlueGreen that uses one of the Services.
	sharing, shared string
}

// inspection tells whether releases can run.
type inspection struct{ *work }

// inspect says in the application's condition whether its next release could
// run, and if not, which object is in the way and how to mend it.
func (w inspection) inspect(ctx context.Context) (ready bool, err error) {
	var f facts
	if f.grants, err = readGrants(ctx, w.d.Client, w.bg.Namespace); err != nil {
		return false, err
	}
	w.granted = f.grants
	ownRepository(w).repin(ctx, f.grants)
	if err := ownRepository(w).meetAgain(ctx, f.grants); err != nil {
		return false, err
	}
	if f.sharing, f.shared, err = w.sharing(ctx); err != nil {
		return false, err
	}
	condition := metav1.Condition{
		Type: v1alpha1.ConditionReady, Status: metav1.ConditionTrue, ObservedGeneration: w.bg.Generation,
		Reason: v1alpha1.ReasonReady, Message: "the next release can run",
	}
	if lock := w.bg.Status.Lock; lock != nil {
		condition.Message = "the next release waits: " + lockedBy(lock)
	}
	w.preflight(ctx)
	o := judge(w.bg, w.o, f)
	if o != nil && (o.reason == v1alpha1.ReasonNotGranted || o.reason == v1alpha1.ReasonRepositoryChanged) {
		w.barred, w.revoked = o, o.reason == v1alpha1.ReasonNotGranted
	}
	if o == nil {
		o = reaching(w).reach(ctx)
	}
	if o == nil { // another repository was met just now
		o = another(w.bg, w.granted)
	}
	if o == nil {
		o = hindrance(w.bg.Status.Findings)
	}
	var commands []v1alpha1.ShellCommand
	if o != nil {
		condition.Status, condition.Reason, condition.Message, commands = metav1.ConditionFalse, o.reason, o.Text, o.Commands
		if o.reason == v1alpha1.ReasonNotGranted {
			w.wakeAt(w.o.Now.Add(retryGrant))
		}
	}
	condition.Message = record.Message(condition.Message) // as it is recorded, to be known again
	w.bg.Status.SetCommands(condition.Type, record.Commands(commands))
	if meta.SetStatusCondition(&w.bg.Status.Conditions, condition) {
		w.tell(condition)
	}
	return condition.Status == metav1.ConditionTrue, nil
}

// preflight notes what is wrong with the objects that the next switch rests on. It
// is judged anew at each look, also while a release is under way, which it does not
// hinder. Not being able to look changes nothing.
func (w inspection) preflight(ctx context.Context) {
	if w.o.Routes.Live() == "" {
		w.bg.Status.Findings = nil // there is nothing to switch; the condition says why
		return
	}
	from := preflight.Sources{Cached: w.d.Client, Uncached: w.d.Routes.Reader, Resolve: w.d.Resolve}
	deploys, _ := w.waiting(nil)
	mends := len(preflight.Errors(w.bg.Status.Findings)) > 0
	soon := w.bg.Status.Active == nil && len(deploys) > 0 || mends
	facts, again, err := w.d.facts.Collect(ctx, from, w.bg, w.o.Routes, w.o.Now, soon)
	if err != nil {
		w.log.WarnContext(ctx, "the preflight cannot look", "error", err)
		w.wakeAt(w.o.Now.Add(retryPreflight))
		return
	}
	if !again.IsZero() {
		w.wakeAt(again)
	}
	w.bg.Status.Findings = preflight.Check(facts)
	if len(preflight.Errors(w.bg.Status.Findings)) > 0 {
		w.wakeAt(w.o.Now.Add(lookAtErrors))
	}
}

// hindrance is what the preflight's errors are to the next release; nil if there
// are none.
func hindrance(findings []v1alpha1.Finding) *obstacle {
	errs := preflight.Errors(findings)
	if len(errs) == 0 {
		return nil
	}
	message := errs[0].String()
	if more := len(errs) - 1; more > 0 {
		message += fmt.Sprintf(" (and %d more: status.findings)", more)
	}
	return hinders(v1alpha1.ReasonPreflight, message, errs[0].Commands...)
}

// tell makes an event of a condition that changed, for whoever looks there.
func (w inspection) tell(c metav1.Condition) {
	kind := corev1.EventTypeWarning
	if c.Status == metav1.ConditionTrue {
		kind = corev1.EventTypeNormal
	}
	telling(w).event(kind, c.Reason, c.Message)
}

// sharing returns another BlueGreen of the namespace that uses one of the
// Services, and that Service.
func (w inspection) sharing(ctx context.Context) (other, service string, err error) {
	var list v1alpha1.BlueGreenList
	if err := w.d.Client.List(ctx, &list, client.InNamespace(w.bg.Namespace)); err != nil {
		return "", "", fmt.Errorf("listing bluegreens of namespace %s: %w", w.bg.Namespace, err)
	}
	ours := []string{w.bg.Side(v1alpha1.Blue).Service, w.bg.Side(v1alpha1.Green).Service}
	for i := range list.Items {
		bg := &list.Items[i]
		if bg.Name == w.bg.Name {
			continue
		}
		for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
			if s := bg.Side(c).Service; slices.Contains(ours, s) {
				return bg.Name, s, nil
			}
		}
	}
	return "", "", nil
}

// judge returns the first thing that keeps an application's releases from
// running, or nil. It is pure.
func judge(bg *v1alpha1.BlueGreen, o track.Observed, f facts) *obstacle {
	if missing := f.grants.Missing(bg.Needs()...); len(missing) > 0 {
		return &obstacle{v1alpha1.ReasonNotGranted, f.grants.Explain(bg.Namespace, missing)}
	}
	if o := another(bg, f.grants); o != nil {
		return o
	}
	if f.sharing != "" {
		return hinders(v1alpha1.ReasonServiceShared,
			fmt.Sprintf("service %s is used by bluegreen %s, too: give each application its own, in spec.blue.service and spec.green.service",
				f.shared, f.sharing))
	}
	if bg.Side(v1alpha1.Blue).Service == bg.Side(v1alpha1.Green).Service {
		return hinders(v1alpha1.ReasonServiceShared,
			fmt.Sprintf("spec.blue.service and spec.green.service both name %s: each colour needs its own", bg.Side(v1alpha1.Blue).Service))
	}
	if r := judgeRoutes(bg, o); r != nil {
		return r
	}
	return judgeLive(bg, o)
}

func judgeRoutes(bg *v1alpha1.BlueGreen, o track.Observed) *obstacle {
	blue, green := bg.Side(v1alpha1.Blue).Service, bg.Side(v1alpha1.Green).Service
	switch {
	case !o.Routes.Exists:
		return hinders(v1alpha1.ReasonIngressMissing,
			fmt.Sprintf("ingress %s does not exist in namespace %s: create it, or name another in spec.ingress.name", o.Routes.Name, bg.Namespace))
	case o.Routes.Mixed():
		return hinders(v1alpha1.ReasonMixedRoutes,
			fmt.Sprintf("ingress %s routes %s to service %s and %s to service %s: point all of them at one of the two",
				o.Routes.Name, routes(o, v1alpha1.Blue), blue, routes(o, v1alpha1.Green), green),
			v1alpha1.Kubectl("edit", "ingress", o.Routes.Name, bg.Namespace))
	case o.Routes.Live() == "":
		return hinders(v1alpha1.ReasonNotRouted,
			fmt.Sprintf("ingress %s names neither service %s nor service %s: route users to one of them, or correct spec.blue.service and "+
				"spec.green.service", o.Routes.Name, blue, green))
	case o.Routes.HostTaken != "":
		return hinders(v1alpha1.ReasonStandbyHost,
			fmt.Sprintf("ingress %s has a rule for the host %s that is not Turnout's: remove it, or set spec.ingress.standbyHost to another host",
				o.Routes.Name, o.Routes.HostTaken))
	}
	return nil
}

func routes(o track.Observed, c v1alpha1.Color) string {
	list := o.Routes.Users[c]
	if len(list) > 1 {
		return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
	}
	return list[0].String()
}

func judgeLive(bg *v1alpha1.BlueGreen, o track.Observed) *obstacle {
	live, other := o.Sides[o.Routes.Live()], o.Sides[o.Routes.Live().Other()]
	switch {
	case !live.DeploymentExists && !other.DeploymentExists:
		return hinders(v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("neither deployment %s nor deployment %s exists in namespace %s: create %s, whose service %s has the users; the other one "+
				"is made from it",
				live.Deployment, other.Deployment, bg.Namespace, live.Deployment, live.Service))
	case !live.ServiceExists:
		return hinders(v1alpha1.ReasonServiceMissing,
			fmt.Sprintf("service %s, which ingress %s routes users to, does not exist in namespace %s: create it", live.Service, o.Routes.Name,
				bg.Namespace))
	case !live.DeploymentExists:
		return hinders(v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("deployment %s, the live %s side, does not exist in namespace %s: create it, or name another in spec.%s.deployment",
				live.Deployment, live.Color, bg.Namespace, live.Color))
	case workload.Stranded(bg, live) != nil:
		return &obstacle{v1alpha1.ReasonSelector, *workload.Stranded(bg, live)}
	case workload.SelectsStaged(bg, live, other):
		way := workload.SeparateAdvice(bg, live)
		return hinders(v1alpha1.ReasonSelector,
			fmt.Sprintf("service %s, which is live, would send users to what is staged on deployment %s before it is checked: its spec.selector "+
				"lacks %s: %s; %s",
				live.Service, other.Deployment, bg.Spec.ColorLabel, live.Color, way.Text), way.Commands...)
	case !other.ServiceExists && !live.ServiceColored:
		return uncopiable(bg, v1alpha1.ReasonServiceMissing, "service", live.Service, other.Service, live.Color)
	case !other.DeploymentExists && !live.DeploymentColored:
		o := uncopiable(bg, v1alpha1.ReasonDeploymentMissing, "deployment", live.Deployment, other.Deployment, live.Color)
		o.Commands = v1alpha1.Commands(workload.OwnSelectorAdvice(bg, live, other.Deployment))
		return o
	case live.Container == "" && bg.Spec.Container == "":
		return hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s has the containers %v: name the one that gets the image in spec.container", live.Deployment, live.Containers))
	case live.Container == "":
		return hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s has no container %s, only %v: correct spec.container", live.Deployment, bg.Spec.Container, live.Containers))
	case !record.IsName(live.Image, record.ImageLimit):
		return hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s has for container %s an image whose name has %d bytes or control characters (at most %d bytes are "+
				"recorded): correct the image", live.Deployment, live.Container, len(live.Image), record.ImageLimit))
	case bg.Spec.Template == v1alpha1.TemplateOwn && other.DeploymentExists && other.Container == "":
		return hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s, whose own pod template is staged (spec.template: Own), has the containers %v: name the one that gets the "+
				"image in spec.container", other.Deployment, other.Containers))
	}
	return nil
}

// uncopiable is a missing object that cannot be made from the live one: by its
// selector it would get hold of the live pods. The live one is not to be made anew:
// its users would have no pods meanwhile.
func uncopiable(bg *v1alpha1.BlueGreen, reason, kind, live, missing string, c v1alpha1.Color) *obstacle {
	return hinders(reason, fmt.Sprintf("%s %s does not exist in namespace %s, and cannot be made from %s %s, whose spec.selector lacks %s: "+
		"%s: create it with a selector of its own, which has %s: %s",
		kind, missing, bg.Namespace, kind, live, bg.Spec.ColorLabel, c, bg.Spec.ColorLabel, c.Other()))
}
