package track

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// judged is an application without obstacles.
func judged() (*v1alpha1.BlueGreen, *Observed, *ReadyFacts) {
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app", UID: "1"}}
	bg.Spec = v1alpha1.BlueGreenSpec{
		Repository: "acme/app", Build: v1alpha1.BuildSpec{Project: "acme-prod"}, ColorLabel: "version",
		Proof: v1alpha1.ProofSpec{Rate: 20},
	}
	o := &Observed{Routes: routesTo(v1alpha1.Blue), Sides: map[v1alpha1.Color]Side{
		v1alpha1.Green: {Color: v1alpha1.Green, Deployment: "app-green", Service: "app-green-svc"},
		v1alpha1.Blue: {
			Color: v1alpha1.Blue, Deployment: "app-blue", Service: "app-blue-svc", DeploymentExists: true, ServiceExists: true,
			Containers: []string{"app"}, Container: "app", ServiceColored: true, DeploymentColored: true,
		},
	}}
	return bg, o, &ReadyFacts{Grants: v1alpha1.Grants{v1alpha1.RepositoriesAnnotation: "acme/app", v1alpha1.ProjectsAnnotation: "acme-prod"}}
}

func TestConditionNamesTheObjectTheFieldAndTheWayOut(t *testing.T) {
	t.Parallel()
	side := func(change func(*Side)) func(*v1alpha1.BlueGreen, *Observed, *ReadyFacts) {
		return func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) {
			s := o.Sides[v1alpha1.Blue]
			change(&s)
			o.Sides[v1alpha1.Blue] = s
		}
	}
	spec := func(change func(*v1alpha1.BlueGreenSpec)) func(*v1alpha1.BlueGreen, *Observed, *ReadyFacts) {
		return func(bg *v1alpha1.BlueGreen, _ *Observed, _ *ReadyFacts) { change(&bg.Spec) }
	}
	tests := []struct {
		name   string
		change func(*v1alpha1.BlueGreen, *Observed, *ReadyFacts)
		reason string
		want   []string
	}{
		{"ready", func(*v1alpha1.BlueGreen, *Observed, *ReadyFacts) {}, "", nil},
		{"not granted", func(_ *v1alpha1.BlueGreen, _ *Observed, f *ReadyFacts) { f.Grants = nil }, v1alpha1.ReasonNotGranted, []string{
			"namespace shop is not granted acme/app, project acme-prod (spec.build.project)",
			"kubectl annotate --overwrite namespace shop turnout.dev/repositories=acme/app turnout.dev/projects=acme-prod",
		}},
		{
			"shared", func(_ *v1alpha1.BlueGreen, _ *Observed, f *ReadyFacts) {
				f.Sharing, f.Shared = "other", "app-blue-svc"
			},
			v1alpha1.ReasonServiceShared,
			[]string{"bluegreen other", "service app-blue-svc", "spec.blue.service"},
		},
		{
			"one service for both", spec(func(s *v1alpha1.BlueGreenSpec) { s.Green.Service = "app-blue-svc" }), v1alpha1.ReasonServiceShared,
			[]string{"app-blue-svc", "spec.green.service"},
		},
		{
			"no ingress", func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) { o.Routes = Routes{Name: "ing"} },
			v1alpha1.ReasonIngressMissing,
			[]string{"ingress ing", "namespace shop", "spec.ingress.name"},
		},
		{
			"mixed", func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) {
				o.Routes.Users[v1alpha1.Green] = []Backend{{Host: "a.example.com", Path: "/"}, {Path: "/x"}}
			}, v1alpha1.ReasonMixedRoutes,
			[]string{"ingress ing", "app-blue-svc", "a.example.com/ and 1 more to service app-green-svc", "kubectl edit ingress ing -n shop"},
		},
		{"not routed", func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) {
			o.Routes.Users = nil
		}, v1alpha1.ReasonNotRouted, []string{"ingress ing", "app-blue-svc", "app-green-svc", "spec.blue.service"}},
		{
			"host taken", func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) { o.Routes.HostTaken = "x.invalid" }, v1alpha1.ReasonStandbyHost,
			[]string{"ingress ing", "x.invalid", "spec.ingress.standbyHost"},
		},
		{
			"no service", side(func(s *Side) { s.ServiceExists = false }), v1alpha1.ReasonServiceMissing,
			[]string{"service app-blue-svc", "ingress ing", "create it"},
		},
		{"no deployment", func(bg *v1alpha1.BlueGreen, o *Observed, f *ReadyFacts) {
			o.Sides[v1alpha1.Green] = Side{Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true}
			side(func(s *Side) { s.DeploymentExists = false })(bg, o, f)
		}, v1alpha1.ReasonDeploymentMissing, []string{"deployment app-blue", "spec.blue.deployment"}},
		{
			"neither deployment", side(func(s *Side) { s.DeploymentExists = false }), v1alpha1.ReasonDeploymentMissing,
			[]string{"neither deployment app-blue nor deployment app-green", "create app-blue", "the other one is created from it"},
		},
		{
			"a service that cannot be copied", side(func(s *Side) { s.ServiceColored = false }), v1alpha1.ReasonServiceMissing,
			[]string{"service app-green-svc does not exist", "service app-blue-svc", "lacks version: blue", "create it"},
		},
		{
			"a deployment that cannot be copied", side(func(s *Side) { s.DeploymentColored = false }), v1alpha1.ReasonDeploymentMissing,
			[]string{"deployment app-green does not exist", "deployment app-blue", "lacks version: blue", "create it"},
		},
		{"a deployment that cannot be copied, and what it needs", side(func(s *Side) {
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
		{"nothing needs to be copied", func(bg *v1alpha1.BlueGreen, o *Observed, f *ReadyFacts) {
			o.Sides[v1alpha1.Green] = Side{Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true}
			side(func(s *Side) { s.DeploymentColored, s.ServiceColored = false, false })(bg, o, f)
		}, "", nil},
		{"a service for both colours, whose pods lack the label", side(func(s *Side) {
			s.Selector, s.MatchLabels, s.Labels = map[string]string{"app": "web"}, map[string]string{"app": "web"}, map[string]string{"app": "web"}
			s.RolledOut, s.ServiceColored = true, false
		}), v1alpha1.ReasonSelector, []string{
			"service app-blue-svc, which is live, would send users to what is staged on deployment app-green",
			"first give the pods of its template that label (or users have no pod left)",
			`kubectl patch deployment app-blue -n shop --type merge -p '{"spec":{"template":{"metadata":{"labels":{"version":"blue"}}}}}' && ` +
				`kubectl rollout status deployment app-blue -n shop && ` +
				`kubectl patch service app-blue-svc -n shop --type merge -p '{"spec":{"selector":{"version":"blue"}}}'`,
		}},
		{
			"a service for both colours, whose pods get the label now", side(func(s *Side) {
				s.Selector, s.MatchLabels = map[string]string{"app": "web"}, map[string]string{"app": "web"}
				s.Labels, s.ServiceColored = map[string]string{"app": "web", "version": "blue"}, false
			}), v1alpha1.ReasonSelector,
			[]string{"wait until every live pod has that label", "\nkubectl rollout status deployment app-blue -n shop && kubectl patch service"},
		},
		{"a service for both colours, whose pods have the label", side(func(s *Side) {
			s.Selector, s.MatchLabels = map[string]string{"app": "web"}, map[string]string{"app": "web"}
			s.Labels, s.RolledOut, s.ServiceColored = map[string]string{"app": "web", "version": "blue"}, true, false
		}), v1alpha1.ReasonSelector, []string{"every live pod has that label", "\nkubectl patch service app-blue-svc"}},
		{"a service that tells its colour by another label", func(bg *v1alpha1.BlueGreen, o *Observed, f *ReadyFacts) {
			o.Sides[v1alpha1.Green] = Side{
				Color: v1alpha1.Green, DeploymentExists: true, ServiceExists: true,
				Selector: map[string]string{"app": "web", "slot": "b"}, MatchLabels: map[string]string{"app": "web", "slot": "b"},
			}
			side(func(s *Side) {
				s.Selector, s.MatchLabels = map[string]string{"app": "web", "slot": "a"}, map[string]string{"app": "web", "slot": "a"}
				s.Labels, s.ServiceColored = map[string]string{"app": "web", "slot": "a"}, false
			})(bg, o, f)
		}, "", nil},
		{"live pods that lack the label of the selector", side(func(s *Side) {
			s.Selector, s.MatchLabels = map[string]string{"app": "web", "version": "blue"}, map[string]string{"app": "web"}
			s.Labels, s.Unselected = map[string]string{"app": "web"}, []string{"app-blue-1", "app-blue-2"}
		}), v1alpha1.ReasonSelector, []string{
			"service app-blue-svc, which is live, does not select 2 ready pods of deployment app-blue, such as app-blue-1: it selects " +
				"app=web,version=blue",
			"Give the pods of its template the label that they lack",
			`kubectl patch deployment app-blue -n shop --type merge -p '{"spec":{"template":{"metadata":{"labels":{"version":"blue"}}}}}'`,
		}},
		{"live pods that the selector misses for another reason", side(func(s *Side) {
			s.Selector, s.Labels, s.Unselected = map[string]string{"app": "wbe"}, map[string]string{
				"app":     "web",
				"version": "blue",
			}, []string{"app-blue-1"}
		}), v1alpha1.ReasonSelector, []string{"it selects app=wbe", "kubectl edit service app-blue-svc -n shop"}},
		{
			"ambiguous container", side(func(s *Side) { s.Container, s.Containers = "", []string{"a", "b"} }), v1alpha1.ReasonContainer,
			[]string{"deployment app-blue", "[a b]", "spec.container"},
		},
		{"absent container", func(bg *v1alpha1.BlueGreen, o *Observed, f *ReadyFacts) {
			bg.Spec.Container = "web"
			side(func(s *Side) { s.Container = "" })(bg, o, f)
		}, v1alpha1.ReasonContainer, []string{"deployment app-blue", "container web", "correct spec.container"}},
		{"an image that cannot be recorded", func(bg *v1alpha1.BlueGreen, o *Observed, f *ReadyFacts) {
			f.UnfitImage, f.ImageLimit = true, 512
			side(func(s *Side) { s.Image = "app:x" })(bg, o, f)
		}, v1alpha1.ReasonContainer, []string{"deployment app-blue", "container app", "5 bytes", "at most 512 bytes", "correct the image"}},
		{"ambiguous container in the target's own template", func(bg *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) {
			bg.Spec.Template = v1alpha1.TemplateOwn
			o.Sides[v1alpha1.Green] = Side{
				Color: v1alpha1.Green, Deployment: "app-green", DeploymentExists: true, ServiceExists: true,
				Containers: []string{"a", "b"},
			}
		}, v1alpha1.ReasonContainer, []string{"deployment app-green", "spec.template: Own", "[a b]", "spec.container"}},
		{"the target's own template is not asked for", func(_ *v1alpha1.BlueGreen, o *Observed, _ *ReadyFacts) {
			o.Sides[v1alpha1.Green] = Side{
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
			got := JudgeReady(bg, *o, *f)
			if got == nil {
				got = &Obstacle{}
			}
			if got.Reason != tt.reason {
				t.Errorf("the reason is %q (%s), want %q", got.Reason, got.Text, tt.reason)
			}
			for _, part := range tt.want {
				if !strings.Contains(got.Lines(), part) {
					t.Errorf("the message is %q, want in it %q", got.Lines(), part)
				}
			}
		})
	}
}
