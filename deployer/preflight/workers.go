package preflight

import (
	"fmt"
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func workerField(name, rest string) string { return "spec.workers[" + name + "]" + rest }

// workers judges the workers: each needs a Deployment of its own on each side, which gets no
// users.
func workers(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	app := f.about("bluegreen", f.App.Name)
	for _, w := range f.Workers {
		field := workerField(w.Name, "."+string(w.Color)+".deployment")
		if other := sharedWith(f, w); other != "" {
			all = append(all, app.fault("WorkerShared", field, "deployment %s is %s, too: a release would start and stop it for both. Give the "+
				"worker a Deployment of its own", w.Deployment, other))
			continue
		}
		if w.Exists {
			for _, other := range both {
				if s := f.service(other); s != nil && len(s.Spec.Selector) > 0 && track.Selects(s.Spec.Selector, w.Labels) {
					all = append(all, f.about("deployment", w.Deployment).fault("WorkerSelected", "spec.template.metadata.labels",
						"service %s selects the pods of worker %s, so users reach them: give them another label than those of the "+
							"application", s.Name, w.Name))
				}
			}
			all = append(all, ambiguous(f, w)...)
			all = append(all, idle(f, w)...)
			continue
		}
		all = append(all, missing(f, w)...)
	}
	return all
}

// idle reports a worker that runs where no users are. One with a queue of its own does so until that
// is empty, if a release has moved users.
func idle(f Facts, w Worker) []v1alpha1.Finding {
	if w.Color == f.live() || w.Replicas == 0 || f.App.Status.Active != nil {
		return nil
	}
	why := "both versions' workers take tasks. Scale it to 0; the next release starts it"
	if i := slices.IndexFunc(f.App.Spec.Workers, func(s v1alpha1.WorkerSpec) bool { return s.Name == w.Name && s.Queue != nil }); i >= 0 {
		if f.App.Status.WorkersOwed != nil {
			return nil
		}
		why = "the next deploy waits until it is stopped. Scale it to 0 once its queue is empty; the next release starts it"
	}
	return []v1alpha1.Finding{f.about("deployment", w.Deployment).warning("WorkerIdle", "spec.replicas",
		"worker %s runs on %s, where no users are: %s", w.Name, w.Color, why).
		With(v1alpha1.Kubectl("scale", "deployment", w.Deployment, f.App.Namespace, "--replicas=0"))}
}

// sharedWith names what else uses the Deployment of a worker; "" if nothing does.
func sharedWith(f Facts, w Worker) string {
	for _, c := range both {
		if f.App.Side(c).Deployment == w.Deployment {
			return "the " + string(c) + " side of the application"
		}
	}
	for _, o := range f.Workers {
		if o.Deployment == w.Deployment && (o.Name != w.Name || o.Color != w.Color) {
			return fmt.Sprintf("the %s side of worker %s", o.Color, o.Name)
		}
	}
	if len(w.Others) > 0 {
		return "part of bluegreen " + strings.Join(w.Others, ", ")
	}
	return ""
}

// ambiguous reports a worker whose container for the image is not known.
func ambiguous(f Facts, w Worker) []v1alpha1.Finding {
	i := slices.IndexFunc(f.App.Spec.Workers, func(s v1alpha1.WorkerSpec) bool { return s.Name == w.Name })
	named := f.App.Spec.Workers[i].Container
	if !unclear(f, named, w.Containers) {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).fault("WorkerContainer", workerField(w.Name, ".container"),
		"it must name the container of deployment %s that gets the image: the pod template has %s", w.Deployment,
		strings.Join(w.Containers, ", "))}
}

// missing reports a worker whose Deployment does not exist, and cannot be made from the other
// side's.
func missing(f Facts, w Worker) []v1alpha1.Finding {
	i := slices.IndexFunc(f.Workers, func(o Worker) bool { return o.Name == w.Name && o.Color == w.Color.Other() })
	other := f.Workers[i]
	about, field := f.about("bluegreen", f.App.Name), workerField(w.Name, "."+string(w.Color)+".deployment")
	switch {
	case !other.Exists && w.Color == f.live():
		return []v1alpha1.Finding{about.fault("WorkerMissing", field, "neither deployment %s nor deployment %s exists: create the one of the "+
			"live side", w.Deployment, other.Deployment)}
	case !other.Exists:
		return nil // said of the live side
	case w.Color == f.live():
		return []v1alpha1.Finding{about.warning("WorkerMissing", field, "deployment %s does not exist, and %s is live: nobody does the work of "+
			"worker %s, and there is nothing to bring back in a rollback", w.Deployment, w.Color, w.Name)}
	case !other.Colored:
		return []v1alpha1.Finding{about.fault("WorkerMissing", field, "deployment %s does not exist, and cannot be made from deployment %s, "+
			"whose selector lacks %s: %s", w.Deployment, other.Deployment, track.ColorLabel(f.App), other.Color)}
	}
	return nil // it is made from the other one
}
