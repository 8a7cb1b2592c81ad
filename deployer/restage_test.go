package deployer

import (
	"log/slog"
	"testing"

	appsv1 "k8s.io/api/apps/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// The owner changes the live pod template after a release has staged its own from it, and somebody
// scales the target down. The release gives it its size again, and no other template: that one
// passed the gate.
func TestAReleaseStagesItsTemplateOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run()
	rel := w.submit("a")
	w.await(rel, "the wait for a person", waits)
	var staged appsv1.Deployment
	staged.ObjectMeta = w.meta("my-python-app-green")
	w.get(&staged)

	w.patch(w.deployment(v1alpha1.Blue), `{"spec":{"template":{"metadata":{"annotations":{"owner":"changed it"}}}}}`)
	w.resize(v1alpha1.Green, 0)
	w.approve(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Green)
	w.expectSizes(1, 1)
	now := staged
	w.get(&now)
	if got := now.Spec.Template.Annotations; got["owner"] != "" {
		t.Errorf("the target's template was staged again, with %v", got)
	}
}

// Until the controller of the target's Deployment has seen a change, nobody can tell what it runs.
// A release writes nothing over that, whatever it needs.
func TestNothingIsWrittenOverAnUnsettledTarget(t *testing.T) {
	t.Parallel()
	rel := &v1alpha1.Release{}
	rel.Status.Milestones = v1alpha1.Milestones{
		Target: v1alpha1.Green, Staged: &v1alpha1.StagedMilestone{Image: "app@sha256:2", TemplateHash: "h2"},
	}
	a := (&work{bg: &v1alpha1.BlueGreen{}, log: slog.New(slog.DiscardHandler), o: track.Observed{
		Target: track.Side{Color: v1alpha1.Green, Deployment: "my-python-app-green", DeploymentExists: true, Image: "app@sha256:2"},
	}}).attempt(rel)
	p, err := rollout{}.put(t.Context(), a, workload.StageRequest{}) // it has nothing to write with
	check(t, err)
	if !p.rests() || p.waits.For != v1alpha1.WaitsForDeployment || p.waits.Object != "my-python-app-green" {
		t.Errorf("the step goes on: %+v", p)
	}
}
