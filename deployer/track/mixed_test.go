package track

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Users go back to the version that all of them had before the release that moved some of them
// last, whichever releases came and went without moving anybody.
func TestMixedBack(t *testing.T) {
	t.Parallel()
	at := func(minute int) metav1.Time {
		return metav1.NewTime(time.Date(2026, 11, 26, 12, minute, 0, 0, time.UTC))
	}
	v := func(c v1alpha1.Color, image string) v1alpha1.Version { return v1alpha1.Version{Color: c, Image: image} }
	one, two, three := v(v1alpha1.Blue, "one"), v(v1alpha1.Green, "two"), v(v1alpha1.Blue, "three")
	deploy := func(uid string, minute int, change func(*v1alpha1.ReleaseStatus)) v1alpha1.Release {
		r := v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Deploy: &v1alpha1.DeploySpec{Commit: "c"}}}
		r.UID, r.Name = types.UID(uid), uid
		claimed := at(minute)
		r.Status = v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseError, Milestones: v1alpha1.Milestones{
			ClaimedAt: &claimed, Target: v1alpha1.Blue, Previous: &two, Staged: &v1alpha1.StagedMilestone{Image: "three"},
		}}
		change(&r.Status)
		return r
	}
	interfered := func(s *v1alpha1.ReleaseStatus) { s.Failure = &v1alpha1.Failure{Class: v1alpha1.FaultInterference} }
	kept := func(s *v1alpha1.ReleaseStatus) {
		now := at(9)
		s.Failure, s.Milestones.KeptAt = &v1alpha1.Failure{Class: v1alpha1.FaultCancelled}, &now
	}
	withdrawn := func(s *v1alpha1.ReleaseStatus) {
		now := at(9)
		s.Failure, s.Milestones.WithdrawnAt = &v1alpha1.Failure{Class: v1alpha1.FaultCancelled}, &now
	}
	unstaged := func(s *v1alpha1.ReleaseStatus) { interfered(s); s.Milestones.Staged = nil }
	running := func(s *v1alpha1.ReleaseStatus) { interfered(s); s.Phase = v1alpha1.ReleaseUndoing }
	// Users had one, and the last switch brought them to two.
	switched := &v1alpha1.SwitchRecord{UID: "two", Kind: "Deploy", At: at(1), From: one, To: two}
	undone := &v1alpha1.SwitchRecord{UID: "back", Kind: "Rollback", At: at(1), From: three, To: two}
	three.Commit, three.Release = "c", "three"
	toTwo := &v1alpha1.RollbackSpec{From: three, To: two, Switch: "three"}
	toOne := &v1alpha1.RollbackSpec{From: two, To: one, Switch: "two"}
	for name, tt := range map[string]struct {
		last     *v1alpha1.SwitchRecord
		previous *v1alpha1.Version
		releases []v1alpha1.Release
		want     *v1alpha1.RollbackSpec
	}{
		"nothing is recorded":                 {},
		"a deploy, and weights by hand":       {switched, &one, nil, toOne},
		"its own release":                     {switched, &one, []v1alpha1.Release{deploy("two", 1, interfered)}, toOne},
		"an interfered canary":                {switched, &one, []v1alpha1.Release{deploy("three", 3, interfered)}, toTwo},
		"one before any switch":               {nil, nil, []v1alpha1.Release{deploy("three", 3, interfered)}, toTwo},
		"a canary whose weights could not go": {switched, &one, []v1alpha1.Release{deploy("three", 3, kept)}, toTwo},
		"one that is not over":                {switched, &one, []v1alpha1.Release{deploy("three", 3, running)}, toOne},
		"one that was taken back":             {switched, &one, []v1alpha1.Release{deploy("three", 3, withdrawn)}, toOne},
		"one that had not staged anything":    {switched, &one, []v1alpha1.Release{deploy("three", 3, unstaged)}, toOne},
		"one before the last switch":          {switched, &one, []v1alpha1.Release{deploy("three", 0, interfered)}, toOne},
		"one, and another one that went well": {
			switched, &one, []v1alpha1.Release{deploy("four", 5, withdrawn), deploy("three", 3, interfered)}, toOne,
		},
		"two, in the order of their claims": {
			switched, &one, []v1alpha1.Release{deploy("three", 5, interfered), deploy("four", 3, interfered)}, toTwo,
		},
		"a rollback, and weights by hand":       {undone, nil, nil, &v1alpha1.RollbackSpec{From: undone.From, To: two, Switch: "back"}},
		"a deploy without a version before it":  {switched, nil, nil, nil},
		"an interfered canary after a rollback": {undone, nil, []v1alpha1.Release{deploy("three", 3, interfered)}, toTwo},
		"a rollback that did not move everybody": {
			switched, &one, []v1alpha1.Release{{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback}}}, toOne,
		},
	} {
		bg := &v1alpha1.BlueGreen{}
		bg.Status.LastSwitch, bg.Status.Previous = tt.last, tt.previous
		if diff := cmp.Diff(tt.want, MixedBack(bg, tt.releases)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// A colour that has users already takes the others as soon as it has enough pods that the load
// balancer knows.
func TestColourThatHasUsersIsWarmOnceItsPodsAreOldEnough(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	look := func(age time.Duration) WarmLook {
		return WarmLook{
			Now: now, LoadBalancer: v1alpha1.LoadBalancerGateway, Service: "svc", Rollback: true, Shared: true, Settle: 30 * time.Second,
			Pods: []Pod{{Name: "a", Ready: true, ReadySince: now.Add(-age)}}, Endpoints: []string{"a"}, Standby: ParentsWord{Text: "not yet"},
		}
	}
	if w := look(30 * time.Second).Judge(); !w.Warm {
		t.Errorf("it lacks %v", w.Lacking)
	}
	if w := look(20 * time.Second).Judge(); w.Warm || !w.Again.Equal(now.Add(10*time.Second)) {
		t.Errorf("a new pod: %+v", w)
	}
	gone := look(time.Hour)
	gone.Endpoints = nil
	if w := gone.Judge(); w.Warm {
		t.Errorf("without an endpoint: %+v", w)
	}
}

// While a rollback brings users together, the colour that they leave counts as live.
func TestColourThatUsersLeaveIsLiveUntilTheyAreTogether(t *testing.T) {
	t.Parallel()
	routes := Routes{Gateway: &Gateway{}, Users: map[v1alpha1.Color][]Backend{v1alpha1.Blue: {{}}, v1alpha1.Green: {{}}}}
	r := &v1alpha1.Release{Spec: v1alpha1.ReleaseSpec{Kind: v1alpha1.Rollback}}
	r.Status.Milestones.Target = v1alpha1.Blue
	if s := routes.DuringRelease(r); !s.Mixed() || s.Live() != "" {
		t.Errorf("a rollback that began on one colour: live is %q", s.Live())
	}
	r.Status.Route = &v1alpha1.RouteStatus{Mixed: true}
	if s := routes.DuringRelease(r); s.Mixed() || s.Live() != v1alpha1.Green {
		t.Errorf("one that found both: live is %q", s.Live())
	}
	at := metav1.Now()
	r.Status.Milestones.SwitchedAt = &at
	if s := routes.DuringRelease(r); !s.Mixed() || s.Live() != "" {
		t.Errorf("after its switch: live is %q", s.Live())
	}
}
