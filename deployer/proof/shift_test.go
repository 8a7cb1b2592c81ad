package proof

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// While users are divided, both versions answer. What fails then is compared with the baseline,
// and what the old version fails is not the new one's.
func TestTallyWhileUsersAreDivided(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		answers string
		want    v1alpha1.ProofShift
		breach  bool
		result  v1alpha1.ProofResult
	}{
		"both answer": {
			answers: "20*o D 15*o 5*n | 9*n", result: v1alpha1.ProofConfirmed,
			want: v1alpha1.ProofShift{Requests: 20, Versions: []v1alpha1.ProofVersion{{Version: "v1", Requests: 15}, {Version: "v2", Requests: 5}}},
		},
		"the new one fails": {
			answers: "20*o D 40*o n503 40*o n503 40*o n503", breach: true, result: v1alpha1.ProofFailed,
			want: v1alpha1.ProofShift{Requests: 123, Failed: 3, NewFailures: 3, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 120}, {Version: "v2", Requests: 3, Failed: 3},
			}},
		},
		"it fails, but rarely": {
			answers: "20*o D n503 150*o n503 150*o n503", result: v1alpha1.ProofFailed,
			want: v1alpha1.ProofShift{Requests: 303, Failed: 3, NewFailures: 3, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 300}, {Version: "v2", Requests: 3, Failed: 3},
			}},
		},
		"nobody knows which one fails": {
			answers: "20*o D 3*x", breach: true, result: v1alpha1.ProofFailed,
			want: v1alpha1.ProofShift{Requests: 3, Failed: 3, NewFailures: 3},
		},
		"the old one fails": {
			answers: "20*o D 5*o503 5*n | 9*n", result: v1alpha1.ProofConfirmed,
			want: v1alpha1.ProofShift{Requests: 10, Failed: 5, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 5, Failed: 5}, {Version: "v2", Requests: 5},
			}},
		},
		"one of two that have one name fails": {
			answers: "20*o D A 40*o o503 40*o o503 40*o o503", breach: true, result: v1alpha1.ProofFailed,
			want: v1alpha1.ProofShift{Requests: 123, Failed: 3, NewFailures: 3, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 123, Failed: 3},
			}},
		},
		"two that have one name fail as often as before": {
			answers: "12*o 8*o503 D A 12*o 8*o503 | 9*n", result: v1alpha1.ProofConfirmed,
			want: v1alpha1.ProofShift{Requests: 20, Failed: 8, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 20, Failed: 8},
			}},
		},
		"as often as before": {
			answers: "12*o 8*503 D 12*o 8*503 5*n | 9*n", result: v1alpha1.ProofConfirmed,
			want: v1alpha1.ProofShift{Requests: 25, Failed: 8, Versions: []v1alpha1.ProofVersion{
				{Version: "v1", Requests: 12}, {Version: "v2", Requests: 5},
			}},
		},
		"its own trouble": {
			answers: "20*o D 5*u | 9*n", result: v1alpha1.ProofInconclusive, want: v1alpha1.ProofShift{Unseen: 5},
		},
	} {
		tally := play(t, tt.answers)
		r := tally.Read()
		if diff := cmp.Diff(&tt.want, r.Status.Shift); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if breach := r.ShiftBreach != ""; breach != tt.breach || r.Result() != tt.result {
			t.Errorf("%s: a breach: %v, the result %s, want %v and %s", name, breach, r.Result(), tt.breach, tt.result)
		}
		if r.Status.Baseline.Requests != 20 || r.Status.Requests > 29 {
			t.Errorf("%s: of %d requests %d are the baseline's", name, r.Status.Requests, r.Status.Baseline.Requests)
		}
		again := Resume(r.Status, time.Time{})
		again.Divide(began)
		if diff := cmp.Diff(r.Status.Shift, again.Read().Status.Shift); diff != "" {
			t.Errorf("%s, resumed (-before +after):\n%s", name, diff)
		}
	}
}

func TestSentenceOfADivision(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct{ answers, want string }{
		"confirmed": {
			"20*o D 15*o 5*n | 9*n",
			"29 requests, 0 failed, p99 30 ms; new version after 100 ms; while users were divided 20 requests, 0 failed: 15 by v1, 5 by v2",
		},
		"failed": {
			"20*o D 4*o 3*n503",
			"3 new failures while users were divided, of 7 requests: 4 by v1, 3 by v2 (3 failed); the last failure: n503",
		},
	} {
		r := play(t, tt.answers).Read()
		if got := r.As(r.Result()).Message; got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// One request a second while users are divided, and the usual rate again at once when they are
// switched.
func TestProberTakesItsTimeWhileUsersAreDivided(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var failing atomic.Bool
		s := open(t, func(rw http.ResponseWriter, r *http.Request) {
			if failing.Load() {
				rw.Header().Set("App-Version", "v2")
				fails(http.StatusServiceUnavailable)(rw, r)
				return
			}
			version("v1")(rw, r)
		})
		woken := atomic.Int32{}
		c := s.config()
		c.Wake = func() { woken.Add(1) }
		p := NewProber(t.Context(), c)
		defer p.Stop()
		p.TakeBaseline(5 * time.Second)
		time.Sleep(10 * time.Second)
		asked := func(d time.Duration) int32 {
			before := s.requests.Load()
			time.Sleep(d)
			synctest.Wait()
			return s.requests.Load() - before
		}
		p.Divide(time.Now())
		if n := asked(time.Minute); n < 59 || n > 61 {
			t.Errorf("%d requests in a minute", n)
		}
		failing.Store(true)
		asked(5 * time.Second)
		if r := p.Read(); woken.Load() != 1 || !strings.Contains(r.ShiftBreach, "503") {
			t.Errorf("woken %d times: %+v", woken.Load(), r)
		}
		p.Switch(time.Now())
		if n := asked(2 * time.Second); n < 39 {
			t.Errorf("%d requests in the 2 s after the switch", n)
		}
	})
}
