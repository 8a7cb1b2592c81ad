package deployer

import (
	"fmt"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Whoever may write releases may write endless rollbacks. Only one that brings users back cancels
// a current look, and only once.
func TestForgedRollbacksDoNotKeepALookFromItsEnd(t *testing.T) {
	t.Parallel()
	from := v1alpha1.Version{Color: v1alpha1.Green, Image: "app@sha256:new"}
	to := v1alpha1.Version{Color: v1alpha1.Blue, Image: "app@sha256:old"}
	bg := &v1alpha1.BlueGreen{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "app"}}
	bg.Status.LastSwitch = &v1alpha1.SwitchRecord{Release: "app-1", UID: "last", Kind: "Deploy", From: to, To: from}
	rollback := func(uid, of string, to v1alpha1.Version) *v1alpha1.Release {
		return &v1alpha1.Release{ObjectMeta: metav1.ObjectMeta{Name: uid, UID: types.UID(uid)}, Spec: v1alpha1.ReleaseSpec{
			Kind: v1alpha1.Rollback, Application: "app", Rollback: &v1alpha1.RollbackSpec{From: from, To: to, Switch: of},
		}}
	}
	active := v1alpha1.Release{
		ObjectMeta: metav1.ObjectMeta{Name: "active", UID: "active"},
		Spec:       v1alpha1.ReleaseSpec{Kind: v1alpha1.Deploy, Application: "app"},
	}
	other := v1alpha1.Version{Color: v1alpha1.Blue, Image: "evil@sha256:x"}
	now := time.Now()
	for _, tt := range []struct {
		name  string
		knows []v1alpha1.Release
		asked []*v1alpha1.Release
		want  int // looks cancelled in a row
	}{
		{"what the last switch recorded", nil, []*v1alpha1.Release{rollback("r", "last", to)}, 1},
		{"known", []v1alpha1.Release{*rollback("r", "last", to)}, []*v1alpha1.Release{rollback("r", "last", to)}, 0},
		{
			"one of many",
			[]v1alpha1.Release{*rollback("r", "last", to)},
			[]*v1alpha1.Release{rollback("s", "last", to), rollback("t", "last", to)},
			0,
		},
		{"behind forged ones", []v1alpha1.Release{*rollback("x", "last", other)}, []*v1alpha1.Release{rollback("r", "last", to)}, 1},
		{"to another image", nil, []*v1alpha1.Release{rollback("x", "last", other), rollback("y", "last", other)}, 0},
		{"of another switch", nil, []*v1alpha1.Release{rollback("x", "any", to), rollback("y", "other", to)}, 0},
		{"of what may have switched since", []v1alpha1.Release{active}, []*v1alpha1.Release{rollback("r", "active", to)}, 1},
		{
			"and many of it",
			[]v1alpha1.Release{active},
			[]*v1alpha1.Release{rollback("r", "active", other), rollback("s", "active", other), rollback("t", "active", other)},
			1,
		},
		{
			"a true one after those",
			[]v1alpha1.Release{active},
			[]*v1alpha1.Release{rollback("x", "active", other), rollback("y", "active", other), rollback("r", "last", to)},
			2,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var l looks
			cancelled := 0
			for i, rel := range tt.asked {
				ctx, end := l.begin(t.Context(), keyOf(bg))
				l.know(bg, tt.knows)
				l.interrupt(keyOf(bg), rel, now.Add(time.Duration(i)*time.Second))
				if ctx.Err() != nil {
					cancelled++
				}
				end()
			}
			if cancelled != tt.want {
				t.Errorf("%d looks were cancelled, want %d", cancelled, tt.want)
			}
		})
	}
	// Before it has read anything, a look cannot judge; that takes only a moment.
	var l looks
	var got []bool
	for _, after := range []time.Duration{0, time.Second, unclearPause} {
		ctx, end := l.begin(t.Context(), keyOf(bg))
		l.interrupt(keyOf(bg), rollback("r", "last", to), now.Add(after))
		got = append(got, ctx.Err() != nil)
		end()
	}
	if want := "[true false true]"; fmt.Sprint(got) != want {
		t.Errorf("cancelled %v, want %s", got, want)
	}
}
