package deployer

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A rollback brings back an image and a template, and says which ConfigMaps are not what they were.
func TestARollbackNamesTheConfigMapsThatChangedSinceItsVersionWasStaged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	settings := &corev1.ConfigMap{ObjectMeta: w.meta("settings"), Data: map[string]string{"COLOR": "red"}}
	same := &corev1.ConfigMap{ObjectMeta: w.meta("same"), Data: map[string]string{"a": "b"}}
	w.create(settings)
	w.create(same)
	live := w.deployment(v1alpha1.Blue)
	w.get(live)
	reads := fmt.Sprintf(`{"spec":{"template":{"spec":{"volumes":[{"name":"same","configMap":{"name":"same"}}],
		"containers":[{"name":%q,"envFrom":[{"configMapRef":{"name":"settings"}}]}]}}}}`, live.Spec.Template.Spec.Containers[0].Name)
	check(t, w.kube.Patch(t.Context(), live, client.RawPatch(types.StrategicMergePatchType, []byte(reads))))
	w.run()
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	w.source.commit("b", "a")
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseSucceeded)
	digests := func(r *v1alpha1.Release) (names, digests []string) {
		for _, m := range r.Status.ConfigMaps {
			names, digests = append(names, m.Name), append(digests, m.Digest)
		}
		return names, digests
	}
	for _, r := range []*v1alpha1.Release{a, b} {
		if names, _ := digests(r); !slices.Equal(names, []string{"same", "settings"}) {
			t.Fatalf("%s recorded the ConfigMaps %v", r.Name, names)
		}
	}
	_, ofA := digests(a)
	if _, ofB := digests(b); ofA[0] == ofB[0] {
		t.Errorf("two releases have the digest %s for what a ConfigMap had: who reads releases can compare it", ofA[0])
	}
	w.patch(settings, `{"data":{"COLOR":"blue"}}`)
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	said := slices.DeleteFunc(findingTexts(back), func(s string) bool { return !strings.Contains(s, "ConfigMaps") })
	want := []string{fmt.Sprintf("a rollback does not bring back what ConfigMaps had: settings changed since %s was staged, and its pods "+
		"read what it has now, at the latest when they start again", back.Spec.Rollback.To.Short())}
	if diff := cmp.Diff(want, said); diff != "" {
		t.Errorf("what the rollback says of ConfigMaps (-want +got):\n%s", diff)
	}
}

// What runs the application's image and no application names is reported: no release updates it.
func TestWhatRunsTheImageBesideTheApplicationIsReported(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(bg *v1alpha1.BlueGreen) {
		bg.Spec.CronJobs = []v1alpha1.CronJobSpec{{Name: "listed", Image: "gcr.io/acme-prod/report"}}
	})
	pod := func(image string) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{Spec: corev1.PodSpec{
			RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: image}},
		}}
	}
	repository, _, _ := strings.Cut(w.blueImage(), ":")
	cron := func(name, image string) *batchv1.CronJob {
		return &batchv1.CronJob{ObjectMeta: w.meta(name), Spec: batchv1.CronJobSpec{
			Schedule: "0 0 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: batchv1.JobSpec{Template: pod(image)}},
		}}
	}
	mail := pod(repository + ":1")
	mail.Labels, mail.Spec.RestartPolicy = map[string]string{"app": "mail"}, corev1.RestartPolicyAlways
	other := pod("gcr.io/acme-prod/report:2")
	other.Labels, other.Spec.RestartPolicy = map[string]string{"app": "other"}, corev1.RestartPolicyAlways
	for _, o := range []client.Object{
		&appsv1.Deployment{ObjectMeta: w.meta("other-image"), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: other.Labels}, Replicas: new(int32(0)), Template: other,
		}},
		cron("report", repository+":1"), cron("backup", "registry.example/backup:1"), cron("listed", repository+":1"),
		cron("other-image", "gcr.io/acme-prod/report:1"),
		&batchv1.Job{ObjectMeta: w.meta("import"), Spec: batchv1.JobSpec{Template: pod(repository + ":2"), Suspend: new(true)}},
		&appsv1.Deployment{ObjectMeta: w.meta("mail"), Spec: appsv1.DeploymentSpec{
			Selector: &metav1.LabelSelector{MatchLabels: mail.Labels}, Replicas: new(int32(0)), Template: mail,
		}},
	} {
		w.create(o)
	}
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	var bg v1alpha1.BlueGreen
	check(t, w.kube.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "my-python-app"}, &bg))
	var unlisted []string
	for _, f := range bg.Status.Findings {
		if f.Reason == "Unlisted" {
			unlisted = append(unlisted, f.Object)
		}
	}
	slices.Sort(unlisted)
	want := []string{
		"cronjob " + w.namespace + "/other-image", "cronjob " + w.namespace + "/report", "deployment " + w.namespace + "/mail",
		"deployment " + w.namespace + "/other-image", "job " + w.namespace + "/import",
	}
	if diff := cmp.Diff(want, unlisted); diff != "" {
		t.Errorf("what is said to run the image (-want +got):\n%s", diff)
	}
}

// Kubernetes reports in an event, and nowhere else, that a pod waits for a volume which another node
// has. The release says so while it waits.
func TestAVolumeThatAnotherNodeHasIsSaidWhileItsPodWaits(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	claim := &corev1.PersistentVolumeClaim{ObjectMeta: w.meta("files")}
	claim.Spec.AccessModes = []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	claim.Spec.Resources.Requests = corev1.ResourceList{corev1.ResourceStorage: resource.MustParse("1Gi")}
	w.create(claim)
	w.patch(w.deployment(v1alpha1.Blue),
		`{"spec":{"template":{"spec":{"volumes":[{"name":"files","persistentVolumeClaim":{"claimName":"files"}}]}}}}`)
	w.kubelet.hold("@sha256:")
	w.run()
	rel := w.submit("a")
	w.until("a pod of the release", func() bool { return w.kubelet.starts("@sha256:") }, func() string { return rel.Name })
	var pods corev1.PodList
	check(t, w.kube.List(t.Context(), &pods, client.InNamespace(w.namespace)))
	pods.Items = slices.DeleteFunc(pods.Items, func(p corev1.Pod) bool { return !strings.Contains(p.Spec.Containers[0].Image, "@sha256:") })
	const says = `Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) my-python-app-blue-1`
	for name, message := range map[string]string{pods.Items[0].Name: says, "another-pod": "Multi-Attach error for another volume"} {
		w.create(&corev1.Event{
			ObjectMeta: w.meta(name + ".1"), Reason: "FailedAttachVolume", Message: message, Type: corev1.EventTypeWarning,
			InvolvedObject: corev1.ObjectReference{Kind: "Pod", Namespace: w.namespace, Name: name},
		})
	}
	w.await(rel, "what Kubernetes says", func(r *v1alpha1.Release) bool {
		return slices.ContainsFunc(findingTexts(r), func(s string) bool {
			return strings.Contains(s, "the claim (files)") && strings.HasSuffix(s, "of pod "+pods.Items[0].Name+": "+says)
		})
	})
	w.kubelet.release(t, "@sha256:")
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

// A StatefulSet cannot be a side. Whoever names one learns why, and what to do.
func TestAStatefulSetIsRefusedAsASide(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	service := w.service(v1alpha1.Blue)
	w.get(service)
	check(t, w.kube.Delete(t.Context(), w.deployment(v1alpha1.Blue)))
	w.create(&appsv1.StatefulSet{ObjectMeta: w.meta("my-python-app-blue"), Spec: appsv1.StatefulSetSpec{
		Selector: &metav1.LabelSelector{MatchLabels: service.Spec.Selector}, Replicas: new(int32(1)), ServiceName: service.Name,
		Template: corev1.PodTemplateSpec{
			ObjectMeta: metav1.ObjectMeta{Labels: service.Spec.Selector},
			Spec:       corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: "app:1"}}},
		},
	}})
	var pods corev1.PodList
	w.until("the StatefulSet's pod", func() bool {
		check(t, w.kube.List(t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels(service.Spec.Selector)))
		return slices.ContainsFunc(pods.Items, func(p corev1.Pod) bool { return p.Name == "my-python-app-blue-0" })
	}, func() string { return fmt.Sprint(len(pods.Items)) })
	w.run()
	w.awaitReason(v1alpha1.ReasonDeploymentMissing)
	var bg v1alpha1.BlueGreen
	w.until("the reason", func() bool {
		check(t, w.kube.Get(t.Context(), client.ObjectKey{Namespace: w.namespace, Name: "my-python-app"}, &bg))
		c := meta.FindStatusCondition(bg.Status.Conditions, v1alpha1.ConditionReady)
		return c != nil && strings.Contains(c.Message, "the pods of statefulset my-python-app-blue, which cannot be a side") &&
			strings.Contains(c.Message, "Move what serves users into deployment my-python-app-blue")
	}, func() string { return fmt.Sprint(bg.Status.Conditions) })
}

func findingTexts(rel *v1alpha1.Release) (all []string) {
	for _, f := range rel.Status.Findings {
		all = append(all, f.Text)
	}
	return all
}
