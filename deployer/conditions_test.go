package deployer

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
)

// judged is an application that nothing stands in the way of.
func judged() (*v1alpha1.BlueGreen, *track.Observed, *facts) {
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "1"}}
	bg.Spec = v1alpha1.BlueGreenSpec{
		Repository: "acme/app", Build: v1alpha1.BuildSpec{Project: "acme-prod"}, ColorLabel: "version",
		Proof: v1alpha1.ProofSpec{Rate: 20},
	}
	o := &track.Observed{Routes: routesTo(v1alpha1.Blue), Sides: map[v1alpha1.Color]track.Side{
		v1alpha1.Green: {Color: v1alpha1.Green, Deployment: "app-green", Service: "app-green-svc"},
		v1alpha1.Blue: {
			Color: v1alpha1.Blue, Deployment: "app-blue", Service: "app-blue-svc", DeploymentExists: true, ServiceExists: true,
			Containers: []string{"app"}, Container: "app", ServiceColored: true, DeploymentColored: true,
		},
	}}
	return bg, o, &facts{grants: v1alpha1.Grants{v1alpha1.RepositoriesAnnotation: "acme/app", v1alpha1.ProjectsAnnotation: "acme-prod"}}
}

func TestConditionNamesTheObjectTheFieldAndTheWayOut(t *testing.T) {
	t.Parallel()
	side := func(change func(*track.Side)) func(*v1alpha1.BlueGreen, *track.Observed, *facts) {
		return func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) {
			s := o.Sides[v1alpha1.Blue]
			change(&s)
			o.Sides[v1alpha1.Blue] = s
		}
	}
	spec := func(change func(*v1alpha1.BlueGreenSpec)) func(*v1alpha1.BlueGreen, *track.Observed, *facts) {
		return func(bg *v1alpha1.BlueGreen, _ *track.Observed, _ *facts) { change(&bg.Spec) }
	}
	tests := []struct {
		name   string
		change func(*v1alpha1.BlueGreen, *track.Observed, *facts)
		reason string
		want   []string
	}{
		{"ready", func(*v1alpha1.BlueGreen, *track.Observed, *facts) {}, "", nil},
		{"not granted", func(_ *v1alpha1.BlueGreen, _ *track.Observed, f *facts) { f.grants = nil }, v1alpha1.ReasonNotGranted, []string{
			"namespace shop is not granted acme/app, project acme-prod (spec.build.project)",
			"kubectl annotate --overwrite namespace shop turnout.dev/repositories=acme/app turnout.dev/projects=acme-prod",
		}},
		{
			"shared", func(_ *v1alpha1.BlueGreen, _ *track.Observed, f *facts) {
				f.sharing, f.shared = "other", "app-blue-svc"
			},
			v1alpha1.ReasonServiceShared,
			[]string{"bluegreen other", "service app-blue-svc", "spec.blue.service"},
		},
		{
			"one service for both", spec(func(s *v1alpha1.BlueGreenSpec) { s.Green.Service = "app-blue-svc" }), v1alpha1.ReasonServiceShared,
			[]string{"app-blue-svc", "spec.green.service"},
		},
		{
			"no ingress", func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) { o.Routes = track.Routes{Name: "ing"} },
			v1alpha1.ReasonIngressMissing,
			[]string{"ingress ing", "namespace shop", "spec.ingress.name"},
		},
		{
			"mixed", func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) {
				o.Routes.Users[v1alpha1.Green] = []track.Backend{{Host: "a.example.com", Path: "/"}, {Path: "/x"}}
			}, v1alpha1.ReasonMixedRoutes,
			[]string{"ingress ing", "app-blue-svc", "a.example.com/ and 1 more to service app-green-svc", "kubectl edit ingress ing -n shop"},
		},
		{"not routed", func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) {
			o.Routes.Users = nil
		}, v1alpha1.ReasonNotRouted, []string{"ingress ing", "app-blue-svc", "app-green-svc", "spec.blue.service"}},
		{
			"host taken", func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) { o.Routes.HostTaken = "x.invalid" }, v1alpha1.ReasonStandbyHost,
			[]string{"ingress ing", "x.invalid", "spec.ingress.standbyHost"},
		},
		{
			"no service", side(func(s *track.Side) { s.ServiceExists = false }), v1alpha1.ReasonServiceMissing,
			[]string{"service app-blue-svc", "ingress ing", "create it"},
		},
		{"no deployment", func(bg *v1alpha1.BlueGreen, o *track.Observed, f *facts) {
			o.Sides[v1alpha1.Green] = track.Side{Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true}
			side(func(s *track.Side) { s.DeploymentExists = false })(bg, o, f)
		}, v1alpha1.ReasonDeploymentMissing, []string{"deployment app-blue", "spec.blue.deployment"}},
		{
			"neither deployment", side(func(s *track.Side) { s.DeploymentExists = false }), v1alpha1.ReasonDeploymentMissing,
			[]string{"neither deployment app-blue nor deployment app-green", "create app-blue", "the other one is made from it"},
		},
		{
			"a service that cannot be copied", side(func(s *track.Side) { s.ServiceColored = false }), v1alpha1.ReasonServiceMissing,
			[]string{"service app-green-svc does not exist", "service app-blue-svc", "lacks version: blue", "create it"},
		},
		{
			"a deployment that cannot be copied", side(func(s *track.Side) { s.DeploymentColored = false }), v1alpha1.ReasonDeploymentMissing,
			[]string{"deployment app-green does not exist", "deployment app-blue", "lacks version: blue", "create it"},
		},
		{"a deployment that cannot be copied, and what it needs", side(func(s *track.Side) {
			s.Selector = map[string]string{"app": "web", "version": "blue"}
			s.MatchLabels, s.Labels = map[string]string{"app": "web"}, map[string]string{"app": "web", "version": "blue", "tier": "x"}
			s.DeploymentColored, s.Image = false, "gcr.io/acme-prod/app:first"
		}), v1alpha1.ReasonDeploymentMissing, []string{
			"has version: green\n" + `printf '%s\n' '{"apiVersion":"apps/v1","kind":"Deployment","metadata":{"name":"app-green",` +
				`"namespace":"shop"},"spec":{"replicas":0,` +
				`"selector":{"matchLabels":{"app":"web","version":"green"}},"template":{"metadata":{"labels":{"app":"web","tier":"x",` +
				`"version":"green"}},` +
				`"spec":{"containers":[{"image":"gcr.io/acme-prod/app:first","name":"app"}]}}}}' | kubectl apply -f -`,
		}},
		{"nothing needs to be copied", func(bg *v1alpha1.BlueGreen, o *track.Observed, f *facts) {
			o.Sides[v1alpha1.Green] = track.Side{Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true}
			side(func(s *track.Side) { s.DeploymentColored, s.ServiceColored = false, false })(bg, o, f)
		}, "", nil},
		{"a service for both colours, whose pods lack the label", side(func(s *track.Side) {
			s.Selector, s.MatchLabels, s.Labels = map[string]string{"app": "web"}, map[string]string{"app": "web"}, map[string]string{"app": "web"}
			s.RolledOut, s.ServiceColored = true, false
		}), v1alpha1.ReasonSelector, []string{
			"service app-blue-svc, which is live, would send users to what is staged on deployment app-green",
			"first give the pods of its template that label, or users have no pod left",
			`kubectl patch deployment app-blue -n shop --type merge -p '{"spec":{"template":{"metadata":{"labels":{"version":"blue"}}}}}' && ` +
				`kubectl rollout status deployment app-blue -n shop && ` +
				`kubectl patch service app-blue-svc -n shop --type merge -p '{"spec":{"selector":{"version":"blue"}}}'`,
		}},
		{
			"a service for both colours, whose pods get the label now", side(func(s *track.Side) {
				s.Selector, s.MatchLabels = map[string]string{"app": "web"}, map[string]string{"app": "web"}
				s.Labels, s.ServiceColored = map[string]string{"app": "web", "version": "blue"}, false
			}), v1alpha1.ReasonSelector,
			[]string{"wait until every live pod has that label", "\nkubectl rollout status deployment app-blue -n shop && kubectl patch service"},
		},
		{"a service for both colours, whose pods have the label", side(func(s *track.Side) {
			s.Selector, s.MatchLabels = map[string]string{"app": "web"}, map[string]string{"app": "web"}
			s.Labels, s.RolledOut, s.ServiceColored = map[string]string{"app": "web", "version": "blue"}, true, false
		}), v1alpha1.ReasonSelector, []string{"every live pod has that label", "\nkubectl patch service app-blue-svc"}},
		{"a service that tells its colour by another label", func(bg *v1alpha1.BlueGreen, o *track.Observed, f *facts) {
			o.Sides[v1alpha1.Green] = track.Side{
				Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true,
				Selector: map[string]string{"app": "web", "slot": "b"}, MatchLabels: map[string]string{"app": "web", "slot": "b"},
			}
			side(func(s *track.Side) {
				s.Selector, s.MatchLabels = map[string]string{"app": "web", "slot": "a"}, map[string]string{"app": "web", "slot": "a"}
				s.Labels, s.ServiceColored = map[string]string{"app": "web", "slot": "a"}, false
			})(bg, o, f)
		}, "", nil},
		{"live pods that lack the label of the selector", side(func(s *track.Side) {
			s.Selector, s.MatchLabels = map[string]string{"app": "web", "version": "blue"}, map[string]string{"app": "web"}
			s.Labels, s.Unselected = map[string]string{"app": "web"}, []string{"app-blue-1", "app-blue-2"}
		}), v1alpha1.ReasonSelector, []string{
			"service app-blue-svc, which is live, does not select 2 ready pods of deployment app-blue, such as app-blue-1: it selects " +
				"app=web,version=blue",
			"Give the pods of its template the label that they lack",
			`kubectl patch deployment app-blue -n shop --type merge -p '{"spec":{"template":{"metadata":{"labels":{"version":"blue"}}}}}'`,
		}},
		{"live pods that the selector misses for another reason", side(func(s *track.Side) {
			s.Selector, s.Labels, s.Unselected = map[string]string{"app": "wbe"}, map[string]string{
				"app":     "web",
				"version": "blue",
			}, []string{"app-blue-1"}
		}), v1alpha1.ReasonSelector, []string{"it selects app=wbe", "kubectl edit service app-blue-svc -n shop"}},
		{
			"ambiguous container", side(func(s *track.Side) { s.Container, s.Containers = "", []string{"a", "b"} }), v1alpha1.ReasonContainer,
			[]string{"deployment app-blue", "[a b]", "spec.container"},
		},
		{"absent container", func(bg *v1alpha1.BlueGreen, o *track.Observed, f *facts) {
			bg.Spec.Container = "web"
			side(func(s *track.Side) { s.Container = "" })(bg, o, f)
		}, v1alpha1.ReasonContainer, []string{"deployment app-blue", "container web", "correct spec.container"}},
		{"ambiguous container in the target's own template", func(bg *v1alpha1.BlueGreen, o *track.Observed, _ *facts) {
			bg.Spec.Template = v1alpha1.TemplateOwn
			o.Sides[v1alpha1.Green] = track.Side{
				Color: v1alpha1.Green, Deployment: "app-green", DeploymentExists: true, ServiceExists: true,
				Containers: []string{"a", "b"},
			}
		}, v1alpha1.ReasonContainer, []string{"deployment app-green", "spec.template: Own", "[a b]", "spec.container"}},
		{"the target's own template is not asked for", func(_ *v1alpha1.BlueGreen, o *track.Observed, _ *facts) {
			o.Sides[v1alpha1.Green] = track.Side{
				Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true,
				Containers: []string{"a", "b"},
			}
		}, "", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			bg, o, f := judged()
			tt.change(bg, o, f)
			got := judge(bg, *o, *f)
			if got == nil {
				got = &obstacle{}
			}
			if got.reason != tt.reason {
				t.Errorf("the reason is %q (%s), want %q", got.reason, got.Text, tt.reason)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.Lines(), part) {
					t.Errorf("the message is %q, want in it %q", got.Lines(), part)
				}
			}
		})
	}
}

// awaitReason waits until the application's condition has a reason.
func (w *world) awaitReason(reason string) {
	w.t.Helper()
	w.until("the reason "+reason, func() bool { return readyCondition(w.application()).Reason == reason }, func() string {
		return "it is " + readyCondition(w.application()).Reason
	})
}

func TestConditionFollowsTheGrantByWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.grant("")
	w.run()
	rel := w.submit("a")
	w.awaitReason(v1alpha1.ReasonNotGranted)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseQueued)
	w.expectMessage(rel, "waits: namespace "+w.namespace+" is not granted")
	if n := w.source.asked(); n != 0 {
		t.Errorf("the source was asked %d times without a grant", n)
	}
	w.grant("acme/*")
	w.awaitReason(v1alpha1.ReasonReady)
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
}

func (w *world) grant(repositories string) {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.get(ns)
	ns.Annotations[v1alpha1.RepositoriesAnnotation] = repositories
	check(w.t, w.kube.Update(w.t.Context(), ns))
}

func TestConditionFollowsTheIngressByWatch(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	to := func(service string) func(*networkingv1.Ingress) {
		return func(i *networkingv1.Ingress) { i.Spec.Rules[0].HTTP.Paths[0].Backend.Service.Name = service }
	}
	w.editIngress(to("my-python-app-green-svc"))
	w.awaitReason(v1alpha1.ReasonMixedRoutes)
	w.editIngress(func(i *networkingv1.Ingress) {
		to("other-svc")(i)
		i.Spec.Rules = i.Spec.Rules[:1]
	})
	w.awaitReason(v1alpha1.ReasonNotRouted)
	check(t, w.kube.Delete(t.Context(), w.ingress()))
	w.awaitReason(v1alpha1.ReasonIngressMissing)
	w.create(w.ingress())
	w.awaitReason(v1alpha1.ReasonReady)
}

func TestTwoApplicationsMayNotShareAService(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.running(v1alpha1.Blue)
	w.running(v1alpha1.Green)
	w.run()
	w.awaitReason(v1alpha1.ReasonReady)
	other := &v1alpha1.BlueGreen{ObjectMeta: w.meta("other"), Spec: v1alpha1.BlueGreenSpec{
		Repository: repository, Build: v1alpha1.BuildSpec{Project: "acme-prod"},
		Green: v1alpha1.Side{Service: "my-python-app-blue-svc"},
	}}
	w.create(other)
	w.awaitReason(v1alpha1.ReasonServiceShared)
	check(t, w.kube.Delete(t.Context(), other))
	w.awaitReason(v1alpha1.ReasonReady)
}

func TestConditionIsWrittenWhileAReleaseActs(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.run(func(d *Deployer) { d.Record.RenewEvery, d.Record.StaleAfter = time.Hour, 2*time.Hour })
	w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	w.grant("")
	since := time.Now()
	w.awaitReason(v1alpha1.ReasonNotGranted)
	if took := time.Since(since); took > 5*time.Second {
		t.Errorf("it took %s: until the claim was renewed, which nothing here waits for", took)
	}
}
