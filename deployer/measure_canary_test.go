package deployer

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"github.com/google/go-cmp/cmp"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/cloudbuild/cloudbuildtest"
	"github.com/turnout-dev/turnout/deployer/route"
)

// publishShares starts the public address of a Gateway's world: while users are divided, every
// second request reaches green, whose answer is given.
func (w *world) publishShares(green http.HandlerFunc) *atomic.Int32 {
	w.t.Helper()
	routes, bg, turn := &route.Router{Client: w.kube, Reader: w.kube}, w.application(), &atomic.Int32{}
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		state, err := routes.Observe(r.Context(), bg)
		if err != nil {
			return
		}
		share, _ := state.Share(v1alpha1.Green)
		if n := turn.Add(1); share == 100 || share > 0 && n%2 == 0 {
			rw.Header().Set("App-Version", "green")
			green(rw, r)
			return
		}
		rw.Header().Set("App-Version", "blue")
	}))
	w.t.Cleanup(s.Close)
	w.setURL(s.URL)
	w.proofSpec(func(s *v1alpha1.ProofSpec) {
		s.VersionHeader, s.Baseline = "App-Version", duration(2*time.Second) // enough for a request on a busy machine
	})
	return turn
}

// While users are divided the public address is asked on, and its answers are counted by version.
func TestPublicAddressIsMeasuredWhileUsersAreDivided(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5, 25), untilPromote)
	w.publishShares(func(http.ResponseWriter, *http.Request) {})
	w.run()
	rel := w.await(w.submit("a"), "a person at 5 %", waitsAt(5))
	before := rel.Status.Proof.Baseline.Requests
	w.awaitAsked(rel, func(p v1alpha1.ProofShift) bool { return len(p.Versions) == 2 })
	w.promoteTo(rel, 100)
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	p := rel.Status.Proof
	if p.Result != v1alpha1.ProofConfirmed || p.Shift == nil || p.Shift.Failed+p.Shift.NewFailures+p.Shift.Unseen != 0 ||
		!strings.Contains(p.Message, "; while users were divided ") {
		t.Fatalf("the proof is %+v, while users were divided: %+v", p, p.Shift)
	}
	if len(p.Shift.Versions) != 2 || p.Shift.Versions[0].Version != "blue" || p.Shift.Versions[1].Version != "green" {
		t.Errorf("the versions are %+v", p.Shift.Versions)
	}
	if p.Baseline.Requests != before || len(p.Baseline.Versions) != 1 || p.NewVersion != "green" {
		t.Errorf("the baseline is %+v, it had %d requests before the first weight", p.Baseline, before)
	}
}

// awaitAsked waits for what a release has recorded of the public address while users are divided.
func (w *world) awaitAsked(rel *v1alpha1.Release, good func(v1alpha1.ProofShift) bool) *v1alpha1.Release {
	w.t.Helper()
	return w.await(rel, "answers while users are divided", func(r *v1alpha1.Release) bool {
		return r.Status.Proof != nil && r.Status.Proof.Shift != nil && good(*r.Status.Proof.Shift)
	})
}

// The new version fails users, which no probe of its pods shows. They go back, and the report
// says what was seen.
func TestCanaryThatFailsAtThePublicAddressIsWithdrawn(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(25, 25), func(bg *v1alpha1.BlueGreen) {
		bg.Spec.Gate.Interval = metav1.Duration{Duration: 100 * time.Millisecond}
	})
	w.publishShares(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(http.StatusServiceUnavailable) })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
	if f := rel.Status.Failure; f.Reason != v1alpha1.FailedPublicAddress || f.Step != v1alpha1.StepShift ||
		!strings.Contains(f.Message, "since the new version has users") || !strings.Contains(f.Message, "503") {
		t.Errorf("the failure is %+v", f)
	}
	if p := rel.Status.Proof; p == nil || p.Result != v1alpha1.ProofFailed || p.Shift.NewFailures < 3 ||
		!strings.Contains(p.Message, "new failures while users were divided") {
		t.Errorf("the proof is %+v", p)
	}
	w.expectOnGateway(v1alpha1.Blue, 4)
	w.expectSizes(1, 0)
}

// The process that measured has ended: the next one continues with the same baseline, which only
// the old version answered.
func TestNextProcessGoesOnMeasuringWhileUsersAreDivided(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 5), untilPromote)
	turn := w.publishShares(func(http.ResponseWriter, *http.Request) {})
	stop := w.run(quick("first"))
	rel := w.await(w.submit("a"), "a person at 5 %", waitsAt(5))
	rel = w.awaitAsked(rel, func(p v1alpha1.ProofShift) bool { return p.Requests > 0 })
	stop()
	asked, counted := turn.Load(), rel.Status.Proof.Shift.Requests
	w.run(quick("second"))
	rel = w.awaitAsked(rel, func(p v1alpha1.ProofShift) bool { return p.Requests > counted })
	if turn.Load() <= asked {
		t.Error("nobody asked")
	}
	w.promoteTo(rel, 100)
	p := w.awaitPhase(rel, v1alpha1.ReleaseSucceeded).Status.Proof
	if p.Result != v1alpha1.ProofInterrupted || p.Shift.NewFailures != 0 || p.NewVersion != "green" || len(p.Baseline.Versions) != 1 {
		t.Errorf("the proof is %+v, while users were divided: %+v, the baseline %+v", p, p.Shift, p.Baseline)
	}
}

// Not every commit changes what an application names as its version, or its image at all. What the
// new version fails then names the old one.
func TestCanaryThatNamesItselfAsBeforeIsWithdrawnAllTheSame(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(w *world){
		"one version": func(w *world) { w.runWith(w.podsName("blue")) },
		"one image": func(w *world) {
			w.build = func(ctx context.Context, b *cloudbuildpb.Build) (cloudbuildtest.Result, error) {
				r, err := cloudbuildtest.Digests(ctx, b)
				_, digest, _ := strings.Cut(imageID(w.blueImage()), "@")
				for i := range r.Images {
					r.Images[i].Digest = digest
				}
				return r, err
			}
			w.run() // no pod can be asked
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := newGatewayWorld(t, steps(25, 25))
			w.publishShares(func(rw http.ResponseWriter, _ *http.Request) {
				rw.Header().Set("App-Version", "blue")
				rw.WriteHeader(http.StatusServiceUnavailable)
			})
			run(w)
			rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseFailed)
			if f := rel.Status.Failure; f.Reason != v1alpha1.FailedPublicAddress || f.Step != v1alpha1.StepShift ||
				!strings.Contains(f.Message, "both versions name themselves alike") || !strings.Contains(f.Message, "503") {
				t.Errorf("the failure is %+v", f)
			}
			w.expectOnGateway(v1alpha1.Blue, 4)
		})
	}
}

// A process ends between the switch's intent and its patch. The next one keeps what the division
// showed, and takes no answer from then for the baseline's.
func TestNextProcessKeepsTheDivisionAtTheSwitch(t *testing.T) {
	t.Parallel()
	w, _ := newGatewayWorld(t, steps(0, 25), untilPromote)
	turn := w.publishShares(func(http.ResponseWriter, *http.Request) {})
	stop := w.run(quick("first"))
	rel := w.await(w.submit("a"), "a person at 25 %", waitsAt(25))
	before := *rel.Status.Proof.Baseline
	rel = w.awaitAsked(rel, func(p v1alpha1.ProofShift) bool { return len(p.Versions) == 2 })
	lift := w.deny("gateway.networking.k8s.io", "httproutes",
		"!object.spec.rules[0].backendRefs.exists(r, r.name.endsWith('green-svc') && has(r.weight) && r.weight == 100)", "nobody switches now",
		func(w *world) client.Object {
			u := w.readRoute("shop")
			refs := u.Object["spec"].(map[string]any)["rules"].([]any)[0].(map[string]any)["backendRefs"].([]any)
			refs[1].(map[string]any)["weight"] = int64(100)
			return u
		})
	w.promoteTo(rel, 100)
	rel = w.await(rel, "the refusal", func(r *v1alpha1.Release) bool {
		return r.Status.Milestones.SwitchIntendedAt != nil && strings.Contains(r.Status.Message, "nobody switches now")
	})
	stop()
	asked, counted := turn.Load(), rel.Status.Proof.Shift.Requests
	w.run(quick("second"))
	w.until("answers of both versions", func() bool { return turn.Load() >= asked+8 }, func() string { return "nobody asks" })
	w.get(rel)
	if p := rel.Status.Proof; p.Shift == nil || p.Shift.Requests < counted {
		t.Errorf("%d answers were counted while users were divided, and now %+v", counted, p.Shift)
	}
	lift()
	p := w.awaitPhase(rel, v1alpha1.ReleaseSucceeded).Status.Proof
	if p.Shift == nil || p.Shift.Requests < counted || len(p.Shift.Versions) != 2 || p.NewVersion != "green" {
		t.Errorf("the proof is %+v, while users were divided: %+v", p, p.Shift)
	}
	if diff := cmp.Diff(before, *p.Baseline); diff != "" {
		t.Errorf("the baseline (-before the first weight +now):\n%s", diff)
	}
}
