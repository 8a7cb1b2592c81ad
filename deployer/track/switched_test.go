package track

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// lastSwitch is a switch to green at [epoch], with a sign one minute later.
func lastSwitch(sign v1alpha1.Sign, change ...func(*v1alpha1.SwitchRecord)) *v1alpha1.SwitchRecord {
	took := metav1.NewTime(epoch.Add(time.Minute))
	s := &v1alpha1.SwitchRecord{
		UID: "u1", Kind: "Deploy", At: *then(), TookEffectAt: &took, TookEffectBy: sign, LoadBalancer: v1alpha1.LoadBalancerGCE,
		From: v1alpha1.Version{Color: v1alpha1.Blue}, To: v1alpha1.Version{Color: v1alpha1.Green},
	}
	for _, c := range change {
		c(s)
	}
	return s
}

func shrunk(s *v1alpha1.SwitchRecord)   { s.Shrunk = true }
func unsaid(s *v1alpha1.SwitchRecord)   { s.TookEffectAt = nil }
func restored(s *v1alpha1.SwitchRecord) { s.Kind = v1alpha1.KindRestore }

// unnoted is a record of a version that did not note the load balancer.
func unnoted(s *v1alpha1.SwitchRecord) { s.LoadBalancer = "" }
func other(s *v1alpha1.SwitchRecord)   { s.LoadBalancer = v1alpha1.LoadBalancerOther }

// overruled: somebody else moved users to blue after two minutes.
func overruled(s *v1alpha1.SwitchRecord) {
	s.OverruledAt, s.OverruledTo = &metav1.Time{Time: epoch.Add(2 * time.Minute)}, v1alpha1.Blue
}

func TestSwitchIsTakenUpByASignOnGooglesLoadBalancerOnly(t *testing.T) {
	const gce, elsewhere = v1alpha1.LoadBalancerGCE, v1alpha1.LoadBalancerOther
	for name, tt := range map[string]struct {
		last *v1alpha1.SwitchRecord
		now  v1alpha1.LoadBalancer
		want bool
	}{
		"there was none":                         {nil, gce, true},
		"by an event":                            {lastSwitch(v1alpha1.SignURLMap), gce, true},
		"by what the URL map says":               {lastSwitch(v1alpha1.SignURLMapRead), gce, true},
		"by an answer of the new version":        {lastSwitch(v1alpha1.SignNewVersion), gce, true},
		"by a person's word":                     {lastSwitch(v1alpha1.SignPerson), gce, true},
		"a time is no sign":                      {lastSwitch(v1alpha1.SignWait), gce, false},
		"nothing was seen":                       {lastSwitch("", unsaid), gce, false},
		"a sign without its time":                {lastSwitch(v1alpha1.SignURLMap, unsaid), gce, false},
		"elsewhere":                              {lastSwitch(v1alpha1.SignWait, other), elsewhere, true},
		"elsewhere, nothing seen":                {lastSwitch("", unsaid, other), elsewhere, true},
		"made elsewhere, and Google's now":       {lastSwitch(v1alpha1.SignWait, other), gce, false},
		"made on Google's, and elsewhere now":    {lastSwitch(v1alpha1.SignWait), elsewhere, false},
		"an old record of a colour that is held": {lastSwitch("", unsaid, unnoted), gce, false},
		"an old record, closed":                  {lastSwitch("", unsaid, unnoted, shrunk), gce, true},
		"an old record, closed, and overruled":   {lastSwitch("", unsaid, unnoted, shrunk, overruled), gce, false},
		"a record of today, shrunk":              {lastSwitch("", unsaid, shrunk), gce, false},
	} {
		if got := SwitchTakenUp(tt.last, tt.now); got != tt.want {
			t.Errorf("%s: taken up is %v, want %v", name, got, tt.want)
		}
	}
}

func TestRoutesAreThoseOfWhoMovedUsersLast(t *testing.T) {
	last := lastSwitch(v1alpha1.SignURLMap)
	if !RoutedSince(last).Equal(epoch) || RoutedTo(last) != v1alpha1.Green {
		t.Errorf("routed to %s since %s", RoutedTo(last), RoutedSince(last))
	}
	last = lastSwitch(v1alpha1.SignURLMap, overruled)
	if !RoutedSince(last).Equal(epoch.Add(2*time.Minute)) || RoutedTo(last) != v1alpha1.Blue {
		t.Errorf("overruled: users have been on %s since %s", RoutedTo(last), RoutedSince(last))
	}
}

// heldFor is an application with this last switch, a drain of 5 minutes, and a hold of so many.
func heldFor(minutes int, last *v1alpha1.SwitchRecord) *v1alpha1.BlueGreen {
	bg := &v1alpha1.BlueGreen{}
	bg.Spec.Drain = &metav1.Duration{Duration: 5 * time.Minute}
	bg.Spec.Hold = &metav1.Duration{Duration: time.Duration(minutes) * time.Minute}
	bg.Status.LastSwitch = last
	return bg
}

func TestColourIsShrunkAfterDrainAndHold(t *testing.T) {
	onGoogle := func(c ...v1alpha1.Color) Routes {
		r := Routes{Exists: true, LoadBalancer: v1alpha1.LoadBalancerGCE, Users: map[v1alpha1.Color][]Backend{}}
		for _, c := range c {
			r.Users[c] = []Backend{{}}
		}
		return r
	}
	for name, tt := range map[string]struct {
		last   *v1alpha1.SwitchRecord
		hold   int
		routes Routes
		after  int // minutes after the switch; 0: not at all
	}{
		"nothing was left":               {nil, 15, onGoogle(v1alpha1.Green), 0},
		"held, from when it took effect": {lastSwitch(v1alpha1.SignURLMap), 15, onGoogle(v1alpha1.Green), 16},
		"drained for longer than held":   {lastSwitch(v1alpha1.SignURLMap), 1, onGoogle(v1alpha1.Green), 6},
		"held for nobody after a restore": {
			lastSwitch(v1alpha1.SignURLMap, restored), 15, onGoogle(v1alpha1.Green), 6,
		},
		"shrunk":                      {lastSwitch(v1alpha1.SignURLMap, shrunk), 15, onGoogle(v1alpha1.Green), 0},
		"not known to be taken up":    {lastSwitch(v1alpha1.SignWait), 15, onGoogle(v1alpha1.Green), 0},
		"users are sent to neither":   {lastSwitch(v1alpha1.SignURLMap), 15, onGoogle(), 0},
		"users are sent to both":      {lastSwitch(v1alpha1.SignURLMap), 15, onGoogle(v1alpha1.Green, v1alpha1.Blue), 0},
		"overruled after it took up":  {lastSwitch(v1alpha1.SignURLMap, overruled), 15, onGoogle(v1alpha1.Blue), 17},
		"elsewhere, no sign is known": {lastSwitch("", unsaid, other), 15, routesTo(v1alpha1.Green), 15},
	} {
		at, open := ShrinkAt(heldFor(tt.hold, tt.last), tt.routes)
		want := time.Time{}
		if tt.after > 0 {
			want = epoch.Add(time.Duration(tt.after) * time.Minute)
		}
		if open != (tt.after > 0) || !at.Equal(want) {
			t.Errorf("%s: shrunk at %s, open %v; want %s", name, at, open, want)
		}
	}
}

func TestTargetIsLeftAloneUntilItHasDrained(t *testing.T) {
	for name, tt := range map[string]struct {
		last    *v1alpha1.SwitchRecord
		target  v1alpha1.Color
		release string
		after   int // minutes after the switch; 0: it may be touched
	}{
		"users never left it":          {nil, v1alpha1.Blue, "u2", 0},
		"users left it":                {lastSwitch(v1alpha1.SignURLMap), v1alpha1.Blue, "u2", 6},
		"users left the other one":     {lastSwitch(v1alpha1.SignURLMap), v1alpha1.Green, "u2", 0},
		"by this very release":         {lastSwitch(v1alpha1.SignURLMap), v1alpha1.Blue, "u1", 0},
		"somebody sent them elsewhere": {lastSwitch(v1alpha1.SignURLMap, overruled), v1alpha1.Green, "u2", 7},
	} {
		want := time.Time{}
		if tt.after > 0 {
			want = epoch.Add(time.Duration(tt.after) * time.Minute)
		}
		if got := DrainedAt(heldFor(15, tt.last), tt.target, tt.release); !got.Equal(want) {
			t.Errorf("%s: drained at %s, want %s", name, got, want)
		}
	}
}
