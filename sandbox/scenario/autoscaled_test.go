package scenario

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// autoscale creates a colour's autoscaler. It has no metrics, so it only keeps the size
// within its bounds: 1 and 5.
func (a *application) autoscale(c v1alpha1.Color) {
	a.t.Helper()
	a.create(&autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metav1.ObjectMeta{Namespace: a.namespace, Name: name + "-" + string(c)},
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: name + "-" + string(c)},
			MinReplicas:    new(int32(1)), MaxReplicas: 5,
		},
	})
}

// awaitScaled waits until a colour's Deployment wants a size and its autoscaler has a
// minimum.
func (a *application) awaitScaled(c v1alpha1.Color, size, minimum int32) {
	a.t.Helper()
	a.await(fmt.Sprintf("%s to have the size %d and the minimum %d", c, size, minimum), func(ctx context.Context) (bool, string) {
		d, h := &appsv1.Deployment{}, &autoscalingv2.HorizontalPodAutoscaler{}
		for _, err := range []error{running.kube.Get(ctx, a.key(name+"-"+string(c)), d), running.kube.Get(ctx, a.key(name+"-"+string(c)), h)} {
			if err != nil {
				return false, err.Error()
			}
		}
		return *d.Spec.Replicas == size && *h.Spec.MinReplicas == minimum,
			fmt.Sprintf("%d pods, minimum %d, %v", *d.Spec.Replicas, *h.Spec.MinReplicas, h.Annotations)
	})
}

// An autoscaler sees no load on the idle colour. Left alone, it would scale the new colour
// down right before users come, and keep the old one from shrinking after they left.
func TestAutoscaledColoursKeepTheirSizeWhereverUsersAre(t *testing.T) {
	t.Parallel()
	a := newApplication(t, "autoscaled", sources(t, example))
	a.apply(filepath.Join(example, "k8s"), func(u *unstructured.Unstructured) {
		switch u.GetKind() {
		case "Deployment":
			set(t, u, int64(3), "spec", "replicas") // the live colour's autoscaler chose 3
			if strings.HasSuffix(u.GetName(), "green") {
				set(t, u, int64(1), "spec", "replicas")
			}
		case "Ingress":
			a.setHost(u)
		case "BlueGreen":
			a.take(u)
			set(t, u, "1s", "spec", "soak")
			set(t, u, "6s", "spec", "drain")
			set(t, u, "0s", "spec", "hold")
		}
	})
	a.autoscale(v1alpha1.Blue)
	a.autoscale(v1alpha1.Green)
	a.awaitReason(v1alpha1.ReasonReady)
	a.awaitAnswer(a.host(), "v1.0.0")
	failed := a.watchUsers("200 ")

	pr := a.merge("Version two", map[string]string{"VERSION": "v2.0.0\n"})
	a.awaitScaled(v1alpha1.Green, 3, 3) // while green is staged
	a.follow(pr, "success", in(v1alpha1.ReleaseSucceeded))
	a.awaitScaled(v1alpha1.Green, 3, 1) // green has the users
	a.awaitScaled(v1alpha1.Blue, 0, 1)  // an autoscaler ignores a Deployment of size 0

	a.comment(pr.Number, running.writer, "/rollback")
	a.awaitScaled(v1alpha1.Blue, 3, 3)
	back := a.followRelease("the rollback", isRollback, in(v1alpha1.ReleaseSucceeded))
	t.Log(timeline(back))
	a.awaitAnswer(a.host(), "v1.0.0")
	a.awaitScaled(v1alpha1.Blue, 3, 1)
	a.awaitScaled(v1alpha1.Green, 0, 1)
	for _, answer := range failed() {
		t.Errorf("a user got %s", answer)
	}
}
