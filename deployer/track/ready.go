package track

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Obstacle is why no release of an application can run, with the commands that remove it. It is
// also an error, for callers that need one.
type Obstacle struct {
	Reason string // of the condition Ready
	v1alpha1.Advice
}

// Hinders returns an obstacle.
func Hinders(reason, text string, commands ...v1alpha1.ShellCommand) *Obstacle {
	return &Obstacle{reason, v1alpha1.Advise(text, commands...)}
}

func (o *Obstacle) Error() string { return o.Text }

// ShellCommands returns the commands that remove it.
func (o *Obstacle) ShellCommands() []v1alpha1.ShellCommand { return o.Commands }

// ReadyFacts are what [JudgeReady] needs beside the spec and the observation.
type ReadyFacts struct {
	Grants v1alpha1.Grants
	// Sharing names another BlueGreen that uses one of the Services, and Shared that
	// Service.
	Sharing, Shared string
	// UnfitImage: the live image's name cannot be recorded; ImageLimit is the limit in bytes.
	UnfitImage bool
	ImageLimit int
	// StatefulSet whose pods the live Service selects, if the live Deployment does not exist; "" if
	// there is none.
	StatefulSet string
}

// JudgeReady returns the first obstacle to an application's releases, or nil.
func JudgeReady(bg *v1alpha1.BlueGreen, o Observed, f ReadyFacts) *Obstacle {
	if missing := f.Grants.Missing(bg.Needs()...); len(missing) > 0 {
		return &Obstacle{v1alpha1.ReasonNotGranted, f.Grants.Explain(bg.Namespace, missing)}
	}
	if o := OtherRepository(bg, f.Grants); o != nil {
		return o
	}
	if f.Sharing != "" {
		return Hinders(v1alpha1.ReasonServiceShared,
			fmt.Sprintf("service %s is also used by bluegreen %s: give each application its own, in spec.blue.service and spec.green.service",
				f.Shared, f.Sharing))
	}
	if bg.Side(v1alpha1.Blue).Service == bg.Side(v1alpha1.Green).Service {
		return Hinders(v1alpha1.ReasonServiceShared,
			fmt.Sprintf("spec.blue.service and spec.green.service both name %s: each colour needs its own", bg.Side(v1alpha1.Blue).Service))
	}
	if r := judgeRoutes(bg, o); r != nil {
		return r
	}
	return judgeLive(bg, o, f)
}

func judgeRoutes(bg *v1alpha1.BlueGreen, o Observed) *Obstacle {
	blue, green := bg.Side(v1alpha1.Blue).Service, bg.Side(v1alpha1.Green).Service
	switch {
	case !o.Routes.Exists && o.Routes.Gateway != nil:
		return Hinders(v1alpha1.ReasonIngressMissing, routeMissing(bg, o))
	case !o.Routes.Exists:
		return Hinders(v1alpha1.ReasonIngressMissing,
			fmt.Sprintf("ingress %s does not exist in namespace %s: create it, or name another in spec.ingress.name", o.Routes.Name, bg.Namespace))
	case o.Routes.Mixed():
		return mixed(bg, o)
	case o.Routes.Live() == "":
		return Hinders(v1alpha1.ReasonNotRouted,
			fmt.Sprintf("%s names neither service %s nor service %s: route users to one of them, or correct spec.blue.service and "+
				"spec.green.service", o.Routes, blue, green))
	case o.Routes.HostTaken != "":
		return Hinders(v1alpha1.ReasonStandbyHost,
			fmt.Sprintf("ingress %s has a rule for the host %s that is not Turnout's: remove it, or set spec.ingress.standbyHost to another host",
				o.Routes.Name, o.Routes.HostTaken))
	}
	return nil
}

// mixed says that users are on both colours, and who can bring them together.
func mixed(bg *v1alpha1.BlueGreen, o Observed) *Obstacle {
	text := fmt.Sprintf("%s routes %s to service %s and %s to service %s: ",
		o.Routes, routeTo(o, v1alpha1.Blue), bg.Side(v1alpha1.Blue).Service, routeTo(o, v1alpha1.Green), bg.Side(v1alpha1.Green).Service)
	edit := v1alpha1.Kubectl("edit", o.Routes.Kind(), o.Routes.Name, bg.Namespace)
	if m := bg.Status.Mixed; m != nil && m.Back != nil {
		return Hinders(v1alpha1.ReasonMixedRoutes,
			text+fmt.Sprintf("a rollback brings all of them to %s on %s, which they had before, or point all of them at one of the two",
				m.Back.To.Short(), m.Back.To.Color),
			v1alpha1.Shell("turnout", "rollback", bg.Name, "--namespace", bg.Namespace), edit)
	}
	return Hinders(v1alpha1.ReasonMixedRoutes, text+"point all of them at one of the two", edit)
}

// routeMissing says why there is no HTTPRoute.
func routeMissing(bg *v1alpha1.BlueGreen, o Observed) string {
	if o.Routes.Gateway.Missing != "" {
		return o.Routes.Gateway.Missing
	}
	return fmt.Sprintf("%s does not exist in namespace %s: create it, or name another in spec.gateway.route", o.Routes, bg.Namespace)
}

func routeTo(o Observed, c v1alpha1.Color) string {
	list := o.Routes.Users[c]
	if len(list) > 1 {
		return fmt.Sprintf("%s and %d more", list[0], len(list)-1)
	}
	return list[0].String()
}

func judgeLive(bg *v1alpha1.BlueGreen, o Observed, f ReadyFacts) *Obstacle {
	live, other := o.Sides[o.Routes.Live()], o.Sides[o.Routes.Live().Other()]
	switch {
	case !live.DeploymentExists && f.StatefulSet != "":
		return Hinders(v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("service %s, which is live, sends users to the pods of statefulset %s, which cannot be a side: its pods have names and "+
				"volumes of their own, so there is no second set of them beside it. Move what serves users into deployment %s, and what it keeps "+
				"into a database, a bucket or a claim that is ReadWriteMany; or update the StatefulSet in place, without Turnout",
				live.Service, f.StatefulSet, live.Deployment))
	case !live.DeploymentExists && !other.DeploymentExists:
		return Hinders(v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("neither deployment %s nor deployment %s exists in namespace %s: create %s, whose service %s has the users; the other one "+
				"is created from it",
				live.Deployment, other.Deployment, bg.Namespace, live.Deployment, live.Service))
	case !live.ServiceExists:
		return Hinders(v1alpha1.ReasonServiceMissing,
			fmt.Sprintf("service %s, which %s routes users to, does not exist in namespace %s: create it", live.Service, o.Routes,
				bg.Namespace))
	case !live.DeploymentExists:
		return Hinders(v1alpha1.ReasonDeploymentMissing,
			fmt.Sprintf("deployment %s, the live %s side, does not exist in namespace %s: create it, or name another in spec.%s.deployment",
				live.Deployment, live.Color, bg.Namespace, live.Color))
	case Stranded(bg, live) != nil:
		return &Obstacle{v1alpha1.ReasonSelector, *Stranded(bg, live)}
	case SelectsStaged(bg, live, other):
		way := SeparateAdvice(bg, live)
		return Hinders(v1alpha1.ReasonSelector,
			fmt.Sprintf("service %s, which is live, would send users to what is staged on deployment %s before it is checked: its spec.selector "+
				"lacks %s: %s; %s",
				live.Service, other.Deployment, bg.Spec.ColorLabel, live.Color, way.Text), way.Commands...)
	case !other.ServiceExists && !live.ServiceColored:
		return uncopiable(bg, v1alpha1.ReasonServiceMissing, "service", live.Service, other.Service, live.Color)
	case !other.DeploymentExists && !live.DeploymentColored:
		o := uncopiable(bg, v1alpha1.ReasonDeploymentMissing, "deployment", live.Deployment, other.Deployment, live.Color)
		o.Commands = v1alpha1.Commands(OwnSelectorAdvice(bg, live, other.Deployment))
		return o
	case live.Container == "" && bg.Spec.Container == "":
		return Hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s has the containers %v: name the one that gets the image in spec.container", live.Deployment, live.Containers))
	case live.Container == "":
		return Hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s has no container %s, only %v: correct spec.container", live.Deployment, bg.Spec.Container, live.Containers))
	case f.UnfitImage:
		return Hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("in deployment %s, the image name of container %s has %d bytes or contains control characters (at most %d bytes are "+
				"recorded): correct the image", live.Deployment, live.Container, len(live.Image), f.ImageLimit))
	case bg.Spec.Template == v1alpha1.TemplateOwn && other.DeploymentExists && other.Container == "":
		return Hinders(v1alpha1.ReasonContainer,
			fmt.Sprintf("deployment %s, whose own pod template is staged (spec.template: Own), has the containers %v: name the one that gets the "+
				"image in spec.container", other.Deployment, other.Containers))
	}
	return nil
}

// uncopiable is a missing object that cannot be created from the live one, since its selector
// would match the live pods. Deleting and recreating the live one is no way out: its users would
// have no pods in between.
func uncopiable(bg *v1alpha1.BlueGreen, reason, kind, live, missing string, c v1alpha1.Color) *Obstacle {
	return Hinders(reason, fmt.Sprintf("%s %s does not exist in namespace %s, and cannot be created from %s %s, whose spec.selector lacks "+
		"%s: %s: create it with its own selector, which has %s: %s",
		kind, missing, bg.Namespace, kind, live, bg.Spec.ColorLabel, c, bg.Spec.ColorLabel, c.Other()))
}

// OtherRepository is the obstacle that the repository is not the one first pinned.
func OtherRepository(bg *v1alpha1.BlueGreen, granted v1alpha1.Grants) *Obstacle {
	pin := bg.Pinned()
	if pin == nil || pin.Found == 0 {
		return nil
	}
	return Hinders(v1alpha1.ReasonRepositoryChanged, fmt.Sprintf(
		"%s is no longer the repository that Turnout pinned: its ID was %d, and is %d now; if that is intended, a cluster "+
			"administrator must pin the new ID in %s of the namespace",
		bg.Spec.Repository, pin.ID, pin.Found, v1alpha1.RepinAnnotation), granted.Repin(bg.Namespace, bg.Spec.Repository, pin.Found))
}
