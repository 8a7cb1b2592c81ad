package deployer

import (
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

const (
	patchMailBlue  = "PATCH deployments/my-python-app-mail-blue"
	patchMailGreen = "PATCH deployments/my-python-app-mail-green"
	patchBeat      = "PATCH deployments/beat"
)

// imagesMilestones are those of a rollback of what runs beside the application, too.
var imagesMilestones = []milestone{
	{name: "01-claimed", last: of(claimed), patches: 1},
	{name: "02-restaging", last: made(patchMailBlue, 1), patches: 1},
	{name: "03-recalled", last: of(recalled), patches: 1},
	{name: "04-switching", last: firstRoutes},
	{name: "05-relieving", last: made(patchMailGreen, 1)},
	{name: "06-relieved", last: of(relieved)},
	{name: "07-moving-singletons", last: made(patchBeat, 1)},
	{name: "08-moved-singletons", last: of(movedSingletons)},
	{name: "09-succeeded", last: of(hasEnded)},
}

func recalled(r *v1alpha1.Release) bool        { return r.Status.Milestones.RecalledAt != nil }
func relieved(r *v1alpha1.Release) bool        { return r.Status.Milestones.RelievedAt != nil }
func movedSingletons(r *v1alpha1.Release) bool { return r.Status.Milestones.SingletonsAt != nil }

// startImagesRollback rolls back after a newer release was staged over the colour and the worker
// to go back to, and cancelled.
func startImagesRollback(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w := newWorldOfImages(t)
	w.autoscaleBoth()
	w.awaitPodsBeside()
	stop := w.run()
	w.stageOver()
	stop()
	return w, w.rollback()
}

// stageOver deploys a commit, and cancels another one when its worker runs.
func (w *world) stageOver() {
	w.t.Helper()
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.kubelet.hold("mail-blue")
	next := w.submit("b")
	w.until("the next worker to run", func() bool { return w.kubelet.starts("mail-blue") }, func() string { return next.Name })
	w.cancel(next)
	next = w.awaitPhase(next, v1alpha1.ReleaseCancelled)
	w.settled()
	if blue, _, _, _ := w.imagesBeside(); blue != built(w.t, next, mailRepository) {
		w.t.Errorf("the worker was not staged over: it has %s", blue)
	}
	w.kubelet.release(w.t, "mail-blue")
}

func finishImagesRollback(w *world, m milestone) {
	w.t.Helper()
	deploy, rel := w.deployed(), w.awaitRolledBack()
	w.expectOnce(v1alpha1.Blue, m.patches, 2)
	w.expectStamped(v1alpha1.Blue, rel)
	w.expectWorkers(workersSize, 0, true)
	blue, green, beat, j := w.imagesBeside()
	if before := imageID(mailBefore); blue != before || green != built(w.t, deploy, mailRepository) || beat != before || j != reportBefore {
		w.t.Errorf("after the rollback they have %s, %s, %s and %s", blue, green, beat, j)
	}
	if served := w.imageOf(v1alpha1.Blue); served != rel.Spec.Rollback.To.Image {
		w.t.Errorf("users are served by %s, want %s", served, rel.Spec.Rollback.To.Image)
	}
}

// snapshotBeside records what gets an image beside the colours.
func (w *world) snapshotBeside(r *recording) {
	w.t.Helper()
	spec := r.Application.Spec
	var names []string
	for _, worker := range spec.Workers {
		for _, c := range []v1alpha1.Color{v1alpha1.Blue, v1alpha1.Green} {
			names = append(names, r.Application.WorkerDeployment(worker, c))
		}
	}
	for _, s := range spec.Singletons {
		names = append(names, s.Deployment)
	}
	for _, name := range names {
		d := appsv1.Deployment{ObjectMeta: w.meta(name)}
		w.get(&d)
		d.Status = appsv1.DeploymentStatus{}
		r.Beside = append(r.Beside, d)
	}
	for _, c := range spec.CronJobs {
		j := batchv1.CronJob{ObjectMeta: w.meta(c.Name)}
		w.get(&j)
		j.Status = batchv1.CronJobStatus{}
		r.CronJobs = append(r.CronJobs, j)
	}
}

// putBackBeside recreates it.
func (w *world) putBackBeside(r *recording, renamed renaming) {
	w.t.Helper()
	for i := range r.Beside {
		w.remake(r.Beside[i].DeepCopy(), renamed)
	}
	for i := range r.CronJobs {
		w.remake(r.CronJobs[i].DeepCopy(), renamed)
	}
}
