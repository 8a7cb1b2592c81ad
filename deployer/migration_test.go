package deployer

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestExpandPrecedesThePods(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, runsOn)
	w.run()
	rel := w.submit("a")
	rel = w.await(rel, "the migration runs", func(r *v1alpha1.Release) bool {
		return r.Status.Migration != nil && r.Status.Migration.StartedAt != nil
	})
	if m := rel.Status.Milestones; m.AttachedAt != nil || m.Staged != nil || m.Approved == nil {
		t.Errorf("with the migration under way, the milestones are %+v", m)
	}
	w.expectNothingStarted()
	jobs := w.jobs()
	if len(jobs) != 1 || len(jobs[0].Spec.Template.Spec.Containers) != 1 {
		t.Fatalf("jobs are %+v", jobs)
	}
	c := jobs[0].Spec.Template.Spec.Containers[0]
	if got := strings.Join(c.Command, " "); got != "python -m shop.migrate expand" || c.Image != rel.Status.Milestones.Built.Image ||
		len(c.Ports) > 0 {
		t.Errorf("the container is %+v", c)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	if st := rel.Status.Migration; st.Outcome != v1alpha1.MigrationChanged || st.ExitCode == nil || *st.ExitCode != 0 || st.EndedAt == nil {
		t.Errorf("the migration is %+v", st)
	}
	w.expectDeployed(rel)
	if s := w.application().Status.Schema; s == nil || len(s.Expanded) != 1 || s.Expanded[0].Release != rel.Name {
		t.Errorf("the schema is %+v", s)
	}
}

func TestAnUnchangedSchemaIsNotListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, endsWith(0, "unchanged\n"))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if st := rel.Status.Migration; st.Outcome != v1alpha1.MigrationUnchanged {
		t.Errorf("the migration is %+v", st)
	}
	w.settled()
	if s := w.application().Status.Schema; s != nil {
		t.Errorf("the schema is %+v", s)
	}
}

func TestAFailedExpandStartsNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, endsWith(3, "unchanged"))
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	f := rel.Status.Failure
	if f.Reason != v1alpha1.FailedExpand || f.Step != v1alpha1.StepExpand || len(f.Evidence) != 1 || *f.Evidence[0].ExitCode != 3 ||
		len(f.Commands) != 1 || !strings.Contains(string(f.Commands[0]), "kubectl logs "+f.Evidence[0].Pod) {
		t.Errorf("the failure is %+v", f)
	}
	w.expectNothingStarted()
	w.settled()
	if s := w.application().Status.Schema; s == nil || s.Expanded[0].Outcome != v1alpha1.MigrationFailed {
		t.Errorf("the schema is %+v", s)
	}
	w.kubelet.migrations(t, endsWith(0, ""))
	again := w.submit("a", func(r *v1alpha1.Release) {
		r.Spec.Deploy.Attempt = 2
		r.Name = v1alpha1.DeployName("my-python-app", w.source.sha("a"), 2)
	})
	w.awaitPhase(again, v1alpha1.ReleaseSucceeded)
	if n := len(w.jobs()); n != 2 {
		t.Errorf("%d jobs ran, want one for each attempt", n)
	}
}

func TestADeletedJobIsNotRunAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, runsOn)
	w.run()
	rel := w.await(w.submit("a"), "the migration runs", func(r *v1alpha1.Release) bool {
		return r.Status.Migration != nil && r.Status.Migration.StartedAt != nil
	})
	job := w.jobs()[0]
	check(t, w.kube.Delete(t.Context(), &job, client.PropagationPolicy("Background")))
	rel = w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedExpandUnknown || rel.Status.Migration.Outcome != v1alpha1.MigrationUnknown {
		t.Errorf("the failure is %+v", f)
	}
	w.settled()
	if n := len(w.jobs()); n != 0 {
		t.Errorf("%d jobs exist", n)
	}
}

func TestCancelLetsAMigrationRunOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, expanding)
	w.kubelet.migrations(t, runsOn)
	w.run()
	rel := w.await(w.submit("a"), "the migration runs", func(r *v1alpha1.Release) bool {
		return r.Status.Migration != nil && r.Status.Migration.StartedAt != nil
	})
	w.source.commit("b", "a")
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	next := w.await(w.submit("b"), "it waits for the earlier migration", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.Because == v1alpha1.BecauseEarlier
	})
	jobs := w.jobs()
	if len(jobs) != 1 || *jobs[0].Spec.Suspend {
		t.Errorf("the jobs are %+v", jobs)
	}
	w.kubelet.migrations(t, func(p *corev1.Pod) *corev1.ContainerStateTerminated { return endsWith(0, "")(p) })
	w.awaitPhase(next, v1alpha1.ReleaseSucceeded)
	w.await(rel, "its end is recorded", func(r *v1alpha1.Release) bool {
		return r.Status.Migration.Outcome == v1alpha1.MigrationChanged && r.Status.Migration.EndedAt != nil
	})
	if s := w.application().Status.Schema; s == nil || len(s.Expanded) != 2 {
		t.Errorf("the schema is %+v", s)
	}
}
