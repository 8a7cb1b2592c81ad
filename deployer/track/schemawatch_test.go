package track

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Between releases, the live version is watched as long as a changed schema may be what hurts it and
// the previous one is held.
func TestWatchesSchema(t *testing.T) {
	t.Parallel()
	at := func(d time.Duration) metav1.Time { return metav1.NewTime(t0.Add(d)) }
	held := func(change ...func(*v1alpha1.BlueGreenStatus)) *v1alpha1.BlueGreen {
		bg := &v1alpha1.BlueGreen{Spec: v1alpha1.BlueGreenSpec{Soak: &metav1.Duration{Duration: time.Minute}}}
		bg.Status.LastSwitch = &v1alpha1.SwitchRecord{
			Release: "new", UID: "uid", Kind: "Deploy", At: at(-time.Minute),
			From: v1alpha1.Version{Color: v1alpha1.Blue, Release: "old"}, To: v1alpha1.Version{Color: v1alpha1.Green, Release: "new"},
		}
		bg.Status.Schema = &v1alpha1.SchemaStatus{Expanded: []v1alpha1.SchemaChange{{Release: "new"}}}
		for _, c := range change {
			c(&bg.Status)
		}
		return bg
	}
	contracted := func(ended time.Duration) func(*v1alpha1.BlueGreenStatus) {
		return func(s *v1alpha1.BlueGreenStatus) {
			end := at(ended)
			s.LastSwitch.Shrunk = true
			s.Schema.Contract = &v1alpha1.ContractStatus{Release: "contract", UID: "c", EndedAt: &end}
		}
	}
	migrates := func(phase v1alpha1.ReleasePhase, ended bool) []v1alpha1.Release {
		now := at(0)
		r := v1alpha1.Release{}
		r.Status.Phase, r.Status.Migration = phase, &v1alpha1.MigrationStatus{Job: "job", ResumedAt: &now}
		if ended {
			r.Status.Migration.EndedAt = &now
		}
		return []v1alpha1.Release{r}
	}
	for name, c := range map[string]struct {
		bg       *v1alpha1.BlueGreen
		live     v1alpha1.Color
		releases []v1alpha1.Release
		about    string // of the watch; "" for none
	}{
		"until the end of hold": {bg: held(), about: "hold uid Deploy"},
		"after the hold":        {bg: held(func(s *v1alpha1.BlueGreenStatus) { s.LastSwitch.Shrunk = true })},
		"without a migration":   {bg: held(func(s *v1alpha1.BlueGreenStatus) { s.Schema.Expanded[0].Release = "other" })},
		"without any":           {bg: held(func(s *v1alpha1.BlueGreenStatus) { s.Schema = nil })},
		"back from it": {
			bg: held(func(s *v1alpha1.BlueGreenStatus) {
				s.LastSwitch.Release, s.LastSwitch.Kind, s.LastSwitch.From.Release = "back", "Rollback", "new"
			}),
			about: "hold uid Rollback",
		},
		"somebody else moved users": {bg: held(), live: v1alpha1.Blue},
		"after a contract":          {bg: held(contracted(-time.Second)), about: "contract c"},
		"long after a contract":     {bg: held(contracted(-time.Minute))},
		"users moved since a contract": {bg: held(contracted(-50*time.Second), func(s *v1alpha1.BlueGreenStatus) {
			s.LastSwitch.At = at(-10 * time.Second)
		})},
		"a migration of a cancelled release": {
			bg: held(contracted(-time.Hour)), releases: migrates(v1alpha1.ReleaseCancelled, false), about: "runs job green",
		},
		"it has ended":                  {bg: held(contracted(-time.Hour)), releases: migrates(v1alpha1.ReleaseCancelled, true)},
		"its release watches by itself": {bg: held(contracted(-time.Hour)), releases: migrates(v1alpha1.ReleaseRunning, false)},
	} {
		live := c.live
		if live == "" {
			live = v1alpha1.Green
		}
		got, due := WatchesSchema(c.bg, routesTo(live), c.releases, t0)
		if got.About != c.about || due != (c.about != "") {
			t.Errorf("%s: watches %v, %+v", name, due, got)
		}
	}
}
