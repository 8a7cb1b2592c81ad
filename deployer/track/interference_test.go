package track

import (
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

func TestInterference(t *testing.T) {
	tests := []struct {
		name   string
		change func(*v1alpha1.Release, *Observed)
		want   bool
	}{
		{"nothing changed", func(*v1alpha1.Release, *Observed) {}, false},
		{"the ingress is gone", func(_ *v1alpha1.Release, o *Observed) { o.Routes.Exists = false }, true},
		{"the ingress is gone before there is a target", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.Target, o.Routes.Exists = "", false
		}, false},
		{"the ingress is gone after a failure", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Failure, o.Routes.Exists = &v1alpha1.Failure{}, false
		}, false},
		{"users are sent to both", func(_ *v1alpha1.Release, o *Observed) {
			o.Routes.Users = map[v1alpha1.Color][]Backend{v1alpha1.Blue: {{}}, v1alpha1.Green: {{}}}
		}, true},
		{"users are sent to neither", func(_ *v1alpha1.Release, o *Observed) { o.Routes.Users = nil }, true},
		{"the target's template is not known", func(_ *v1alpha1.Release, o *Observed) { o.Target.TemplateHash = "" }, false},
		{"someone deployed to the target, which its controller has not seen", func(_ *v1alpha1.Release, o *Observed) {
			o.Target.Image, o.Target.TemplateHash = "app:mine", ""
		}, true},
		{"someone deleted the target", func(_ *v1alpha1.Release, o *Observed) { o.Target = Side{Color: o.Target.Color} }, false},
		{"nothing is staged yet", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.Staged, o.Target.Image = nil, "app:mine"
		}, false},
		{"someone switched first", func(_ *v1alpha1.Release, o *Observed) { o.Routes = routesTo(v1alpha1.Green) }, true},
		{"our own switch, not yet recorded", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Routes = then(), routesTo(v1alpha1.Green)
		}, false},
		{"our own switch, recorded", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt, o.Routes = then(), then(), routesTo(v1alpha1.Green)
		}, false},
		{"someone switched back", func(r *v1alpha1.Release, _ *Observed) {
			r.Status.Milestones.SwitchIntendedAt, r.Status.Milestones.SwitchedAt = then(), then()
		}, true},
		{"someone deployed to the target", func(_ *v1alpha1.Release, o *Observed) { o.Target.Image = "app:mine" }, true},
		{"someone changed the target's template", func(_ *v1alpha1.Release, o *Observed) { o.Target.TemplateHash = "h9" }, true},
		{"someone changed the target after the switch", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.TemplateHash, o.Routes = then(), "h9", routesTo(v1alpha1.Green)
		}, false},
		{"someone changed the target between the intent and the patch", func(r *v1alpha1.Release, o *Observed) {
			r.Status.Milestones.SwitchIntendedAt, o.Target.TemplateHash = then(), "h9"
		}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, o := ready()
			tt.change(r, &o)
			if message, got := Interference(r, o); got != tt.want || (message != "") != tt.want {
				t.Errorf("interference = %v (%s), want %v", got, message, tt.want)
			}
		})
	}
}
