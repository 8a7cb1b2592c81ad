package deployer

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	networkingv1 "k8s.io/api/networking/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestDeployAndRollbackOfTheReferenceApplication(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	before := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(before)
	w.run()

	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if got := w.live(); got != v1alpha1.Green {
		t.Fatalf("after the deploy %s is live", got)
	}
	var steps []string
	for _, e := range rel.Status.Timeline {
		steps = append(steps, string(e.Step))
	}
	if diff := cmp.Diff([]string{"build", "attach", "stage", "warm", "verify", "promote", "switch", "confirm", "soak"}, steps); diff != "" {
		t.Errorf("timeline (-want +got):\n%s", diff)
	}
	green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
	w.get(green)
	container := green.Spec.Template.Spec.Containers[0]
	if want := rel.Status.Milestones.Built.Image; container.Image != want || !strings.Contains(want, "@sha256:") {
		t.Errorf("green runs %s, want the built %s", container.Image, want)
	}
	if container.Env[0].Value != "production" {
		t.Errorf("green runs with APP_ENV=%s instead of the live colour's", container.Env[0].Value)
	}
	after := &networkingv1.Ingress{ObjectMeta: w.meta("my-python-app-ingress")}
	w.get(after)
	if diff := cmp.Diff(expectSwitched(before), after.Spec.Rules[:2]); diff != "" {
		t.Errorf("other routes changed (-want +got):\n%s", diff)
	}
	if n := len(after.Spec.Rules); n != 3 || after.Spec.Rules[2].HTTP.Paths[0].Backend.Service.Name != "my-python-app-blue-svc" {
		t.Errorf("the standby rule is %+v", after.Spec.Rules[2:])
	}

	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	if got := w.live(); got != v1alpha1.Blue {
		t.Fatalf("after the rollback %s is live", got)
	}
	blue := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}
	w.get(blue)
	if got := blue.Spec.Template.Spec.Containers[0].Image; got != "gcr.io/acme-prod/my-python-app:v1.0.0" {
		t.Errorf("a rollback within hold stages nothing, but blue runs %s", got)
	}
	if back.Spec.Rollback.From.Commit != w.source.sha("a") {
		t.Errorf("rolled back from %+v", back.Spec.Rollback.From)
	}
	bg := w.application()
	if bg.Status.Previous != nil {
		t.Errorf("after a rollback there is no version to return to, but previous is %+v", bg.Status.Previous)
	}
	if !slices.ContainsFunc(bg.Status.RolledBack, func(r v1alpha1.RolledBack) bool { return r.Commit == w.source.sha("a") }) {
		t.Errorf("the rolled-back commit is not recorded: %+v", bg.Status.RolledBack)
	}
}

// expectSwitched returns an Ingress's rules with the two Services swapped.
func expectSwitched(i *networkingv1.Ingress) []networkingv1.IngressRule {
	data, err := json.Marshal(i.Spec.Rules)
	if err != nil {
		panic(err)
	}
	var rules []networkingv1.IngressRule
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(data), "blue-svc", "green-svc")), &rules); err != nil {
		panic(err)
	}
	return rules
}

func TestCrashingVersionEndsInFailureAndUsersNeverSeeIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.kubelet.crash("@sha256:")
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	if got := w.live(); got != v1alpha1.Blue {
		t.Errorf("live is %s", got)
	}
	f := rel.Status.Failure
	if f.Reason != "CrashLoopBackOff" || f.Step != v1alpha1.StepStage || len(f.Evidence) == 0 || f.Evidence[0].ExitCode == nil ||
		*f.Evidence[0].ExitCode != 3 {
		t.Errorf("failure is %+v", f)
	}
	if last := rel.Status.Timeline[len(rel.Status.Timeline)-2]; last.Step != v1alpha1.StepStage || last.Message != f.Message {
		t.Errorf("the timeline's entry for the failed step is %+v", last)
	}
	w.until("the target is shrunk", func() bool {
		green := &appsv1.Deployment{ObjectMeta: w.meta("my-python-app-green")}
		w.get(green)
		return *green.Spec.Replicas == 0
	}, func() string { return "it keeps its size" })
}
