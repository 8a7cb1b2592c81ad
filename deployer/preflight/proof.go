package preflight

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// address finds an application whose switches cannot be proved.
func address(f Facts) []v1alpha1.Finding {
	if f.App.Spec.URL != "" {
		return nil
	}
	return []v1alpha1.Finding{f.about("bluegreen", f.App.Name).warning("Address", "spec.url", "there is no public address to ask, so a switch cannot be proved, and failures that users see after it move nobody back: %s",
		fmt.Sprintf(`kubectl patch bluegreen %s -n %s --type merge -p '{"spec":{"url":"https://HOST"}}'`, f.App.Name, f.App.Namespace))}
}
