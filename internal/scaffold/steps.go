package scaffold

import (
	"fmt"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// addSteps is the order in which nobody loses a request.
func addSteps(m *maker, blue string, narrowed bool) error {
	r := m.r
	if blue != r.deployment.Name {
		m.Steps = append(m.Steps, Step{
			Do: fmt.Sprintf("Start deployment %s, a copy of %s, and wait until it is ready.", blue, r.deployment.Name),
			Why: fmt.Sprintf("Users are served by the pods of both, which run the same image. The namespace needs room for twice as many pods, as "+
				"for every release. If %s now has more pods than the file says, scale %s to the same size before you go on.", r.deployment.Name, blue),
			Commands: []v1alpha1.ShellCommand{
				m.kubectl("create", "-f", m.path("once/deployment-"+blue+".yaml")), m.kubectl("rollout", "status", "deployment", blue),
			},
		})
	}
	if narrowed && r.service != nil {
		step := Step{
			Do:       fmt.Sprintf("Only then let service %s select by the colour.", r.service.Name),
			Why:      "Every pod with the label is ready, so users notice nothing.",
			Commands: []v1alpha1.ShellCommand{m.patch("service", r.service.Name, "changes/service-"+r.service.Name+".yaml")},
		}
		if blue == r.deployment.Name {
			step.Do = fmt.Sprintf("Wait until every pod of deployment %s has the label, then let service %s select by it.", blue, r.service.Name)
			step.Commands = append([]v1alpha1.ShellCommand{m.kubectl("rollout", "status", "deployment", blue)}, step.Commands...)
		} else {
			step.Why = fmt.Sprintf("The pods of %s get no new requests. They keep running, and finish the requests that they have.",
				r.deployment.Name)
		}
		m.Steps = append(m.Steps, step)
	}
	m.Steps = append(m.Steps, restStep(m, blue))
	addEnd(m)
	if blue != r.deployment.Name {
		m.Steps = append(m.Steps, retireStep(m))
	}
	return nil
}

// restStep is the step that makes what has no users.
func restStep(m *maker, blue string) Step {
	step := Step{
		Do:  "Make the other colour, and the application.",
		Why: "The other colour has no pods and no users. From now on only a release changes what users get.",
	}
	step.Commands = makeCommands(m, "once/deployment-"+blue+".yaml")
	return step
}

// retireStep is the step that ends the Deployment without colours.
func retireStep(m *maker) Step {
	old := m.r.deployment.Name
	step := Step{
		Do: fmt.Sprintf("Five minutes later, scale %s down. Delete it after a release or two, with what deploys to it today.", old),
		Why: "It has had no users since the Service selects by the colour. Until you delete it, you can go back: scale it up, wait until it is " +
			"ready, and take the label out of the Service's selector.",
	}
	if hpa := m.n.autoscaler(old); hpa != nil {
		step.Commands = append(step.Commands, m.kubectl("delete", "horizontalpodautoscaler", hpa.Name))
	}
	step.Commands = append(step.Commands, m.kubectl("scale", "deployment", old, "--replicas=0"))
	return step
}
