package scenario

import (
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
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
func (a *application) expectImages(color v1alpha1.Color, served, mail string) {
	a.t.Helper()
	for deployment, want := range map[string]string{
		name + "-" + string(color): served, name + "-mail-" + string(color): mail,
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
	if got := report.Spec.JobTemplate.Spec.Template.Spec.Containers[0].Image; got != mail {
		a.t.Errorf("the CronJob has %s, want %s", got, mail)
	}
}

// A build makes two images. The worker and the CronJob get theirs with the application's, and go back with it.
func TestWorkersShipAnotherImageOfTheSameBuild(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "images", sources(t, example))
	labels := map[string]string{"app": "mail", "version": "blue"}
	a.create(&appsv1.Deployment{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name + "-mail-blue", Labels: labels},
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(1)), Selector: &metav1.LabelSelector{MatchLabels: labels}, Template: mailPod(labels, corev1.RestartPolicyAlways),
		},
	})
	a.create(&batchv1.CronJob{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: "report"},
		Spec: batchv1.CronJobSpec{Schedule: "0 3 1 1 *", JobTemplate: batchv1.JobTemplateSpec{
			Spec: batchv1.JobSpec{Template: mailPod(nil, corev1.RestartPolicyNever)},
		}},
	})
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(1), "spec", "replicas")
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			for field, value := range map[string]any{
				"soak": "1s", "drain": "1s",
				"workers":  []any{map[string]any{"name": "mail", "image": mailImage}},
				"cronJobs": []any{map[string]any{"name": "report", "image": mailImage}},
			} {
				set(t, u, value, "spec", field)
			}
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitAnswer(a.host(), "v1.0.0")

	pr := a.merge("Version two", map[string]string{
		"VERSION": "v2.0.0\n", "Dockerfile.mail": mailRecipe, "cloudbuild.yaml": buildsBoth,
	})
	built := a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded)).Status.Milestones.Built
	if len(built.Images) != 1 || !strings.HasPrefix(built.Images[0], mailImage+"@sha256:") {
		t.Fatalf("besides the application's image the release recorded %q, want that of %s by digest", built.Images, mailImage)
	}
	a.awaitAnswer(a.host(), "v2.0.0")
	a.expectImages(v1alpha1.Green, built.Image, built.Images[0])
	var pods corev1.PodList
	of := client.MatchingLabels{"app": "mail", "version": "green"}
	if err := running.kube.List(t.Context(), &pods, client.InNamespace(a.namespace), of); err != nil {
		t.Fatal(err)
	}
	digest := strings.TrimPrefix(built.Images[0], mailImage)
	if len(pods.Items) != 1 || !strings.HasSuffix(pods.Items[0].Status.ContainerStatuses[0].ImageID, digest) {
		t.Errorf("the new workers' pods are %+v, want one with %s", pods.Items, built.Images[0])
	}

	a.comment(pr.Number, running.writer, "/rollback")
	a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	a.awaitAnswer(a.host(), "v1.0.0")
	a.expectImages(v1alpha1.Blue, "gcr.io/acme-prod/my-python-app:first", mailImage+":first")
}
