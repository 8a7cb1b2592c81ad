package scenario

import (
	"path/filepath"
	"testing"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// neverEnds runs until Kubernetes ends it.
const neverEnds = `
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
while True:
    time.sleep(1)
`

// The application's pods have a container beside the one that serves, which never ends by itself, as a
// proxy to a database would be. In a migration's pod it must: the Job would not end before it.
func TestASidecarThatNeverEndsEndsWithTheMigration(t *testing.T) {
	t.Parallel()
	const beside = "proxy"
	a := newApplication(t, "sidecar", sources(t, example))
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(1), "spec", "replicas")
			path := []string{"spec", "template", "spec", "containers"}
			containers, _, err := unstructured.NestedSlice(u.Object, path...)
			if err != nil {
				t.Fatal(err)
			}
			app, _ := containers[0].(map[string]any)
			set(t, u, append(containers, any(map[string]any{
				"name": beside, "image": app["image"],
				"command": []any{"python", "-c", neverEnds},
			})), path...)
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "1s", "spec", "soak")
			set(t, u, "app", "spec", "container")
			set(t, u, map[string]any{"command": []any{"python", "-c", "print('migrated')"}}, "spec", "migrations", "expand")
		}
	})
	a.awaitReason(v1alpha1.ReasonReady)
	rel := a.follow(a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"}), "success", in(v1alpha1.ReleaseSucceeded))
	if m := rel.Status.Migration; m == nil || m.Outcome != v1alpha1.MigrationChanged {
		t.Fatalf("the migration is %+v", m)
	}
	var pods corev1.PodList
	of := client.MatchingLabels{batchv1.JobNameLabel: rel.Status.Migration.Job}
	if err := running.kube.List(t.Context(), &pods, client.InNamespace(a.namespace), of); err != nil {
		t.Fatal(err)
	}
	if len(pods.Items) != 1 || pods.Items[0].Status.Phase != corev1.PodSucceeded || len(pods.Items[0].Status.InitContainerStatuses) != 1 {
		t.Fatalf("its pods are %+v", pods.Items)
	}
	command, sidecar := pods.Items[0].Status.ContainerStatuses[0].State.Terminated, pods.Items[0].Status.InitContainerStatuses[0]
	if sidecar.Name != beside || sidecar.State.Terminated == nil || sidecar.State.Terminated.FinishedAt.Before(&command.FinishedAt) ||
		command.StartedAt.Before(&sidecar.State.Terminated.StartedAt) {
		t.Errorf("the command ended as %+v, and the container beside it as %+v", command, sidecar.State)
	}
}
