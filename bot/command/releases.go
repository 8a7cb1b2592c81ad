package command

import "github.com/turnout-dev/turnout/api/v1alpha1"

// Malformed reports whether a release lacks what its kind needs. The schema rejects such
// releases, but nothing here may rely on that.
func Malformed(rel v1alpha1.Release) bool {
	return (rel.Spec.Kind == v1alpha1.Rollback) != (rel.Spec.Rollback != nil) ||
		(rel.Spec.Kind == v1alpha1.Contract) != (rel.Spec.Contract != nil) ||
		(rel.Spec.Kind == v1alpha1.Deploy) != (rel.Spec.Deploy != nil)
}

// ByName finds a release; nil if there is none.
func ByName(releases []v1alpha1.Release, name string) *v1alpha1.Release {
	for i := range releases {
		if releases[i].Name == name {
			return &releases[i]
		}
	}
	return nil
}
