package cutover

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/sandbox/bench/fault"
)

// A run passes only if it proves something, and if nothing went wrong.
func TestChaosIsChecked(t *testing.T) {
	good := func() ChaosReport {
		w := newWays()
		faults := map[string]int{}
		for _, way := range w.names() {
			faults[way] = 1
		}
		return ChaosReport{Effects: 1, Crashes: 1, Stalls: 1, Releases: 50, ClientRequests: 1, Takeover: 12, Faults: faults}
	}
	if r := good(); r.Check(50) != nil {
		t.Errorf("a good run is refused: %v", r.Check(50))
	}
	for name, change := range map[string]func(*ChaosReport){
		"no effect":                 func(r *ChaosReport) { r.Effects = 0 },
		"no crash":                  func(r *ChaosReport) { r.Crashes = 0 },
		"no stall":                  func(r *ChaosReport) { r.Stalls = 0 },
		"too few releases":          func(r *ChaosReport) { r.Releases = 49 },
		"no request":                func(r *ChaosReport) { r.ClientRequests = 0 },
		"a failed request":          func(r *ChaosReport) { r.ClientFailures = 1 },
		"nobody was seen to go":     func(r *ChaosReport) { r.Takeover = 0 },
		"a late takeover":           func(r *ChaosReport) { r.Takeover = 20.1 },
		"a way to fail was not met": func(r *ChaosReport) { delete(r.Faults, "load balancer: reply lost") },
		"something wrong":           func(r *ChaosReport) { r.Wrong = []string{"a release is lost"} },
	} {
		r := good()
		change(&r)
		if r.Check(50) == nil {
			t.Errorf("%s: the run passes", name)
		}
	}
}

// A lost release is counted once, as lost, whether it moved users late or never.
func TestALostReleaseIsNoDuplicate(t *testing.T) {
	l := &laneOf{expected: 3, lost: 1}
	for made, want := range map[int]bool{1: false, 2: true, 3: true, 4: false} {
		if got := l.asExpected(made); got != want {
			t.Errorf("%d moves of 3 releases, of which one is lost, are as expected: %v, want %v", made, got, want)
		}
	}
}

// No way to fail comes again before all others have come, and a seed has them in its own order.
func TestEachWayIsDealt(t *testing.T) {
	order := func(seed uint64) (dealt []fault.Kind) {
		w, rng := newWays(), rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // G404: to be run again
		for range 3 * len(w.kubernetes.all) {
			dealt = append(dealt, w.kubernetes.deal(rng))
		}
		return dealt
	}
	all := newWays().kubernetes.all
	for i, round := range slices.Collect(slices.Chunk(order(7), len(all))) {
		if len(slices.Compact(slices.Sorted(slices.Values(round)))) != len(all) {
			t.Errorf("round %d is %v, want each of %v", i+1, round, all)
		}
	}
	if !slices.Equal(order(7), order(7)) || slices.Equal(order(7), order(8)) {
		t.Error("the order is not the seed's")
	}
}

// Each API is hit in turn; the first fault of a kind waits until somebody meets it, and later ones pass.
func TestEachTargetIsHitAndFirstFaultsWait(t *testing.T) {
	w, rng := newWays(), rand.New(rand.NewPCG(7, 1)) //nolint:gosec // G404: to be run again
	hits := map[target]int{}
	for range 3 * len(targets()) {
		hits[w.targets.deal(rng)]++
	}
	for _, of := range targets() {
		if hits[of] < 3 {
			t.Errorf("target %d was hit %d times in three rounds", of, hits[of])
		}
	}
	if w.again("GitHub: hang") || !w.again("GitHub: hang") || w.again("GitHub: reply lost") {
		t.Error("a way's first time is not told from its later ones")
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
