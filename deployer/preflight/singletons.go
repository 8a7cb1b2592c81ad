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
		case named != "" && !slices.Contains(s.Containers, named),
			named == "" && len(s.Containers) > 1 && !slices.Contains(s.Containers, f.App.Spec.Container):
			all = append(all, app.fault("SingletonContainer", field+".container", "it must name the container of deployment %s that gets the "+
				"image: the pod template has %s", s.Deployment, strings.Join(s.Containers, ", ")))
		}
	}
	return all
}
