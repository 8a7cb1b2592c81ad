package command

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// NewDeploy makes the release that deploys a commit. Only its cause depends on who asked.
func NewDeploy(app *v1alpha1.BlueGreen, commit string, attempt int32, cause v1alpha1.Cause) *v1alpha1.Release {
	return newRelease(app, v1alpha1.DeployName(app.Name, commit, attempt), v1alpha1.ReleaseSpec{
		Kind:  v1alpha1.Deploy,
		Cause: cause,
		Deploy: &v1alpha1.DeploySpec{
			Repository: app.Spec.Repository, Branch: app.Spec.Branch, Commit: commit, Attempt: attempt,
		},
	})
}

// NewRollback makes the release that undoes a switch.
func NewRollback(app *v1alpha1.BlueGreen, spec v1alpha1.RollbackSpec, cause v1alpha1.Cause) *v1alpha1.Release {
	return newRelease(app, v1alpha1.RollbackName(app.Name, spec.Switch, spec.Attempt), v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Cause: cause, Rollback: &spec,
	})
}

// NewContract makes the release that runs a version's contract, or declares it done.
func NewContract(app *v1alpha1.BlueGreen, spec v1alpha1.ContractRequest, cause v1alpha1.Cause) *v1alpha1.Release {
	return newRelease(app, v1alpha1.ContractName(app.Name, spec.Commit, spec.Attempt), v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Contract, Cause: cause, Contract: &spec,
	})
}

func newRelease(app *v1alpha1.BlueGreen, name string, spec v1alpha1.ReleaseSpec) *v1alpha1.Release {
	spec.Application = app.Name
	return &v1alpha1.Release{
		TypeMeta: metav1.TypeMeta{APIVersion: v1alpha1.GroupVersion.String(), Kind: "Release"},
		ObjectMeta: metav1.ObjectMeta{
			Namespace: app.Namespace, Name: name,
			Labels: map[string]string{v1alpha1.ApplicationLabel: app.Name},
		},
		Spec: spec,
	}
}

// cancelReason says what was typed, where, and how far the release had come.
func cancelReason(c Command, cause v1alpha1.Cause, step v1alpha1.Step) string {
	asked := c.String()
	if cause.Kind == v1alpha1.CauseCLI {
		asked = "turnout " + string(c.Verb)
	}
	switch {
	case c.Verb == Rollback:
		return asked + " before the switch"
	case step == "":
		return asked + " while queued"
	}
	return asked + " at the step " + string(step)
}
