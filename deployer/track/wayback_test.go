package track

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The load balancer's health counts where it is known.
func TestWayBackOnGooglesLoadBalancer(t *testing.T) {
	left := time.Date(2026, 11, 2, 9, 0, 0, 0, time.UTC)
	to := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:1", TemplateHash: "h", Replicas: 3}
	for name, tt := range map[string]struct {
		change func(*v1alpha1.BlueGreen, *Observed)
		want   string
	}{
		"held": {func(*v1alpha1.BlueGreen, *Observed) {}, ""},
		"found unhealthy": {
			func(_ *v1alpha1.BlueGreen, o *Observed) { setGroup(o, "UNHEALTHY") },
			"the load balancer finds service blue unhealthy",
		},
		"nothing is known": {func(_ *v1alpha1.BlueGreen, o *Observed) { setGroup(o, "Unknown") }, ""},
		"made anew since, and not told of": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Sides[v1alpha1.Blue].Pods[0].Created = left.Add(time.Minute)
		}, "must find the service healthy"},
		"no ready endpoint": {func(_ *v1alpha1.BlueGreen, o *Observed) { o.Back[v1alpha1.Blue] = Reachable{} }, "fewer ready endpoints"},
		"endpoints of somebody else": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Back[v1alpha1.Blue] = Reachable{Endpoints: []string{"other"}}
		}, "fewer ready endpoints"},
		"a pod that ends": {
			func(_ *v1alpha1.BlueGreen, o *Observed) { o.Sides[v1alpha1.Blue].Pods[0].Terminating = true },
			"fewer ready endpoints",
		},
		"nobody knows its template": {
			func(_ *v1alpha1.BlueGreen, o *Observed) { setBlue(o, func(s *Side) { s.TemplateHash = "" }) },
			"runs another version",
		},
		"another template": {
			func(_ *v1alpha1.BlueGreen, o *Observed) { setBlue(o, func(s *Side) { s.TemplateHash = "h2" }) },
			"runs another version",
		},
		"nobody knows its image yet": {func(_ *v1alpha1.BlueGreen, o *Observed) { setBlue(o, func(s *Side) { s.RunningImage = "" }) }, ""},
		"too few for the spec":       {func(bg *v1alpha1.BlueGreen, _ *Observed) { bg.Spec.MinReplicas = 2 }, "fewer ready endpoints"},
		"live is gone, and it had more": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Sides[v1alpha1.Green] = Side{}
		}, "fewer ready endpoints"},
		"live is gone, and the spec wants more": {func(bg *v1alpha1.BlueGreen, o *Observed) {
			bg.Spec.MinReplicas, o.Sides[v1alpha1.Green] = 4, Side{}
		}, "fewer ready endpoints"},
		"unreferenced": {
			func(_ *v1alpha1.BlueGreen, o *Observed) { o.Routes.Standby = nil; setGroup(o, "Unknown") },
			`reported "Unknown" for neg`,
		},
		"users are there": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Routes.Standby, o.Routes.Users = nil, map[v1alpha1.Color][]Backend{v1alpha1.Blue: {{}}}
			o.Back[v1alpha1.Blue] = Reachable{Endpoints: []string{"b1"}}
		}, ""},
		"users are there, and it is unhealthy": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Routes.Users = map[v1alpha1.Color][]Backend{v1alpha1.Blue: {{}}}
			setGroup(o, "UNHEALTHY")
		}, "the load balancer finds service blue unhealthy"},
		"there was no switch": {func(bg *v1alpha1.BlueGreen, _ *Observed) { bg.Status.LastSwitch = nil }, "must find the service healthy"},
		"users left the other one": {func(bg *v1alpha1.BlueGreen, _ *Observed) {
			bg.Status.LastSwitch.From.Color = v1alpha1.Green
		}, "must find the service healthy"},
		"it was shrunk": {func(bg *v1alpha1.BlueGreen, _ *Observed) { bg.Status.LastSwitch.Shrunk = true }, "must find the service healthy"},
		"elsewhere nobody tells": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Routes.LoadBalancer = v1alpha1.LoadBalancerOther
			setGroup(o, "UNHEALTHY")
		}, ""},
		"no pods are needed": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			o.Sides[v1alpha1.Green], o.Back[v1alpha1.Blue] = Side{DeploymentExists: true}, Reachable{}
		}, "fewer ready endpoints"},
		"another image": {func(_ *v1alpha1.BlueGreen, o *Observed) {
			setBlue(o, func(s *Side) { s.RunningImage = "app@sha256:2" })
		}, "runs another version"},
		"gone": {
			func(_ *v1alpha1.BlueGreen, o *Observed) {
				o.Sides[v1alpha1.Blue] = Side{Deployment: "blue"}
			},
			"deployment blue is gone",
		},
	} {
		t.Run(name, func(t *testing.T) {
			bg := &v1alpha1.BlueGreen{}
			bg.Status.LastSwitch = &v1alpha1.SwitchRecord{At: metav1.NewTime(left), From: to}
			backend := []Backend{{Service: "green"}}
			o := Observed{
				Now: left.Add(10 * time.Minute),
				Routes: Routes{
					Exists: true, LoadBalancer: v1alpha1.LoadBalancerGCE, Users: map[v1alpha1.Color][]Backend{v1alpha1.Green: backend},
					Standby: map[v1alpha1.Color][]Backend{v1alpha1.Blue: {{Service: "blue"}}},
				},
				Sides: map[v1alpha1.Color]Side{
					v1alpha1.Green: {DeploymentExists: true, Replicas: 1},
					v1alpha1.Blue: {
						Color: v1alpha1.Blue, Deployment: "blue", Service: "blue", DeploymentExists: true, Replicas: 1, TemplateHash: "h",
						RunningImage: to.Image,
						Pods:         []Pod{{Name: "b1", Ready: true, Created: left.Add(-time.Hour)}},
					},
				},
				Back: map[v1alpha1.Color]Reachable{v1alpha1.Blue: {Endpoints: []string{"b1"}}},
			}
			setGroup(&o, "HEALTHY")
			tt.change(bg, &o)
			back := WayBack(bg, o, to)
			if (back.Missing == "") != (tt.want == "") || !strings.Contains(back.Missing, tt.want) {
				t.Errorf("the way back is %+v, want %q missing", back, tt.want)
			}
		})
	}
}

func TestNothingKnownIsNoVersion(t *testing.T) {
	to := v1alpha1.Version{Image: "app@sha256:1"}
	if Runs(Side{RunningImage: to.Image}, to) {
		t.Error("a colour's way back is known, though its template is not")
	}
}

func setBlue(o *Observed, change func(*Side)) {
	side := o.Sides[v1alpha1.Blue]
	change(&side)
	o.Sides[v1alpha1.Blue] = side
}

func setGroup(o *Observed, state string) {
	r := o.Back[v1alpha1.Blue]
	r.Groups = []Group{{Port: 80, Name: "neg", Routed: true, State: state}}
	o.Back[v1alpha1.Blue] = r
}
