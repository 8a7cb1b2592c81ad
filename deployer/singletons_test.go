package deployer

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

func withSingleton(bg *v1alpha1.BlueGreen) {
	bg.Spec.Singletons = []v1alpha1.SingletonSpec{{Deployment: "beat"}}
}

// singleton is the Deployment of a scheduler.
func (w *world) singleton() *appsv1.Deployment {
	d := w.deployment(v1alpha1.Blue)
	one, labels := int32(1), map[string]string{"app": "beat"}
	d.Name, d.Labels, d.Spec.Selector.MatchLabels, d.Spec.Template.Labels = "beat", labels, labels, labels
	d.Spec.Strategy.Type, d.Spec.Replicas = appsv1.RecreateDeploymentStrategyType, &one
	return d
}

func newWorldWithSingleton(t testing.TB, change ...func(*v1alpha1.BlueGreen)) *world {
	t.Helper()
	w := newWorld(t, append(change, withSingleton)...)
	w.create(w.singleton())
	return w
}

func withCronJob(bg *v1alpha1.BlueGreen) { bg.Spec.CronJobs = []v1alpha1.CronJobSpec{{Name: "report"}} }

// cronJob runs the live image every night.
func (w *world) cronJob() *batchv1.CronJob {
	j := &batchv1.CronJob{ObjectMeta: w.meta("report")}
	j.Annotations = map[string]string{"owner": "shop"}
	j.Spec.Schedule = "0 3 * * *"
	j.Spec.JobTemplate.Spec.Template.Spec = w.deployment(v1alpha1.Blue).Spec.Template.Spec
	j.Spec.JobTemplate.Spec.Template.Spec.RestartPolicy = corev1.RestartPolicyNever
	return j
}

// imageOf is the image of a Deployment.
func (w *world) imageOf(c v1alpha1.Color) string {
	w.t.Helper()
	served := w.deployment(c)
	w.get(served)
	return imageID(served.Spec.Template.Spec.Containers[0].Image)
}

// expectCronJob checks whether the CronJob has the version of a Deployment.
func (w *world) expectCronJob(of v1alpha1.Color) {
	w.t.Helper()
	j := w.cronJob()
	w.get(j)
	if got := j.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; imageID(got) != w.imageOf(of) {
		w.t.Errorf("the CronJob has the image %s, want %s", got, w.imageOf(of))
	}
}

// expectSingleton checks whether the singleton has the version of a Deployment.
func (w *world) expectSingleton(of v1alpha1.Color) {
	w.t.Helper()
	d := w.singleton()
	w.get(d)
	if got := d.Spec.Template.Spec.Containers[0].Image; imageID(got) != w.imageOf(of) {
		w.t.Errorf("the singleton has the image %s, want %s", got, w.imageOf(of))
	}
}

// The writes of a singleton and a CronJob.
const (
	setSingleton = "PATCH deployments/beat add annotations/workers replace template"
	setCronJob   = "PATCH cronjobs/report add annotations/workers replace jobTemplate/spec/template"
)

// A singleton and a CronJob get the version once the switch is confirmed, and back once users are.
func TestSingletonsFollowUsers(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t, withCronJob)
	w.create(w.cronJob())
	e := newEffects(before, false)
	stop := w.runWith(e.config(plane.Config))
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.settled()
	w.expectSingleton(v1alpha1.Green)
	w.expectCronJob(v1alpha1.Green)
	inOrder(t, e.effects(), "release: SwitchedAt", "release: ConfirmedAt", setSingleton, setCronJob, "release: SoakStartedAt")
	stop()
	e = newEffects(before, false)
	w.runWith(e.config(plane.Config))
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	w.expectSingleton(v1alpha1.Blue)
	w.expectCronJob(v1alpha1.Blue)
	inOrder(t, e.effects(), "PATCH ingresses/ingress replace rules/http/paths/backend/service/name", "release: ConfirmedAt", setSingleton,
		setCronJob)
}

// A release that has been overtaken may still write what it has observed, or read again what
// another one wrote: both are refused.
func TestLateWritesOfSingletonsFail(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t, withCronJob)
	w.create(w.cronJob())
	bg, workers := w.application(), workload.Workers{Workloads: &workload.Workloads{Client: w.kube, Reader: w.kube}}
	observe := func() (track.Singleton, track.CronJob) {
		singletons, err := workers.ObserveSingletons(t.Context(), bg)
		check(t, err)
		cronJobs, err := workers.ObserveCronJobs(t.Context(), bg)
		check(t, err)
		return singletons[0], cronJobs[0]
	}
	give := func(s track.Singleton, j track.CronJob, by, image string) []error {
		q := workload.StartRequest{Image: image, Release: by, By: by}
		return []error{workers.SetImage(t.Context(), bg, s, q), workers.SetCronJob(t.Context(), bg, j, q)}
	}
	const repository = "gcr.io/acme-prod/my-python-app@sha256:"
	late, lateJob := observe()
	for _, err := range give(late, lateJob, "a back", repository+strings.Repeat("b", 64)) {
		check(t, err)
	}
	now, nowJob := observe()
	for _, err := range slices.Concat(
		give(late, lateJob, "a", repository+strings.Repeat("a", 64)),
		give(now, nowJob, "a", repository+strings.Repeat("a", 64)),
	) {
		if !apierrors.IsConflict(err) {
			t.Errorf("a late write ends with %v, want a conflict", err)
		}
	}
	d, j := w.singleton(), w.cronJob()
	w.get(d)
	w.get(j)
	for _, c := range []corev1.Container{d.Spec.Template.Spec.Containers[0], j.Spec.JobTemplate.Spec.Template.Spec.Containers[0]} {
		if c.Image != repository+strings.Repeat("b", 64) {
			t.Errorf("the image is %s", c.Image)
		}
	}
}

// A CronJob that is gone keeps no release from succeeding.
func TestMissingCronJobsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t, withCronJob, soaks(time.Hour), manual)
	w.create(w.cronJob())
	w.run()
	rel := w.submit("a")
	w.await(rel, "the wait for a person", waits)
	check(t, w.kube.Delete(t.Context(), w.cronJob()))
	w.approve(rel)
	rel = w.await(rel, "soak", soaking)
	if !slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool { return strings.Contains(f.Text, "CronJob report") }) {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
	w.expectSingleton(v1alpha1.Green)
}

// pods waits for those of an application.
func (w *world) pods(app string) []corev1.Pod {
	w.t.Helper()
	var pods corev1.PodList
	w.until("the pods of "+app, func() bool {
		check(w.t, w.kube.List(w.t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"app": app}))
		return len(pods.Items) > 0
	}, func() string { return "" })
	return pods.Items
}

// stick keeps a pod by a finalizer, as a dead node would.
func (w *world) stick(pod *corev1.Pod) {
	w.t.Helper()
	w.patch(pod, `{"metadata":{"finalizers":["example.com/stuck"]}}`)
	w.t.Cleanup(func() {
		none := client.RawPatch(types.MergePatchType, []byte(`{"metadata":{"finalizers":null}}`))
		check(w.t, client.IgnoreNotFound(w.kube.Patch(context.WithoutCancel(w.t.Context()), pod, none)))
	})
}

// A pod that does not end keeps the new one from starting. The release reports that, deletes
// nothing by force, and does not wait.
func TestStuckSingletonsAreTold(t *testing.T) {
	t.Parallel()
	w := newWorldWithSingleton(t)
	pod := &w.pods("beat")[0]
	w.stick(pod)
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	if !slices.ContainsFunc(rel.Status.Findings, func(f v1alpha1.Advice) bool { return strings.Contains(f.Text, "singleton beat") }) {
		t.Errorf("the findings are %+v", rel.Status.Findings)
	}
	w.get(pod)
	w.expectSingleton(v1alpha1.Green)
}

// A singleton whose strategy lets two versions run keeps releases from beginning.
func TestSingletonsNeedRecreate(t *testing.T) {
	t.Parallel()
	w := newWorld(t, withSingleton)
	d := w.singleton()
	d.Spec.Strategy.Type = appsv1.RollingUpdateDeploymentStrategyType
	w.create(d)
	w.run()
	w.submit("a")
	w.until("the condition", func() bool {
		c := readyCondition(w.application())
		return c.Reason == v1alpha1.ReasonPreflight && strings.Contains(c.Message, "set Recreate")
	}, func() string { return readyCondition(w.application()).Message })
}
