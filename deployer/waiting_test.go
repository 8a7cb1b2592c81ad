package deployer

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/track"
	"github.com/turnout-dev/turnout/internal/prose"
)

// expectFacts compares the record's facts with its message. Every test of a world calls it, for
// every state that it waits for.
func (w *world) expectFacts(rel *v1alpha1.Release) {
	w.t.Helper()
	st := rel.Status
	if len(st.Message) > 1000 || strings.HasPrefix(st.Message, "taken over by ") { // may be cut; it waits as before
		return
	}
	switch waits := st.Waiting; {
	case waits == nil && (st.Phase == v1alpha1.ReleaseQueued || st.Phase == v1alpha1.ReleaseWaiting):
		w.t.Errorf("%s is %s, and nothing says in facts for what: %s", rel.Name, st.Phase, st.Message)
	case waits == nil:
	case st.Phase.Finished():
		w.t.Errorf("%s is %s, and waits for %+v", rel.Name, st.Phase, *waits)
	case !tellsOf(*waits, st.Message):
		w.t.Errorf("%s waits for %+v, and says: %s", rel.Name, *waits, st.Message)
	}
	f := st.Failure
	if f == nil {
		return
	}
	if (f.Reason == v1alpha1.FailedSuperseded) != (f.Because != "") {
		w.t.Errorf("%s failed with %s because of %q", rel.Name, f.Reason, f.Because)
	}
	if (f.Reason == v1alpha1.FailedDeadline) != (f.Waited != nil && f.Limit != nil) {
		w.t.Errorf("%s failed with %s, a limit of %v, waiting for %v", rel.Name, f.Reason, f.Limit, f.Waited)
	}
	if f.Reason == v1alpha1.FailedRolledBack && (f.Release == "" || !strings.HasSuffix(f.Message, f.Release)) {
		w.t.Errorf("%s was rolled back by %q: %s", rel.Name, f.Release, f.Message)
	}
	for i, e := range st.Timeline {
		if e.Failed && e.Message != "" && (e.Step != f.Step || !strings.HasPrefix(f.Message, strings.TrimSuffix(e.Message, "…"))) {
			w.t.Errorf("step %d of %s is marked as failed: %+v", i, rel.Name, e)
		}
	}
}

// tellsOf reports whether a message agrees with the facts.
func tellsOf(f v1alpha1.Waiting, message string) bool {
	minute := func(t *metav1.Time) string { return prose.Minute(t.Time) }
	counts := f.Of > 0 && f.Done <= f.Of
	says := func(parts ...string) bool {
		return !slices.ContainsFunc(parts, func(part string) bool { return part == "" || !strings.Contains(message, part) })
	}
	switch f.For {
	case v1alpha1.WaitsForOldPods:
		return says(f.Object, f.Detail) && f.Done > 0
	case v1alpha1.WaitsForApproval:
		if f.Because == v1alpha1.BecauseManual {
			return f.Until != nil && message == "waits for /promote: spec.promotion.mode is Manual"
		}
		if f.Because == v1alpha1.BecauseStep {
			return f.Until != nil && counts && says("waits for /promote: ", fmt.Sprintf("has %d %% of the users until", f.Done))
		}
		return f.Until != nil && f.Because == v1alpha1.BecauseRolledBack &&
			says("waits for /promote: ", v1alpha1.ShortCommit(f.Commit), f.By, f.Release, minute(f.Since))
	case v1alpha1.WaitsForLock:
		return message == strings.TrimSuffix("waits: locked by "+f.By+" since "+minute(f.Since)+": "+f.Detail, ": ")
	case v1alpha1.WaitsForTurn:
		return strings.TrimPrefix(message, "built, ") == "waits for "+f.Release
	case v1alpha1.WaitsForShift:
		if f.Because == v1alpha1.BecauseMetrics {
			return counts && says("metrics are judged until "+track.Clock(f.Until.Time), f.Detail)
		}
		return f.Because == v1alpha1.BecauseNeed && says(f.Detail) ||
			f.Because == "" && counts && message == fmt.Sprintf("the new version has %d %% of the users until %s", f.Done, track.Clock(f.Until.Time))
	case v1alpha1.WaitsForDrain:
		if f.Because == v1alpha1.BecauseWithdraw {
			return says(" has drained, " + track.Clock(f.Until.Time))
		}
		if f.Because == v1alpha1.BecauseQueue {
			return says(f.Object)
		}
		return message == "waits until the last switch has drained, "+track.Clock(f.Until.Time)
	case v1alpha1.WaitsForTakeUp:
		return message == "waits until the load balancer takes up the last switch: "+f.Detail
	case v1alpha1.WaitsForApplication, v1alpha1.WaitsForRepository, v1alpha1.WaitsForGrant:
		return f.Because != "" && says(f.Detail)
	case v1alpha1.WaitsForRetry:
		return message == "will try again: "+f.Detail || message == "waits: "+f.Detail
	case v1alpha1.WaitsForAnswer:
		return message == "waits for an answer: "+f.Object
	case v1alpha1.WaitsForBuild:
		return f.Because != "" && says("uil") // building, a build, Cloud Build
	case v1alpha1.WaitsForPods:
		return f.Because != "" && counts && (f.Because == v1alpha1.BecauseRollout || f.Because == v1alpha1.BecauseSeed || says(f.Object))
	case v1alpha1.WaitsForLoadBalancer:
		return f.Because != "" && (counts || f.Because == v1alpha1.BecauseSwitch || f.Because == v1alpha1.BecauseTime ||
			f.Because == v1alpha1.BecauseReference && says(f.Object, f.Detail))
	case v1alpha1.WaitsForMigration:
		return f.Detail != "" && says(f.Object, f.Detail) ||
			f.Because == "" && f.Since != nil && message == "migration "+f.Object+": "+track.RunsSince(f.Since.Time) ||
			f.Because == v1alpha1.BecauseEarlier && message == "waits until an earlier migration has ended: "+f.Object
	case v1alpha1.WaitsForIngress, v1alpha1.WaitsForDeployment:
		return f.Object != ""
	case v1alpha1.WaitsForGate:
		return f.Of > 0
	case v1alpha1.WaitsForLive:
		return f.Since != nil && says(f.Object, f.Detail)
	case v1alpha1.WaitsForBaseline:
		return says(f.Object, track.Clock(f.Until.Time))
	case v1alpha1.WaitsForAddress:
		return says(f.Object) && (f.Because == v1alpha1.BecauseTail) == (f.Until != nil)
	case v1alpha1.WaitsForSoak:
		return says(track.Clock(f.Until.Time)) && (f.Because != "") == (f.Since != nil)
	}
	return false
}

func TestWaitForAPersonIsRecordedInFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.source.commit("b", "a")
	w.run()
	a := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	back := w.awaitPhase(w.rollback(), v1alpha1.ReleaseSucceeded)
	b := w.awaitPhase(w.submit("b"), v1alpha1.ReleaseWaiting)
	left := w.application().Status.RolledBack[0]
	want := v1alpha1.Waiting{
		For: v1alpha1.WaitsForApproval, Because: v1alpha1.BecauseRolledBack,
		By: left.By, Release: back.Name, Commit: a.Spec.Deploy.Commit, Since: track.Stamp(left.At.Time),
	}
	got := *b.Status.Waiting
	entered := b.Status.Timeline[len(b.Status.Timeline)-1].StartedAt
	if limit := w.application().Spec.Promotion.Timeout.Duration; got.Until == nil ||
		entered.Add(limit).Sub(got.Until.Time).Abs() > time.Second {
		t.Errorf("it waits until %v, from %v on for %s", got.Until, entered, limit)
	}
	if got.Until = nil; !equality.Semantic.DeepEqual(got, want) {
		t.Errorf("it waits for %+v, want %+v", got, want)
	}
	w.approve(b)
	w.awaitPhase(b, v1alpha1.ReleaseSucceeded)
}

func TestEndInFavourOfAnotherIsRecordedInFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, manual)
	w.source.commit("b", "a")
	w.run()
	first := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseWaiting)
	second := w.submit("b")
	f := w.awaitPhase(first, v1alpha1.ReleaseSuperseded).Status.Failure
	if f.Because != v1alpha1.SupersededByNewer || f.Release != second.Name {
		t.Errorf("the failure is %+v", f)
	}
	w.approve(w.awaitPhase(second, v1alpha1.ReleaseWaiting))
	w.awaitPhase(second, v1alpha1.ReleaseSucceeded)
	again := func(r *v1alpha1.Release) {
		r.Spec.Deploy.Attempt = 2
		r.Name = v1alpha1.DeployName(r.Spec.Application, r.Spec.Deploy.Commit, 2)
	}
	f = w.awaitPhase(w.submit("a", again), v1alpha1.ReleaseSuperseded).Status.Failure
	if f.Because != v1alpha1.SupersededByBehind || f.Release != second.Name || f.Commit != second.Spec.Deploy.Commit {
		t.Errorf("the failure is %+v", f)
	}
	f = w.awaitPhase(w.submit("b", again), v1alpha1.ReleaseSuperseded).Status.Failure
	if f.Because != v1alpha1.SupersededByLive || f.Release != second.Name || f.Commit != second.Spec.Deploy.Commit {
		t.Errorf("the failure is %+v", f)
	}
}

func TestProofOfAStepIsRecordedInFacts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.publish(func(_ v1alpha1.Color, rw http.ResponseWriter) { rw.WriteHeader(http.StatusOK) })
	w.run()
	rel := w.awaitPhase(w.submit("a"), v1alpha1.ReleaseSucceeded)
	proved := 0
	for _, e := range rel.Status.Timeline {
		want := v1alpha1.ProofResult("")
		if e.Step == v1alpha1.StepConfirm {
			want = rel.Status.Proof.Result
			proved++
		}
		if e.Proof != want || want != "" && e.Message != string(want)+": "+rel.Status.Proof.Message {
			t.Errorf("step %s says of the proof %q, want %q: %s", e.Step, e.Proof, want, e.Message)
		}
	}
	if got := rel.Status.Proof.Result; proved != 1 || got != v1alpha1.ProofConfirmed {
		t.Errorf("%d steps of the timeline prove the switch, as %q", proved, got)
	}
}

// A pause with a message also has facts: other displays have nothing else to show.
func TestEveryPauseWithAMessageHasItsFacts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	check(t, err)
	pauses := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		check(t, err)
		ast.Inspect(file, func(n ast.Node) bool {
			literal, ok := n.(*ast.CompositeLit)
			if !ok || lastName(literal.Type) != "pause" {
				return true
			}
			keys := map[string]bool{}
			for _, x := range literal.Elts {
				keys[lastName(x.(*ast.KeyValueExpr).Key)] = true
			}
			if keys["message"] {
				pauses++
				if !keys["waits"] {
					t.Errorf("%s:%d makes a pause with a message alone", name, set.Position(n.Pos()).Line)
				}
			}
			return true
		})
	}
	if pauses < 25 {
		t.Errorf("only %d pauses with a message were found", pauses)
	}
}
