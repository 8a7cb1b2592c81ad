package deployer

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// Routes that were read beside an application may be older than what it records, if it was written
// since: then the switch that it records looks as if somebody had undone it.
func TestRoutesReadEarlyCountOnlyWhileTheApplicationIsUnchanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	routes := &route.Router{Client: w.kube, Reader: w.kube}
	workloads := &workload.Workloads{Client: w.kube, Reader: w.kube}
	o := observing{routes: routes, workloads: workloads, workers: workload.Workers{Workloads: workloads}}
	bg := w.application()
	begun := &early{bg: bg.DeepCopy(), routes: func() (track.Routes, error) { return track.Routes{Name: "early"}, nil }}
	read := func(bg *v1alpha1.BlueGreen, e *early) string {
		t.Helper()
		seen, err := o.application(t.Context(), bg, nil, e)
		check(t, err)
		return seen.Routes.Name
	}
	if got := read(bg, begun); got != "early" {
		t.Errorf("the routes of an unchanged application are of %s, not those that were read early", got)
	}
	change(w, w.application(), func(bg *v1alpha1.BlueGreen) { bg.Spec.HistoryLimit++ })
	for why, e := range map[string]*early{"was written since": begun, "was not in the cache": nil} {
		if got := read(w.application(), e); got != "my-python-app-ingress" {
			t.Errorf("the routes of an application that %s are of %s", why, got)
		}
	}
}

func TestFactsReadEarlyServeOnlyTheSwitchTheyWereReadFor(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		change func(e *early, rel *v1alpha1.Release)
		want   bool
	}{
		"the same":                  {func(*early, *v1alpha1.Release) {}, true},
		"nothing was read":          {func(e *early, _ *v1alpha1.Release) { e.facts = nil }, false},
		"another release":           {func(e *early, _ *v1alpha1.Release) { e.release = "other" }, false},
		"another colour":            {func(e *early, _ *v1alpha1.Release) { e.target = v1alpha1.Blue }, false},
		"too old":                   {func(e *early, _ *v1alpha1.Release) { e.began = e.began.Add(-earlyFor) }, false},
		"application written since": {func(e *early, _ *v1alpha1.Release) { e.bg.ResourceVersion = "0" }, false},
		"intent recorded": {func(_ *early, rel *v1alpha1.Release) {
			rel.Status.Milestones.SwitchIntendedAt = &metav1.Time{Time: time.Now()}
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &early{
				bg: &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{ResourceVersion: "1"}}, began: time.Now(),
				release: "a", target: v1alpha1.Green, facts: &switchFacts{},
			}
			rel := &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{UID: "a"}}
			rel.Status.Milestones.Target = v1alpha1.Green
			tt.change(e, rel)
			if got := e.forSwitch("1", rel) != nil; got != tt.want {
				t.Errorf("they serve: %v", got)
			}
		})
	}
}
