package scenario

import (
	"context"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Two versions are given to users in steps: the first is taken back by a comment while it
// has a quarter of them, the second gets all when somebody promotes it, once the application
// is no longer locked.
func TestPeopleTakeACanaryBackAndLetAnotherGoOn(t *testing.T) {
	t.Parallel()
	a := behindGateway{namespace: "canary-steps", spec: map[string]any{"canary": steps(step{25, "1h"})}}.adopt(t)
	a.awaitGateway("v1.0.0")
	users := a.visited()
	bad := a.merge("Greet a quarter", map[string]string{"VERSION": "v1.3.0\n"})
	a.follow(bad, "a quarter of the users", hasWeight(25))
	expectWeights(t, a, "while some users have it", "blue 75 green 25")
	a.awaitShared("v1.0.0", "v1.3.0")
	if live := a.blueGreen().Status.Live; live == nil || live.Color != v1alpha1.Blue {
		t.Errorf("while green has a quarter of the users, live is %+v", live)
	}
	a.comment(bad.Number, running.writer, "/rollback")
	a.awaitComment(bad.Number, "some users have seen it, and go back")
	rel := a.follow(bad, "the end of the canary", in(v1alpha1.ReleaseCancelled))
	if m := rel.Status.Milestones; m.WithdrawnAt == nil || m.WithdrawnAt.Sub(rel.LastWeight().EffectiveAt.Time) < 0 {
		t.Errorf("it ended with %+v after %+v", m, rel.LastWeight())
	}
	expectWeights(t, a, "after the rollback", "blue 100 green 0")
	a.awaitGateway("v1.0.0")

	a.change(a.blueGreen(), `{"spec":{"canary":{"steps":[{"weight":10,"for":"2s"},{"weight":50,"until":"Promote"}]}}}`)
	good := a.merge("Greet in steps", map[string]string{"VERSION": "v1.4.0\n"})
	a.follow(good, "to wait for an approval", in(v1alpha1.ReleaseWaiting)) // it contains one that was rolled back
	a.comment(good.Number, running.writer, "/promote")
	a.follow(good, "half of the users", hasWeight(50))
	a.comment(good.Number, running.writer, "/lock audit")
	a.awaitComment(good.Number, "is locked by")
	a.comment(good.Number, running.writer, "/promote 100")
	a.awaitComment(good.Number, "Promoted to 100 % of the users, but")
	a.awaitShared("v1.0.0", "v1.4.0")
	expectWeights(t, a, "behind the lock", "blue 50 green 50")
	a.comment(good.Number, running.writer, "/unlock")
	rel = a.follow(good, "success", in(v1alpha1.ReleaseSucceeded))
	if diff := cmp.Diff([]int32{10, 50}, weightsOf(rel)); diff != "" {
		t.Errorf("its weights (-want +got):\n%s", diff)
	}
	expectWeights(t, a, "after the canary", "blue 0 green 100")
	a.awaitGateway("v1.4.0")
	expectServed(t, users.leave(), "")
}

// awaitShared waits until both of two versions, and no other, have answered.
func (a *application) awaitShared(one, other string) {
	a.t.Helper()
	seen := map[string]int{}
	a.await("users of both versions", func(ctx context.Context) (bool, string) {
		got, err := a.askGateway(ctx, "/", nil)
		if got.well(err) == nil {
			seen[got.version]++
		}
		return seen[one] > 0 && seen[other] > 0 && len(seen) == 2, fmt.Sprint(seen, err)
	})
}

// expectWeights checks that both rules have the same weights.
func expectWeights(t *testing.T, a *application, when, want string) {
	t.Helper()
	expectRules(t, a, when, want, want)
}

// expectRules checks the weights of each rule.
func expectRules(t *testing.T, a *application, when string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, a.weights()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", when, diff)
	}
}
