package deployer

import (
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Looks that nobody waits for give way only while many others are under way, only for a while, and
// not with news.
func TestLooksThatNobodyWaitsForGiveWay(t *testing.T) {
	t.Parallel()
	var c courtesy
	now := time.Now()
	app, other := client.ObjectKey{Name: "app"}, client.ObjectKey{Name: "other"}
	may := func(what string, app client.ObjectKey, awaited bool, at time.Time, want bool) func() {
		t.Helper()
		end, got := c.begin(app, awaited, at)
		if got != want {
			t.Fatalf("%s: it may begin: %t, want %t", what, got, want)
		}
		return end
	}
	var ends []func()
	for range crowd - 1 {
		ends = append(ends, may("one of a few", other, true, now, true))
	}
	may("not many are under way", app, false, now, true)()
	last := may("the last of many", other, true, now, true)
	may("many are under way", app, false, now, false)
	may("somebody waits for it", app, true, now, true)()
	may("it gives way", app, false, now, false)
	may("it still gives way", app, false, now.Add(longestGivingWay-1), false)
	may("it has given way for long", app, false, now.Add(longestGivingWay), true)()
	c.tell(app)
	may("it has news", app, false, now.Add(longestGivingWay), true)()
	may("it has none", app, false, now.Add(longestGivingWay), false)
	last()
	may("the last of many has ended", app, false, now.Add(longestGivingWay), true)()
	for _, end := range ends {
		end()
	}
	if c.urgent != 0 || len(c.since) != 0 || len(c.news) != 0 {
		t.Errorf("afterwards it keeps %d, %v, %v", c.urgent, c.since, c.news)
	}
}

func TestUsersWaitUntilTheyHaveMoved(t *testing.T) {
	t.Parallel()
	now := metav1.Now()
	switched := v1alpha1.ReleaseStatus{Phase: v1alpha1.ReleaseRunning, Milestones: v1alpha1.Milestones{SwitchedAt: &now}}
	failed, ended := *switched.DeepCopy(), *switched.DeepCopy()
	failed.Failure, ended.Phase = &v1alpha1.Failure{}, v1alpha1.ReleaseSucceeded
	cancel := v1alpha1.ReleaseSpec{Cancel: &v1alpha1.Cancel{}}
	for what, c := range map[string]struct {
		releases []v1alpha1.Release
		want     bool
	}{
		"no release":            {nil, false},
		"a new one":             {[]v1alpha1.Release{{}}, true},
		"users have moved":      {[]v1alpha1.Release{{Status: switched}}, false},
		"they are to go back":   {[]v1alpha1.Release{{Status: failed}}, true},
		"somebody cancelled it": {[]v1alpha1.Release{{Spec: cancel, Status: switched}}, true},
		"it has ended":          {[]v1alpha1.Release{{Status: ended}}, false},
		"another one waits":     {[]v1alpha1.Release{{Status: switched}, {}}, true},
	} {
		if got := awaited(c.releases); got != c.want {
			t.Errorf("%s: somebody waits: %t, want %t", what, got, c.want)
		}
	}
}
