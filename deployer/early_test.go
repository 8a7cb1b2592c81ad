package deployer

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

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
	release := func(uid types.UID, version string, phase v1alpha1.ReleasePhase) v1alpha1.Release {
		rel := v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{UID: uid, ResourceVersion: version}}
		rel.Status.Phase = phase
		return rel
	}
	running, finished := release("a", "7", v1alpha1.ReleaseRunning), release("b", "5", v1alpha1.ReleaseSucceeded)
	const anew = "my-python-app-ingress"
	later := *bg.DeepCopy()
	later.ResourceVersion += "0"
	begun := &early{
		bg: bg.DeepCopy(), releases: versionsOf([]v1alpha1.Release{running, finished}),
		routes: func() (track.Routes, error) { return track.Routes{Name: "early"}, nil },
	}
	for name, tt := range map[string]struct {
		bg       *v1alpha1.BlueGreen
		releases []v1alpha1.Release
		early    *early
		want     string
	}{
		"nothing changed":             {bg, []v1alpha1.Release{running, finished}, begun, "early"},
		"an old release was deleted":  {bg, []v1alpha1.Release{running}, begun, "early"},
		"it was written":              {&later, []v1alpha1.Release{running, finished}, begun, anew},
		"its release was written":     {bg, []v1alpha1.Release{release("a", "8", v1alpha1.ReleaseRunning), finished}, begun, anew},
		"its release ended":           {bg, []v1alpha1.Release{release("a", "8", v1alpha1.ReleaseSucceeded)}, begun, anew},
		"its release is gone":         {bg, nil, begun, anew},
		"another release came":        {bg, []v1alpha1.Release{running, release("c", "9", "")}, begun, anew},
		"it was not in the cache yet": {bg, []v1alpha1.Release{running}, nil, anew},
	} {
		seen, err := o.application(t.Context(), tt.bg, tt.releases, tt.early)
		check(t, err)
		if seen.Routes.Name != tt.want {
			t.Errorf("%s: the routes are those of %s, want %s", name, seen.Routes.Name, tt.want)
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
