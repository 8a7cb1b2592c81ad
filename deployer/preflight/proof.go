package preflight

import "github.com/turnout-dev/turnout/api/v1alpha1"

// address warns of an application whose switches cannot be measured.
func address(f Facts) []v1alpha1.Finding {
	if f.App.Spec.URL != "" {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("Address", "spec.url",
		"it is not set: Turnout cannot measure switches or roll back on public errors: set it to the application's public address").
		With(v1alpha1.Kubectl("edit", "bluegreen", f.App.Name, f.App.Namespace))}
}
