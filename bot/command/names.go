package command

import (
	"slices"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// named reports whether a word names one of the applications.
func named(apps []v1alpha1.BlueGreen, word string) bool {
	return slices.ContainsFunc(apps, func(app v1alpha1.BlueGreen) bool { return isNamed(&app, word) })
}

// isNamed reports whether a word names an application: by its name, or by namespace/name if
// several namespaces have that name.
func isNamed(app *v1alpha1.BlueGreen, word string) bool {
	return word == app.Name || word == app.Namespace+"/"+app.Name
}

// NameAmong returns the name to type for an application; empty if it is the repository's
// only one.
func NameAmong(app *v1alpha1.BlueGreen, apps []v1alpha1.BlueGreen) string {
	return nameAmong(app, apps, func(*v1alpha1.BlueGreen) bool { return true })
}

// NameInEnvironment is [NameAmong] those of the applications that share its environment.
func NameInEnvironment(app *v1alpha1.BlueGreen, apps []v1alpha1.BlueGreen) string {
	return nameAmong(app, apps, func(other *v1alpha1.BlueGreen) bool { return other.Spec.Environment == app.Spec.Environment })
}

// nameAmong copies no application: there may be a thousand, and every report asks.
func nameAmong(app *v1alpha1.BlueGreen, apps []v1alpha1.BlueGreen, counts func(*v1alpha1.BlueGreen) bool) string {
	all, same := 0, 0
	for i := range apps {
		if !counts(&apps[i]) {
			continue
		}
		all++
		if apps[i].Name == app.Name {
			same++
		}
	}
	switch {
	case all <= 1:
		return ""
	case same > 1:
		return app.Namespace + "/" + app.Name
	}
	return app.Name
}

func filter(apps []v1alpha1.BlueGreen, keep func(*v1alpha1.BlueGreen) bool) []v1alpha1.BlueGreen {
	var kept []v1alpha1.BlueGreen
	for i := range apps {
		if keep(&apps[i]) {
			kept = append(kept, apps[i])
		}
	}
	return kept
}
