package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// ofImages: an effect gives a worker another image of the build, or records which ones there are.
func ofImages(effect string) bool {
	return ofTasks(effect) || strings.Contains(effect, "/fax-") || effect == "release: Beside"
}

var imageJourneys = []journey{imagesDeploy, imagesRollback}

// A build makes images of their own for what runs beside the application.
var imagesDeploy = journey{name: "deploy with other images", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldOfImages(t)
	w.awaitPodsBeside()
	return w, w.submit("a")
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectDeployed(rel)
	mail, report := built(w.t, rel, mailRepository), built(w.t, rel, reportRepository)
	if blue, green, beat, j := w.imagesBeside(); blue != mailBefore || green != mail || beat != mail || j != report {
		w.t.Errorf("after the deploy they have %s, %s, %s and %s", blue, green, beat, j)
	}
	w.expectWorkers(0, workersSize, true)
}, effects: append([]string{"release: Beside"}, workersDeploy.effects...)}

// The images of the version that users leave, and of one that was staged over a worker meanwhile.
const (
	mailAfter   = mailRepository + "@sha256:" + digestAfter
	reportAfter = reportRepository + "@sha256:" + digestAfter
	mailStaged  = mailRepository + "@sha256:" + digestStaged

	digestAfter  = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	digestStaged = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

// A newer release was staged over one of the two workers, and cancelled. Users go back: that worker
// gets the image that it had at the version of theirs, and the other one, which still has its own,
// keeps it.
var imagesRollback = journey{name: "rollback with other images", start: func(t testing.TB) (*world, *v1alpha1.Release) {
	w := newWorldOfImages(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Workers = append(bg.Spec.Workers, v1alpha1.WorkerSpec{Name: "fax", Image: reportRepository})
	})
	for c, size := range map[v1alpha1.Color]int32{v1alpha1.Blue: workersSize, v1alpha1.Green: 0} {
		fax := w.workerNamed("fax", c, size)
		fax.Spec.Template.Spec.Containers[0].Image = reportBefore
		w.create(fax)
	}
	w.pretendDeployed()
	w.pretendImages()
	return w, w.rollback()
}, expect: func(w *world, rel *v1alpha1.Release) {
	w.expectRolledBack(rel)
	w.expectWorkers(workersSize, 0, true)
	if blue, green, beat, j := w.imagesBeside(); blue != imageID(mailBefore) || green != mailAfter || beat != imageID(mailBefore) ||
		j != reportBefore {
		w.t.Errorf("after the rollback they have %s, %s, %s and %s", blue, green, beat, j)
	}
	for c, want := range map[v1alpha1.Color]string{
		v1alpha1.Blue: fmt.Sprint(workersSize, " pods with ", reportBefore), v1alpha1.Green: fmt.Sprint(0, " pods with ", reportAfter),
	} {
		fax := w.workerNamed("fax", c, 0)
		w.get(fax)
		if got := fmt.Sprint(*fax.Spec.Replicas, " pods with ", fax.Spec.Template.Spec.Containers[0].Image); got != want {
			w.t.Errorf("after the rollback %s has %s, want %s", fax.Name, got, want)
		}
	}
}, effects: slices.Concat(rollingBack, movingSingletons, []string{
	moveUsers,
	"release: Beside",
	restageBlue,
	strings.ReplaceAll(recallBlue, "mail", "fax"),
	"release: RecalledAt",
	stopGreen,
	strings.ReplaceAll(stopGreen, "mail", "fax"),
	"release: RelievedAt",
	enterRepository,
})}

// restageBlue brings a worker back that another release was staged over.
const restageBlue = "PATCH deployments/mail-blue add annotations/workers remove annotations/size replace template add replicas"

// pretendImages sets what runs beside the application to the state after a deploy to green, and
// after a release that was cancelled when its worker ran on blue.
func (w *world) pretendImages() {
	w.t.Helper()
	for _, d := range []struct {
		of      *appsv1.Deployment
		by      string
		size    int32
		image   string // "" if it keeps its own
		commit  string
		release string
	}{
		{w.workerNamed("mail", v1alpha1.Green, 0), "pretended", workersSize, mailAfter, "a", "pretended"},
		{w.workerNamed("fax", v1alpha1.Green, 0), "pretended", workersSize, reportAfter, "a", "pretended"},
		{w.workerNamed("mail", v1alpha1.Blue, 0), "cancelled back", 0, mailStaged, "b", "cancelled"},
		{w.workerNamed("fax", v1alpha1.Blue, 0), "pretended", 0, "", "", ""},
		{w.singleton(), "pretended", 1, mailAfter, "a", "pretended"},
	} {
		w.change(d.of, func() {
			metav1.SetMetaDataAnnotation(&d.of.ObjectMeta, v1alpha1.WorkersAnnotation, d.by)
			if d.size == 0 {
				metav1.SetMetaDataAnnotation(&d.of.ObjectMeta, v1alpha1.SizeAnnotation, fmt.Sprint(workersSize))
			}
			d.of.Spec.Replicas = &d.size
			if template := &d.of.Spec.Template; d.image != "" {
				template.Spec.Containers[0].Image = d.image
				metav1.SetMetaDataAnnotation(&template.ObjectMeta, v1alpha1.CommitAnnotation, w.source.sha(d.commit))
				metav1.SetMetaDataAnnotation(&template.ObjectMeta, v1alpha1.ReleaseAnnotation, d.release)
			}
		})
	}
	j := w.cronJob()
	w.change(j, func() { j.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image = reportAfter })
	bg := w.application()
	bg.Status.LastSwitch.Beside = []v1alpha1.BesideImage{
		{Kind: v1alpha1.BesideWorker, Name: "mail", Image: imageID(mailBefore)},
		{Kind: v1alpha1.BesideWorker, Name: "fax", Image: imageID(reportBefore)},
		{Kind: v1alpha1.BesideSingleton, Name: "beat", Image: imageID(mailBefore)},
		{Kind: v1alpha1.BesideCronJob, Name: "report", Image: reportBefore},
	}
	check(w.t, w.kube.Status().Update(w.t.Context(), bg))
}

// change reads an object, and writes what do makes of it.
func (w *world) change(o client.Object, do func()) {
	w.t.Helper()
	w.get(o)
	before, _ := o.DeepCopyObject().(client.Object)
	do()
	check(w.t, w.kube.Patch(w.t.Context(), o, client.StrategicMergeFrom(before)))
}
