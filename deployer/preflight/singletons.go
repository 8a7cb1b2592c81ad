package preflight

import (
	"slices"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// singletons judges the singletons: each is a Deployment of its own, whose old pod ends before a
// new one starts.
func singletons(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	app := f.about("bluegreen", f.App.Name)
	for i, s := range f.Singletons {
		field, named := "spec.singletons["+s.Deployment+"]", f.App.Spec.Singletons[i].Container
		used := slices.ContainsFunc(both, func(c v1alpha1.Color) bool { return f.App.Side(c).Deployment == s.Deployment }) ||
			slices.ContainsFunc(f.Workers, func(w Worker) bool { return w.Deployment == s.Deployment })
		switch {
		case used || len(s.Others) > 0:
			all = append(all, app.fault("SingletonShared", field, "deployment %s is also a colour's, a worker's or another application's: give "+
				"the singleton a Deployment of its own", s.Deployment))
		case !s.Exists:
			all = append(all, app.fault("SingletonMissing", field, "deployment %s does not exist: create it, or remove it from the list",
				s.Deployment))
		case s.Strategy != "Recreate":
			all = append(all, f.about("deployment", s.Deployment).fault("SingletonStrategy", "spec.strategy.type", "it is %s, so the pods of two "+
				"versions would run at the same time: set Recreate", s.Strategy).With(
				v1alpha1.Merge("deployment", s.Deployment, f.App.Namespace, map[string]any{
					"spec": map[string]any{"strategy": map[string]any{"type": "Recreate", "rollingUpdate": nil}},
				})))
		case unclear(f, named, s.Containers):
			all = append(all, app.fault("SingletonContainer", field+".container", "it must name the container of deployment %s that gets the "+
				"image: the pod template has %s", s.Deployment, strings.Join(s.Containers, ", ")))
		}
	}
	return all
}

// unclear reports whether it is not known which of the containers gets the image; named is the
// one that the spec names.
func unclear(f Facts, named string, containers []string) bool {
	if named == "" {
		return len(containers) != 1 && !slices.Contains(containers, f.App.Spec.Container)
	}
	return !slices.Contains(containers, named)
}

// cronJobs judges the CronJobs.
func cronJobs(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	app := f.about("bluegreen", f.App.Name)
	for i, j := range f.CronJobs {
		field := "spec.cronJobs[" + j.Name + "]"
		switch {
		case j.Unread:
			all = append(all, app.fault("CronJobUnread", field, "Turnout may not read cronjob %s: apply this version's "+
				"config, which has the right", j.Name))
		case len(j.Others) > 0:
			all = append(all, app.fault("CronJobShared", field, "cronjob %s is also part of bluegreen %s: two applications cannot give it "+
				"their images", j.Name, strings.Join(j.Others, ", ")))
		case !j.Exists:
			all = append(all, app.fault("CronJobMissing", field, "cronjob %s does not exist: create it, or remove it from the list", j.Name))
		case unclear(f, f.App.Spec.CronJobs[i].Container, j.Containers):
			all = append(all, app.fault("CronJobContainer", field+".container", "it must name the container of cronjob %s that gets the "+
				"image: the pod template has %s", j.Name, strings.Join(j.Containers, ", ")))
		}
	}
	return all
}
