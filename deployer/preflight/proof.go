package preflight

import "github.com/turnout-dev/turnout/api/v1alpha1"

// address finds an application whose switches cannot be proved.
func address(f Facts) []v1alpha1.Finding {
	if f.App.Spec.URL != "" {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("Address", "spec.url",
		"there is no public address to ask, so a switch cannot be proved, and failures that users see after it move nobody back: set it").
		With(v1alpha1.Kubectl("edit", "bluegreen", f.App.Name, f.App.Namespace))}
}
