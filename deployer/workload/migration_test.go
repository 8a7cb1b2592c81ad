package workload

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

func (w world) migrations() *Migrations {
	return &Migrations{Client: w.Client, Reader: w.Reader, Clientset: w.Clientset}
}

// plan makes the Job of an expand, creates it and reads it back.
func (w world) plan() (*batchv1.Job, error) {
	w.t.Helper()
	p, err := w.migrations().Plan(w.t.Context(), w.bg, MigrationRequest{
		StageRequest: StageRequest{Target: v1alpha1.Green, Image: image, Commit: "c0ffee", Release: "r"}, UID: "uid", Kind: "expand",
		Command: []string{"migrate", "--now"},
	})
	if err != nil {
		return nil, err
	}
	if err := w.migrations().Create(w.t.Context(), p); err != nil {
		w.t.Fatal(err)
	}
	job := &batchv1.Job{}
	if err := w.Reader.Get(w.t.Context(), w.key(MigrationName(w.bg.Name, "expand", "uid")), job); err != nil {
		w.t.Fatal(err)
	}
	return job, nil
}

// selects is a Service of the namespace.
func (w world) selects(name string, by map[string]string) {
	w.t.Helper()
	s := &corev1.Service{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: name}}
	s.Spec.Selector, s.Spec.Ports = by, []corev1.ServicePort{{Port: 80}}
	if err := w.Client.Create(w.t.Context(), s); err != nil {
		w.t.Fatal(err)
	}
}

// The template is the live colour's, as it would be staged: the other Deployment does not exist. A
// proxy and a log shipper are sidecars, which Kubernetes ends with the command, however long they
// would run.
func TestMigrationRunsBesideNativeSidecars(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.bg.Spec.Container = "app"
	d := &appsv1.Deployment{}
	if err := w.Reader.Get(t.Context(), w.key("shop-blue"), d); err != nil {
		t.Fatal(err)
	}
	spec := &d.Spec.Template.Spec
	probe := func(port intstr.IntOrString) *corev1.Probe {
		return &corev1.Probe{ProbeHandler: corev1.ProbeHandler{HTTPGet: &corev1.HTTPGetAction{Path: "/", Port: port}}}
	}
	spec.InitContainers = []corev1.Container{{Name: "settings", Image: "settings:1"}}
	spec.Containers[0].Args, spec.Containers[0].StartupProbe = []string{"serve"}, probe(intstr.FromString("web"))
	spec.Containers[0].Lifecycle = &corev1.Lifecycle{PreStop: &corev1.LifecycleHandler{Sleep: &corev1.SleepAction{Seconds: 5}}}
	spec.Containers = append(spec.Containers,
		corev1.Container{
			Name: "proxy", Image: "proxy:1", Args: []string{"--port", "5432"}, Ports: []corev1.ContainerPort{{Name: "health", ContainerPort: 8090}},
			StartupProbe: probe(intstr.FromString("health")), ReadinessProbe: probe(intstr.FromString("health")),
			LivenessProbe: probe(intstr.FromString("health")),
		},
		corev1.Container{Name: "logs", Image: "logs:1"})
	text, err := json.Marshal(map[string]any{"spec": map[string]any{"template": map[string]any{"spec": spec}}})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Client.Patch(t.Context(), d, client.RawPatch(types.MergePatchType, text)); err != nil {
		t.Fatal(err)
	}
	job, err := w.plan()
	if err != nil {
		t.Fatal(err)
	}
	if s := job.Spec; !*s.Suspend || *s.BackoffLimit != 0 || s.TTLSecondsAfterFinished != nil || s.ActiveDeadlineSeconds != nil {
		t.Errorf("the job is %+v", s)
	}
	got := job.Spec.Template.Spec
	var names []string
	for _, c := range got.InitContainers {
		always := c.RestartPolicy != nil && *c.RestartPolicy == corev1.ContainerRestartPolicyAlways
		if c.ReadinessProbe != nil || c.LivenessProbe != nil || len(c.Ports) > 0 || always != (c.Name != "settings") {
			t.Errorf("the container %s is %+v", c.Name, c)
		}
		names = append(names, c.Name)
		if c.Name != "proxy" {
			continue
		}
		if p := c.StartupProbe; p == nil || p.HTTPGet.Port != intstr.FromInt32(8090) || strings.Join(c.Args, " ") != "--port 5432" {
			t.Errorf("the proxy is %+v", c)
		}
	}
	if diff := cmp.Diff([]string{"settings", "proxy", "logs"}, names); diff != "" {
		t.Errorf("the init containers (-want +got):\n%s", diff)
	}
	c := got.Containers[0]
	if len(got.Containers) != 1 || c.Name != "app" || strings.Join(c.Command, " ") != "migrate --now" || c.Args != nil || c.Image != image ||
		c.ReadinessProbe != nil || c.StartupProbe != nil || c.Lifecycle != nil || len(c.Ports) > 0 || c.Env[0].Value != "blue" {
		t.Errorf("the containers are %+v", got.Containers)
	}
	if got.RestartPolicy != corev1.RestartPolicyNever || got.TopologySpreadConstraints != nil || got.Affinity.PodAntiAffinity != nil {
		t.Errorf("the pod is %+v", got)
	}
}

// A pod without probes is ready at once.
func TestNoServiceSelectsAMigration(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.selects("everything", map[string]string{"app": "shop"})
	job, err := w.plan()
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"tier": "web", v1alpha1.ApplicationLabel: "shop", v1alpha1.MigrationLabel: "expand", "slot": "a"}
	got := job.Spec.Template.Labels
	for _, ours := range []string{"batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"} {
		delete(got, ours)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the labels of its pod (-want +got):\n%s", diff)
	}
}

// Where removing labels does not help, the migration is refused, and the object is named.
func TestMigrationThatWouldGetUsersIsRefused(t *testing.T) {
	t.Parallel()
	for name, object := range map[string]func(w world){
		"service ours": func(w world) { w.selects("ours", map[string]string{v1alpha1.ApplicationLabel: "shop"}) },
		"poddisruptionbudget all": func(w world) {
			b := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: w.namespace, Name: "all"}}
			b.Spec.Selector = &metav1.LabelSelector{}
			if err := w.Client.Create(t.Context(), b); err != nil {
				t.Fatal(err)
			}
		},
	} {
		w := newWorld(t)
		object(w)
		_, err := w.plan()
		if refused, ok := errors.AsType[*RefusedMigrationError](err); !ok || !strings.Contains(refused.Text, name) {
			t.Errorf("with %s, the plan ends with %v", name, err)
		}
	}
}

func TestMigrationPods(t *testing.T) {
	t.Parallel()
	at := metav1.NewTime(time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC))
	app := func(c corev1.ContainerStatus) corev1.PodStatus {
		c.Name = "app"
		return corev1.PodStatus{Phase: corev1.PodFailed, ContainerStatuses: []corev1.ContainerStatus{c}}
	}
	terminated := func(code int32, reason string, from metav1.Time) corev1.ContainerState {
		return corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: code, Reason: reason, StartedAt: from}}
	}
	unknown := terminated(137, "ContainerStatusUnknown", metav1.Time{})
	initializing := corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: "PodInitializing"}}
	for name, c := range map[string]struct {
		node   string
		status corev1.PodStatus
		want   track.MigrationPod
	}{
		"without a node": {"", corev1.PodStatus{Phase: corev1.PodPending, Conditions: []corev1.PodCondition{
			{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/3 nodes"},
		}}, track.MigrationPod{Waiting: "0/3 nodes"}},
		"it exited": {"n", app(corev1.ContainerStatus{State: terminated(3, "Error", at)}), track.MigrationPod{
			Placed: true, Ended: true, StartedAt: at.Time, ExitCode: new(int32(3)), Container: "app", Reason: "Error",
		}},
		"evicted before it started": {
			"n",
			corev1.PodStatus{Phase: corev1.PodFailed, Reason: "Evicted", Message: "low on memory"},
			track.MigrationPod{Placed: true, Ended: true, Waiting: "low on memory"},
		},
		"its image never came": {"n", app(corev1.ContainerStatus{State: unknown}), track.MigrationPod{Placed: true, Ended: true}},
		"its container vanished": {
			"n", app(corev1.ContainerStatus{State: unknown, ContainerID: "containerd://1"}),
			track.MigrationPod{Placed: true, Ended: true, Lost: true},
		},
		"its container vanished before": {
			"n", app(corev1.ContainerStatus{State: unknown, LastTerminationState: unknown}),
			track.MigrationPod{Placed: true, Ended: true, Lost: true},
		},
		"its node is gone": {"n", corev1.PodStatus{Phase: corev1.PodFailed, Conditions: []corev1.PodCondition{
			{Type: corev1.DisruptionTarget, Status: corev1.ConditionTrue, Reason: "DeletionByPodGC"},
		}}, track.MigrationPod{Placed: true, Ended: true, Lost: true}},
		"its command does not exist": {
			"n", app(corev1.ContainerStatus{ContainerID: "containerd://1", State: terminated(128, "StartError", metav1.Unix(0, 0))}),
			track.MigrationPod{
				Placed: true, Ended: true, ExitCode: new(int32(128)), Container: "app", Reason: "StartError", Message: "StartError", Unstartable: true,
			},
		},
		"an init container failed": {"n", corev1.PodStatus{
			Phase:                 corev1.PodFailed,
			InitContainerStatuses: []corev1.ContainerStatus{{Name: "settings", State: terminated(1, "Error", at)}},
			ContainerStatuses:     []corev1.ContainerStatus{{Name: "app", State: initializing}},
		}, track.MigrationPod{Placed: true, Ended: true, ExitCode: new(int32(1)), Container: "settings", Reason: "Error"}},
		"a sidecar has not started": {"n", corev1.PodStatus{
			Phase: corev1.PodPending,
			InitContainerStatuses: []corev1.ContainerStatus{{
				Name: "proxy", Started: new(bool), State: corev1.ContainerState{Running: &corev1.ContainerStateRunning{StartedAt: at}},
			}},
		}, track.MigrationPod{Placed: true, Waiting: "container proxy has not passed its startup probe"}},
	} {
		always := corev1.ContainerRestartPolicyAlways
		pod := &corev1.Pod{Spec: corev1.PodSpec{NodeName: c.node, InitContainers: []corev1.Container{
			{Name: "settings"}, {Name: "proxy", RestartPolicy: &always},
		}}, Status: c.status}
		got := migrationPod(pod)
		if c.want.Waiting == "" { // of no interest once it has ended
			got.Waiting = ""
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
