package deployer

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/route"
)

// publish makes the public address: it answers as the live colour does. The
// answers name it as the version.
func (w *world) publish(answer func(live v1alpha1.Color, rw http.ResponseWriter)) {
	w.t.Helper()
	routes := &route.Router{Client: w.kube, Reader: w.kube}
	bg := w.application()
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		state, err := routes.Observe(r.Context(), bg)
		if err != nil {
			return
		}
		rw.Header().Set("App-Version", string(state.Live()))
		if answer != nil {
			answer(state.Live(), rw)
		}
	}))
	w.t.Cleanup(s.Close)
	w.setURL(s.URL)
}

// proofSpec changes how the public address is asked.
func (w *world) proofSpec(change func(*v1alpha1.ProofSpec)) {
	w.t.Helper()
	bg := w.application()
	change(&bg.Spec.Proof)
	check(w.t, w.kube.Update(w.t.Context(), bg))
}

func tellApart(s *v1alpha1.ProofSpec) { s.VersionHeader = "App-Version" }

func TestSwitchIsProvedByThePublicAddress(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(nil)
	w.proofSpec(tellApart)
	w.run(func(d *Deployer) { d.TakeUp = time.Hour }) // nothing but the new version tells
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	p, r := rel.Status.Proof, rel.Status.Route
	t.Log(p.Message)
	if p.Result != v1alpha1.ProofConfirmed || p.Failed != 0 || p.Baseline == nil || p.Baseline.Requests == 0 || p.Requests <= p.Baseline.Requests ||
		p.NewVersion != "green" || p.NewVersionAfter == nil || p.P99 == nil || !strings.Contains(p.Message, " 0 failed, p99 ") {
		t.Errorf("the proof is %+v, its baseline %+v", p, p.Baseline)
	}
	if r.TookEffectBy != v1alpha1.SignNewVersion || r.TookEffectAt == nil {
		t.Errorf("the route is %+v", r)
	}
	w.settled()
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	t.Log(back.Status.Proof.Message)
	if p := back.Status.Proof; p.Result != v1alpha1.ProofConfirmed || p.Failed != 0 || p.Requests == 0 {
		t.Errorf("the rollback's proof is %+v", p)
	}
}
