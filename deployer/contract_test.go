package deployer

import (
	"strings"
	"testing"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestAContractFollowsTheHoldAndClosesTheWayBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.confirmable()
	w.run()
	deployed := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	rel := w.awaitPhase(w.ofContract("a"), v1alpha1.ReleaseSucceeded)
	if by := rel.Spec.Cause; by.Kind != v1alpha1.CauseHold || rel.Spec.Contract.Image != deployed.Status.Milestones.Built.Image {
		t.Errorf("the contract is %+v of %+v", rel.Spec.Contract, by)
	}
	s := w.awaitSchema(v1alpha1.SchemaClosed)
	if c := s.Contract; c.UID != string(rel.UID) || c.Outcome != v1alpha1.MigrationChanged || c.EndedAt == nil || s.Pending != nil {
		t.Errorf("the schema is %+v, contract %+v", s, c)
	}
	jobs := w.jobs()
	if len(jobs) != 1 {
		t.Fatalf("%d jobs ran", len(jobs))
	}
	if c := jobs[0].Spec.Template.Spec.Containers[0]; strings.Join(c.Command, " ") != "python -m shop.migrate contract" ||
		c.Image != deployed.Status.Milestones.Built.Image || c.Env[0].Value != "production" {
		t.Errorf("its container is %+v", c)
	}
	w.expectLive(v1alpha1.Green)
	if back := w.application().Status.WayBack; back == nil || !strings.Contains(back.Missing, "is closed since") {
		t.Errorf("the way back is %+v", back)
	}
	refused := w.awaitPhase(w.rollback(), v1alpha1.ReleaseFailed)
	if f := refused.Status.Failure; f.Reason != v1alpha1.FailedWayClosed || f.Release != rel.Name {
		t.Errorf("the rollback failed with %+v", f)
	}
	w.expectLive(v1alpha1.Green)

	// The next version goes back to this one, until its own contract.
	w.source.commit("b", "a")
	w.configure(`{"hold":"1h"}`)
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	w.settled()
	if s := w.schema(); s.Pending == nil || s.Pending.Commit != w.source.sha("b") {
		t.Errorf("the schema is %+v", s)
	}
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.settled()
	if s := w.schema(); s.Pending != nil || s.State != v1alpha1.SchemaClosed {
		t.Errorf("after a rollback the schema is %+v", s)
	}
}

// Until then a rollback is instant, and needs what the contract would remove.
func TestAContractByItselfWaitsForTheEndOfTheHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(time.Hour))
	w.confirmable()
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitLooks()
	all, err := w.record().Releases(t.Context(), keyOf(w.application()))
	check(t, err)
	if len(all) != 1 || all[0].Name != rel.Name {
		t.Errorf("during the hold there are %d releases", len(all))
	}
	w.expectSizes(1, 1)
	w.configure(`{"hold":"1ms"}`)
	w.awaitPhase(w.ofContract("a"), v1alpha1.ReleaseSucceeded)
}

func TestAContractThatChangedNothingOpensTheWayBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.confirmable()
	w.kubelet.migrations(t, endsWith(0, "unchanged"))
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitPhase(w.ofContract("a"), v1alpha1.ReleaseSucceeded)
	w.awaitSchema(v1alpha1.SchemaOpen)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectLive(v1alpha1.Blue)
}

func TestAFailedContractLeavesTheDecisionToAPerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.confirmable()
	w.kubelet.migrations(t, endsWith(3, ""))
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	rel := w.awaitPhase(w.ofContract("a"), v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedContract || f.Step != v1alpha1.StepContract ||
		!strings.Contains(f.Message, "/contract retry") || !strings.Contains(f.Message, "/contract done") {
		t.Errorf("it failed with %+v", f)
	}
	s := w.awaitSchema(v1alpha1.SchemaFailed)
	if s.Pending == nil {
		t.Error("the contract is not owed any more")
	}
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseFailed)

	// An attempt that finds nothing to do does not open it: the first may have done all of it.
	w.kubelet.migrations(t, endsWith(0, "unchanged"))
	w.awaitPhase(w.contract(2), v1alpha1.ReleaseSucceeded)
	if s := w.awaitSchema(v1alpha1.SchemaClosed); s.Contract.EarlierAt == nil || s.Pending != nil {
		t.Errorf("the schema is %+v", s)
	}
	again := w.rollback()
	if again.Status.Failure == nil { // the same name: it was refused before
		t.Errorf("the rollback is %+v", again.Status)
	}
	if n := len(w.jobs()); n != 2 {
		t.Errorf("%d jobs ran", n)
	}
}

func TestAPersonDeclaresAContractDone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractOnCommand), holds(0))
	w.confirmable()
	w.kubelet.migrations(t, runsOn)
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.awaitShrunk(v1alpha1.Blue)
	done := func(r *v1alpha1.Release) { r.Spec.Contract.Done = "looked at the tables" }
	early := w.awaitPhase(w.contract(1, done), v1alpha1.ReleaseFailed)
	if f := early.Status.Failure; f.Reason != v1alpha1.FailedNoContract {
		t.Errorf("without a contract, done ends with %+v", f)
	}
	rel := w.await(w.contract(2), "it runs", func(r *v1alpha1.Release) bool {
		return r.Status.Migration != nil && r.Status.Migration.StartedAt != nil
	})
	w.awaitSchema(v1alpha1.SchemaContracting)
	job := w.jobs()[0]
	check(t, w.kube.Delete(t.Context(), &job, client.PropagationPolicy("Background")))
	w.awaitPhase(rel, v1alpha1.ReleaseFailed)
	w.awaitSchema(v1alpha1.SchemaUnknown)
	w.awaitPhase(w.contract(3, done), v1alpha1.ReleaseSucceeded)
	s := w.awaitSchema(v1alpha1.SchemaClosed)
	if c := s.Contract; c.DoneBy == "" || c.Reason != "looked at the tables" || c.Outcome != v1alpha1.MigrationUnknown || s.Pending != nil {
		t.Errorf("the schema is %+v, contract %+v", s, c)
	}
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseFailed)
	if n := len(w.jobs()); n != 0 {
		t.Errorf("%d jobs exist", n)
	}
}

func TestAContractWaitsForWhateverRunsAnOlderVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.confirmable()
	old := "gcr.io/acme-prod/my-python-app:v1.0.0"
	worker := &corev1.Pod{ObjectMeta: w.meta("worker"), Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "app", Image: old}}}}
	w.create(worker)
	nightly := &batchv1.CronJob{ObjectMeta: w.meta("nightly")}
	nightly.Spec.Schedule = "0 3 * * *"
	nightly.Spec.JobTemplate.Spec.Template.Spec = *worker.Spec.DeepCopy()
	nightly.Spec.JobTemplate.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	w.create(nightly)
	other := &corev1.Pod{ObjectMeta: w.meta("other"), Spec: *worker.Spec.DeepCopy()}
	other.Spec.Containers[0].Image = "gcr.io/acme-prod/other:v1"
	w.create(other)
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	rel := w.ofContract("a")
	waits := func(object string) {
		t.Helper()
		w.await(rel, "it waits for "+object, func(r *v1alpha1.Release) bool {
			return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForOldPods && r.Status.Waiting.Object == object
		})
	}
	waits("pod worker")
	if bg := w.application(); bg.Status.Active != nil || bg.Status.Schema.Contract != nil {
		t.Errorf("a contract that waits holds the claim %+v, or closed the way back", bg.Status.Active)
	}
	check(t, w.kube.Delete(t.Context(), worker))
	w.poke()
	waits("cronjob nightly")
	w.patch(nightly, `{"spec":{"suspend":true}}`)
	w.poke()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestAContractWaitsForASignOfTheSwitch(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.run() // without a public address, nothing shows where users are
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.await(w.ofContract("a"), "it waits for a sign", func(r *v1alpha1.Release) bool {
		return r.Status.Waiting != nil && r.Status.Waiting.For == v1alpha1.WaitsForTakeUp
	})
	if s := w.schema(); s.State != v1alpha1.SchemaPending {
		t.Errorf("the schema is %+v", s)
	}
}

func TestADeployGoesBeforeAContractAndInheritsIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.run() // so the contract waits for a sign
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	waiting := w.ofContract("a")
	w.source.commit("b", "a")
	w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	ended := w.awaitPhase(waiting, v1alpha1.ReleaseSuperseded)
	if f := ended.Status.Failure; f.Reason != v1alpha1.FailedNotLive || f.Commit != w.source.sha("b") {
		t.Errorf("it ended with %+v", f)
	}
	w.ofContract("b")
	if s := w.schema(); s.Pending == nil || s.Pending.Commit != w.source.sha("b") || s.Contract != nil || len(w.jobs()) > 0 {
		t.Errorf("the schema is %+v", s)
	}
}

func TestARollbackVoidsAContract(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	waiting := w.ofContract("a")
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.awaitPhase(waiting, v1alpha1.ReleaseSuperseded)
	w.settled()
	if s := w.schema(); s.Pending != nil || s.State != v1alpha1.SchemaOpen {
		t.Errorf("the schema is %+v", s)
	}
}

func TestAContractOnCommandEndsTheHold(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractOnCommand), holds(time.Hour))
	w.confirmable()
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectSizes(1, 1)
	w.awaitPhase(w.contract(1), v1alpha1.ReleaseSucceeded)
	w.expectSizes(0, 1)
	w.awaitSchema(v1alpha1.SchemaClosed)
}

func TestALockKeepsAContractFromBeginning(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractOnCommand), holds(0))
	w.confirmable()
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.lock("black friday")
	rel := w.contract(1)
	w.awaitLocked(rel, "black friday")
	w.unlock()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func TestACancelledContractChangesNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractAfterHold), holds(0))
	w.run()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	rel := w.ofContract("a")
	w.cancel(rel)
	w.awaitPhase(rel, v1alpha1.ReleaseCancelled)
	w.settled()
	if s := w.schema(); s.Contract != nil || len(w.jobs()) > 0 {
		t.Errorf("the schema is %+v", s)
	}
}
