package scenario

import (
	"context"
	"fmt"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// What a worker and a CronJob run: another image of the application's build.
const (
	mailImage  = "gcr.io/acme-prod/mail"
	mailRecipe = "FROM python:3.12-slim\nWORKDIR /app\nCOPY VERSION ./\nARG COMMIT\nENV MAIL_COMMIT=$COMMIT PYTHONUNBUFFERED=1\nUSER nobody\n"
	// buildsBoth makes both images in one build.
	buildsBoth = `steps:
- name: gcr.io/cloud-builders/docker
  args: [build, -t, 'gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', --build-arg, COMMIT=$COMMIT_SHA, .]
- name: gcr.io/cloud-builders/docker
  args: [build, -t, 'gcr.io/$PROJECT_ID/mail:$COMMIT_SHA', -f, Dockerfile.mail, --build-arg, COMMIT=$COMMIT_SHA, .]
images: ['gcr.io/$PROJECT_ID/my-python-app:$COMMIT_SHA', 'gcr.io/$PROJECT_ID/mail:$COMMIT_SHA']
`
)

// mailPod is a pod that runs the image for mail.
func mailPod(labels map[string]string, restart corev1.RestartPolicy) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: corev1.PodSpec{
		RestartPolicy: restart,
		Containers:    []corev1.Container{{Name: "mail", Image: mailImage + ":first", Command: []string{"python", "-c", neverEnds}}},
	}}
}

// expectImages checks what a side's served pods and workers, and the CronJob, run.
func (a *application) expectImages(color v1alpha1.Color, served, worker, cronJob string) {
	a.t.Helper()
	for deployment, want := range map[string]string{
		name + "-" + string(color): served, name + "-mail-" + string(color): worker,
	} {
		d := &appsv1.Deployment{}
		if err := running.kube.Get(a.t.Context(), a.key(deployment), d); err != nil {
			a.t.Fatal(err)
		}
		if got := d.Spec.Template.Spec.Containers[0].Image; got != want || *d.Spec.Replicas != 1 {
			a.t.Errorf("%s has %d pods with %s, want 1 with %s", deployment, *d.Spec.Replicas, got, want)
		}
	}
	other := &appsv1.Deployment{}
	if err := running.kube.Get(a.t.Context(), a.key(name+"-mail-"+string(color.Other())), other); err != nil {
		a.t.Fatal(err)
	}
	if *other.Spec.Replicas != 0 {
		a.t.Errorf("%s has %d pods, want none", other.Name, *other.Spec.Replicas)
	}
	report := &batchv1.CronJob{}
	if err := running.kube.Get(a.t.Context(), a.key("report"), report); err != nil {
		a.t.Fatal(err)
	}
	if got := report.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; got != cronJob {
		a.t.Errorf("the CronJob has %s, want %s", got, cronJob)
	}
}

// awaitMail waits until the only pod for mail of a side runs, and returns its image by digest.
func (a *application) awaitMail(color v1alpha1.Color) (image string) {
	a.t.Helper()
	a.await("the pod for mail of "+string(color), func(ctx context.Context) (bool, string) {
		var pods corev1.PodList
		of := client.MatchingLabels{"app": "mail", "version": string(color)}
		if err := running.kube.List(ctx, &pods, client.InNamespace(a.namespace), of); err != nil {
			return false, err.Error()
		}
		for _, p := range pods.Items {
			if len(pods.Items) == 1 && len(p.Status.ContainerStatuses) == 1 && p.Status.ContainerStatuses[0].Ready {
				image = p.Status.ContainerStatuses[0].ImageID
			}
		}
		return image != "", fmt.Sprintf("%d pods", len(pods.Items))
	})
	return image
}

// A build makes two images. The worker and the CronJob get theirs with the application's, and go
// back with it: also the worker that a newer release, which failed, was staged over.
func TestWorkersShipAnotherImageOfTheSameBuild(t *testing.T) {
	t.Parallel()
	labels := map[string]string{"app": "mail", "version": "blue"}
	a := adoptExample(t, "images", map[string]any{
		"soak": "1s", "drain": "1s",
		"workers":  []any{map[string]any{"name": "mail", "image": mailImage}},
		"cronJobs": []any{map[string]any{"name": "report", "image": mailImage}},
	}, &appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Name: name + "-mail-blue", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: mailPod(labels, corev1.RestartPolicyAlways),
		},
	}, &batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Name: "report"},
		Spec: batchv1.CronJobSpec{Schedule: "0 3 1 1 *", JobTemplate: batchv1.JobTemplateSpec{
			Spec: batchv1.JobSpec{Template: mailPod(nil, corev1.RestartPolicyNever)},
		}},
	})
	a.awaitAnswer(a.host(), "v1.0.0")
	first := a.awaitMail(v1alpha1.Blue)

	pr := a.merge("Version two", map[string]string{
		"VERSION": "v2.0.0\n", "Dockerfile.mail": mailRecipe, "cloudbuild.yaml": buildsBoth,
	})
	built := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded)).Status.Milestones.Built
	if len(built.Images) != 1 || !strings.HasPrefix(built.Images[0], mailImage+"@sha256:") {
		t.Fatalf("besides the application's image the release recorded %q, want that of %s by digest", built.Images, mailImage)
	}
	a.awaitAnswer(a.host(), "v2.0.0")
	a.expectImages(v1alpha1.Green, built.Image, built.Images[0], built.Images[0])
	if got := a.awaitMail(v1alpha1.Green); got != built.Images[0] || got == first {
		t.Errorf("the new worker's pod has %s, want %s, which is not the first image", got, built.Images[0])
	}

	broken := a.merge("Break the worker", map[string]string{
		"VERSION": "v3.0.0\n", "Dockerfile.mail": mailRecipe + "ENV PYTHONHOME=/nowhere\n",
	})
	if f := a.follow(broken, "the failure", in(v1alpha1.ReleaseFailed)).Status.Failure; f.Step != v1alpha1.StepWorkers {
		t.Fatalf("the third version failed with %+v, want that its worker does not start", f)
	}

	a.comment(pr.Number, running.writer, "/rollback")
	back := a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v1.0.0")
	a.expectImages(v1alpha1.Blue, back.Spec.Rollback.To.Image, first, mailImage+":first")
	if got := a.awaitMail(v1alpha1.Blue); got != first {
		t.Errorf("after the rollback the worker's pod has %s, want %s", got, first)
	}
}
