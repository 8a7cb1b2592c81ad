package deployer

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// awaitWayBack waits until what is known of the way back says so: part of what is
// missing, or "" for nothing.
func (w *world) awaitWayBack(missing string) {
	w.t.Helper()
	w.until("the way back to lack "+missing, func() bool {
		back := w.application().Status.WayBack
		return back != nil && back.Color == v1alpha1.Blue && (back.Missing == "") == (missing == "") && strings.Contains(back.Missing, missing)
	}, func() string { return fmt.Sprintf("%+v", w.application().Status.WayBack) })
}

// The size asked for says nothing of whether anybody is there.
func TestWayBackIsJudgedByReadyEndpointsOfThatVeryVersion(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.pretendDeployed()
	w.run()
	w.awaitWayBack("")
	if back := w.application().Status.WayBack; back.Ready == 0 || back.Ready != back.Needed {
		t.Errorf("the way back is %+v", back)
	}

	// Every pod of it fails its probe: the Deployment keeps its size.
	var pods corev1.PodList
	check(t, w.kube.List(t.Context(), &pods, client.InNamespace(w.namespace), client.MatchingLabels{"version": "blue"}))
	set := func(ready corev1.ConditionStatus) {
		for i := range pods.Items {
			check(t, w.kube.Status().Patch(t.Context(), &corev1.Pod{ObjectMeta: w.meta(pods.Items[i].Name)},
				client.RawPatch(types.StrategicMergePatchType,
					fmt.Appendf(nil, `{"status":{"conditions":[{"type":"Ready","status":%q}]}}`, ready))))
		}
	}
	set(corev1.ConditionFalse)
	w.awaitWayBack("service my-python-app-blue-svc has fewer ready endpoints of it than users need")
	if got := w.application().Status.WayBack.Ready; got != 0 {
		t.Errorf("%d are said to be ready", got)
	}
	set(corev1.ConditionTrue)
	w.awaitWayBack("")

	// Users need more than there are.
	w.resize(v1alpha1.Green, 3)
	w.awaitWayBack("fewer ready endpoints")
	w.resize(v1alpha1.Blue, 3)
	w.awaitWayBack("")

	// Other pods are ready there, of something else.
	w.patch(&appsv1.Deployment{ObjectMeta: w.meta("my-python-app-blue")}, `{"spec":{"template":{"metadata":{"annotations":{"by":"hand"}}}}}`)
	w.awaitWayBack("deployment my-python-app-blue runs another version by now")
}

// What the load balancer says counts where it is known.
func TestWayBackOnGooglesLoadBalancer(t *testing.T) {
	left := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	to := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:1", TemplateHash: "h"}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.BlueGreen, *observed)
		want   string
	}{
		"held": {func(*v1alpha1.BlueGreen, *observed) {}, ""},
		"found unhealthy": {
			func(_ *v1alpha1.BlueGreen, o *observed) { setGroup(o, "UNHEALTHY") },
			"the load balancer finds service blue unhealthy",
		},
		"nothing is known": {func(_ *v1alpha1.BlueGreen, o *observed) { setGroup(o, "Unknown") }, ""},
		"made anew since, and not told of": {func(_ *v1alpha1.BlueGreen, o *observed) {
			o.Sides[v1alpha1.Blue].Pods[0].Created = left.Add(time.Minute)
		}, "must find the service healthy"},
		"no ready endpoint": {func(_ *v1alpha1.BlueGreen, o *observed) { o.Back[v1alpha1.Blue] = reachable{} }, "fewer ready endpoints"},
		"endpoints of somebody else": {func(_ *v1alpha1.BlueGreen, o *observed) {
			o.Back[v1alpha1.Blue] = reachable{endpoints: []string{"other"}}
		}, "fewer ready endpoints"},
		"no pods are needed": {func(_ *v1alpha1.BlueGreen, o *observed) {
			o.Sides[v1alpha1.Green], o.Back[v1alpha1.Blue] = track.Side{DeploymentExists: true}, reachable{}
		}, "fewer ready endpoints"},
		"another image": {func(_ *v1alpha1.BlueGreen, o *observed) {
			side := o.Sides[v1alpha1.Blue]
			side.RunningImage = "app@sha256:2"
			o.Sides[v1alpha1.Blue] = side
		}, "runs another version"},
		"gone": {
			func(_ *v1alpha1.BlueGreen, o *observed) { o.Sides[v1alpha1.Blue] = track.Side{Deployment: "blue"} },
			"deployment blue is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bg := &v1alpha1.BlueGreen{}
			bg.Status.LastSwitch = &v1alpha1.SwitchRecord{At: metav1.NewTime(left), From: to}
			backend := []track.Backend{{Service: "green"}}
			o := observed{
				Now: left.Add(10 * time.Minute),
				Routes: track.Routes{
					Exists: true, LoadBalancer: v1alpha1.LoadBalancerGCE, Users: map[v1alpha1.Color][]track.Backend{v1alpha1.Green: backend},
					Standby: map[v1alpha1.Color][]track.Backend{v1alpha1.Blue: {{Service: "blue"}}},
				},
				Sides: map[v1alpha1.Color]track.Side{
					v1alpha1.Green: {DeploymentExists: true, Replicas: 1},
					v1alpha1.Blue: {
						Color: v1alpha1.Blue, Deployment: "blue", Service: "blue", DeploymentExists: true, Replicas: 1, TemplateHash: "h",
						RunningImage: to.Image,
						Pods:         []track.Pod{{Name: "b1", Ready: true, Created: left.Add(-time.Hour)}},
					},
				},
				Back: map[v1alpha1.Color]reachable{v1alpha1.Blue: {endpoints: []string{"b1"}}},
			}
			setGroup(&o, "HEALTHY")
			tt.change(bg, &o)
			back := wayBack(bg, o, to)
			if (back.Missing == "") != (tt.want == "") || !strings.Contains(back.Missing, tt.want) {
				t.Errorf("the way back is %+v, want %q missing", back, tt.want)
			}
		})
	}
}

func setGroup(o *observed, state string) {
	r := o.Back[v1alpha1.Blue]
	r.groups = []track.Group{{Port: 80, Name: "neg", Routed: true, State: state}}
	o.Back[v1alpha1.Blue] = r
}
