package cutover

import (
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// A run passes only if it proves something, and if nothing went wrong.
func TestChaosIsChecked(t *testing.T) {
	good := func() ChaosReport {
		return ChaosReport{Effects: 1, Crashes: 1, Stalls: 1, Releases: 50, ClientRequests: 1, Takeover: 12}
	}
	if r := good(); r.Check(50) != nil {
		t.Errorf("a good run is refused: %v", r.Check(50))
	}
	for name, change := range map[string]func(*ChaosReport){
		"no effect":             func(r *ChaosReport) { r.Effects = 0 },
		"no crash":              func(r *ChaosReport) { r.Crashes = 0 },
		"no stall":              func(r *ChaosReport) { r.Stalls = 0 },
		"too few releases":      func(r *ChaosReport) { r.Releases = 49 },
		"no request":            func(r *ChaosReport) { r.ClientRequests = 0 },
		"a failed request":      func(r *ChaosReport) { r.ClientFailures = 1 },
		"nobody was seen to go": func(r *ChaosReport) { r.Takeover = 0 },
		"a late takeover":       func(r *ChaosReport) { r.Takeover = 20.1 },
		"something wrong":       func(r *ChaosReport) { r.Wrong = []string{"a release is lost"} },
	} {
		r := good()
		change(&r)
		if r.Check(50) == nil {
			t.Errorf("%s: the run passes", name)
		}
	}
}

// The longest time in which nobody led is that between two renewals, by whomever.
func TestTermsKeepTheLongestGap(t *testing.T) {
	epoch := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	terms := &terms{}
	for _, r := range []struct {
		holder string
		at     int
	}{{"a", 0}, {"a", 1}, {"a", 1}, {"", 2}, {"b", 13}, {"b", 14}} {
		at := metav1.NewMicroTime(epoch.Add(time.Duration(r.at) * time.Second))
		terms.look(&coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{HolderIdentity: &r.holder, RenewTime: &at}})
	}
	terms.look(&coordinationv1.Lease{})
	if got := terms.longest(); got != 12*time.Second {
		t.Errorf("nobody led for %s, want 12 s", got)
	}
}
