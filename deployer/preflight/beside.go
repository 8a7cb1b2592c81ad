package preflight

import (
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// configMaps warns of ConfigMaps that the live version reads and that have changed since it was
// staged. What a rollback does not bring back is said by the rollback.
func configMaps(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, name := range f.Beside.Changed {
		all = append(all, f.about("configmap", name).warning("ConfigMapChanged", "data",
			"it has changed since %s staged deployment %s, which is live: each of its pods reads what it has now when the pod starts again, and "+
				"from a volume after a minute, without a gate, and a rollback does not bring back what it had. Give each content a name of its "+
				"own, as configMapGenerator of kustomize does, so that it comes and goes with a release",
			f.Beside.Staged, f.App.Side(f.live()).Deployment))
	}
	return all
}

// unlisted warns of what runs an image of the application and is no part of it: it keeps its version
// when users get another.
func unlisted(f Facts) []v1alpha1.Finding {
	var all []v1alpha1.Finding
	for _, u := range f.Beside.Unlisted {
		kind, _, _ := strings.Cut(u.Object, " ")
		way := map[string]string{
			"deployment": "name it in spec.workers or spec.singletons, or leave it if it suits every version",
			"cronjob":    "name it in spec.cronJobs, or leave it if it suits every version",
			"job":        "it ends with the version that it began with; see that every version bears that",
		}[kind]
		object := f.about(kind, strings.TrimPrefix(u.Object, kind+" "))
		all = append(all, object.warning("Unlisted", u.Field, "it runs %s, an image of the application, and is no part of bluegreen %s, so no "+
			"release and no rollback updates it: %s", u.Image, f.App.Name, way))
	}
	return all
}
