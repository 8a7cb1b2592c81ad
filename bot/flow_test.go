package bot_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/githubtest"
)

func keyOf(app *v1alpha1.BlueGreen) types.NamespacedName {
	return types.NamespacedName{Namespace: app.Namespace, Name: app.Name}
}

func TestMergeBecomesReleaseAndDeployment(t *testing.T) {
	w := newWorld(t)
	pr, commit := w.merge("feature")
	rel := w.only()
	if want := v1alpha1.DeployName("shop", commit, 1); rel.Name != want || rel.Namespace != "shop" {
		t.Errorf("release %s/%s, want shop/%s", rel.Namespace, rel.Name, want)
	}
	if rel.Spec.Cause.Kind != v1alpha1.CausePush || rel.Spec.Cause.Actor != "wanda" || rel.Spec.Cause.Delivery == "" {
		t.Errorf("cause %+v, want a push by wanda with its delivery", rel.Spec.Cause)
	}
	p := w.publisher()
	for _, phase := range []v1alpha1.ReleasePhase{
		v1alpha1.ReleaseQueued, v1alpha1.ReleaseRunning, v1alpha1.ReleaseWaiting, v1alpha1.ReleaseRunning, v1alpha1.ReleaseSucceeded,
	} {
		changed := w.record.change(rel.Name, func(r *v1alpha1.Release) { advance(r, phase) })
		for range 2 {
			_, err := p.Publish(t.Context(), changed)
			check(t, err)
		}
	}
	deployments := w.repo.Deployments()
	if len(deployments) != 1 {
		t.Fatalf("%d deployments, want 1", len(deployments))
	}
	if got, want := states(deployments[0]), "queued in_progress pending in_progress success"; got != want {
		t.Errorf("states %q, want %q", got, want)
	}
	answers := w.answers(pr.Number)
	if len(answers) != 1 || !strings.Contains(answers[0], "is live on green") {
		t.Errorf("comments %q, want one that says what is live", answers)
	}
}

// advance moves a release as the deployer would.
func advance(r *v1alpha1.Release, phase v1alpha1.ReleasePhase) {
	now := metav1.NewTime(time.Now())
	r.Status.Phase = phase
	if phase != v1alpha1.ReleaseQueued && r.Status.Milestones.Target == "" {
		r.Status.Milestones.Target = v1alpha1.Green
		r.Status.Milestones.Previous = &v1alpha1.Version{Color: v1alpha1.Blue, Image: "gcr.io/acme/shop:v1.0.0", Replicas: 3}
	}
	if phase == v1alpha1.ReleaseSucceeded {
		r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt, r.Status.Milestones.ConfirmedAt = &now, &now, &now
		r.Status.FinishedAt = &now
	}
}

func states(d githubtest.Deployment) string {
	var all []string
	for _, s := range d.Statuses {
		all = append(all, s.State)
	}
	return strings.Join(all, " ")
}
