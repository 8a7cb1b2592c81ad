package deployer

import (
	"errors"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"k8s.io/client-go/rest"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/record"
)

// Rollbacks that many people ask for at the moment when a contract begins. Each reads the
// application and decides by it, as the bot does, but its release may be written much later. Either
// users go back and nothing runs, or the contract runs and nobody goes back.
func TestRollbacksAndAContractEndInOneOfTheTwo(t *testing.T) {
	t.Parallel()
	const people = 50
	const status = "PUT bluegreens/my-python-app/status"
	claim := func(what, body string) bool { // the claim, or another write of the application before the intent
		return what == status && strings.Contains(body, `"release":"my-python-app-contract-`) && !strings.Contains(body, `"intendedAt"`)
	}
	intent := func(what, body string) bool { return what == status && strings.Contains(body, `"intendedAt"`) }
	begun := func(what, _ string) bool { return what == "POST releases" }
	for name, c := range map[string]struct {
		// when is when the contract begins: on command, or by itself as soon as the hold is over.
		when v1alpha1.ContractTime
		// written is after which write of the deployer they write their releases; nil is without an
		// order.
		written func(what, body string) bool
		back    bool // users go back
	}{
		"before the intent":                     {v1alpha1.ContractOnCommand, claim, true},
		"after the intent":                      {v1alpha1.ContractOnCommand, intent, false},
		"at any time":                           {v1alpha1.ContractOnCommand, nil, false},
		"at the end of hold, before its claim":  {v1alpha1.ContractAfterHold, begun, true},
		"at the end of hold, before its intent": {v1alpha1.ContractAfterHold, claim, true},
		"at the end of hold, after its intent":  {v1alpha1.ContractAfterHold, intent, false},
		"at the end of hold, without any order": {v1alpha1.ContractAfterHold, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			byItself := c.when == v1alpha1.ContractAfterHold
			w := newWorld(t, contracts(c.when), holds(map[bool]time.Duration{true: time.Hour}[byItself]))
			w.confirmable()
			var all sync.WaitGroup
			asked := make(chan struct{}) // closed when they write
			ask := sync.OnceFunc(func() { close(asked) })
			cfg := rest.CopyConfig(w.cfg)
			cfg.Wrap(func(next http.RoundTripper) http.RoundTripper {
				return roundTripper(func(req *http.Request) (*http.Response, error) {
					resp, err := next.RoundTrip(req)
					if err == nil && resp.StatusCode < 300 && c.written != nil && c.written(describe(req), bodyOf(req)) {
						ask()
						all.Wait() // the deployer goes on when all are recorded
					}
					return resp, err
				})
			})
			w.runWith(cfg)
			w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
			if !byItself {
				w.awaitShrunk(v1alpha1.Blue)
			}
			w.settled()
			back := w.rollbackOfLast()
			for range people {
				all.Go(func() {
					<-asked
					if _, _, err := w.record().Submit(t.Context(), back.DeepCopy()); err != nil {
						t.Error(err)
					}
				})
			}
			contract := w.beginContract(byItself)
			if c.written == nil {
				ask()
			}
			contract = w.await(contract, "the contract ends", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
			all.Wait()
			back = w.await(back, "the rollback ends", func(r *v1alpha1.Release) bool { return r.Status.Phase.Finished() })
			w.settled()
			w.expectOneOfTwo(contract, back)
			if went := w.live() == v1alpha1.Blue; c.written != nil && went != c.back {
				t.Errorf("users went back: %v; the contract is %s: %s", went, contract.Status.Phase, contract.Status.Message)
			}
		})
	}
}

// beginContract lets the contract of commit a begin: by itself at the end of the hold, or on command.
func (w *world) beginContract(byItself bool) *v1alpha1.Release {
	w.t.Helper()
	if !byItself {
		return w.contract(1)
	}
	w.configure(`{"hold":"1ms"}`)
	return w.ofContract("a")
}

// expectOneOfTwo checks that either the contract or the rollback came through.
func (w *world) expectOneOfTwo(contract, back *v1alpha1.Release) {
	w.t.Helper()
	ran, closed := len(w.jobs()) > 0, w.schema().Contract
	switch w.live() {
	case v1alpha1.Blue:
		if ran || closed != nil || contract.Status.Phase != v1alpha1.ReleaseSuperseded || back.Status.Phase != v1alpha1.ReleaseSucceeded {
			w.t.Errorf("users went back by %s (%s), and the contract is %s, ran %v: %+v", back.Name, back.Status.Phase, contract.Status.Phase, ran,
				closed)
		}
	default:
		f := back.Status.Failure
		if !ran || closed == nil || contract.Status.Phase != v1alpha1.ReleaseSucceeded || f == nil || f.Reason != v1alpha1.FailedWayClosed {
			w.t.Errorf("users stayed; the contract is %s, ran %v: %+v; the rollback ended with %+v", contract.Status.Phase, ran, closed, f)
		}
	}
}

// rollbackOfLast is a rollback of the last switch, as somebody decided who read the application now.
func (w *world) rollbackOfLast() *v1alpha1.Release {
	w.t.Helper()
	bg := w.application()
	last := bg.Status.LastSwitch
	return &v1alpha1.Release{ObjectMeta: w.meta(v1alpha1.RollbackName(bg.Name, last.UID, 1)), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Rollback, Application: bg.Name,
		Rollback: &v1alpha1.RollbackSpec{From: last.To, To: *bg.Status.Previous, Switch: last.UID},
		Cause:    v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "octocat"},
	}}
}

// A look's releases come from a cache, which may lack a rollback that somebody has just been
// promised. So the intent asks the API server.
func TestTheIntentOfAContractLooksPastTheCache(t *testing.T) {
	t.Parallel()
	w := newWorld(t, contracts(v1alpha1.ContractOnCommand))
	w.pretendDeployed()
	bg := w.application()
	bg.Status.Live = &bg.Status.LastSwitch.To
	check(t, w.kube.Status().Update(t.Context(), bg))
	contract, back := w.contract(1), w.rollback()
	act := contractAct{record: w.record(), status: appStatus{record: w.record()}}
	stale := &work{log: slog.New(slog.DiscardHandler), bg: w.application(), before: w.application(), o: track.Observed{Now: time.Now()}}
	err := act.intend(t.Context(), stale.attempt(contract))
	if f, ok := errors.AsType[*fault](err); !ok || f.reason != v1alpha1.FailedRolledBack || f.about.release != back.Name {
		t.Errorf("with a rollback that only the API server knows, the intent ends with %v", err)
	}
	if s := w.schema(); s.Contract != nil {
		t.Errorf("it closed the way back: %+v", s.Contract)
	}

	// Without the rollback, an application that somebody wrote since is a lost race.
	check(t, w.kube.Delete(t.Context(), back))
	late := w.application()
	late.Status.Phase = "elsewhere"
	check(t, w.kube.Status().Update(t.Context(), late))
	if err := act.intend(t.Context(), stale.attempt(contract)); !errors.Is(err, record.ErrHeld) {
		t.Errorf("over another's write, the intent ends with %v", err)
	}
	if s := w.schema(); s.Contract != nil {
		t.Errorf("it closed the way back: %+v", s.Contract)
	}
}
