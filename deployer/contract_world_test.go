package deployer

import (
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// contracts lets every version that stays migrate once its hold is over, or on command.
func contracts(when v1alpha1.ContractTime) func(*v1alpha1.BlueGreen) {
	return func(bg *v1alpha1.BlueGreen) {
		if bg.Spec.Gate.Interval.Duration == 0 {
			bg.Spec.Gate.Interval.Duration = 20 * time.Millisecond // the live version is looked at three times before
		}
		bg.Spec.Migrations = &v1alpha1.MigrationsSpec{Contract: &v1alpha1.ContractSpec{
			Command: []string{"python", "-m", "shop.migrate", "contract"}, Timeout: *duration(time.Hour),
			When: when,
		}}
	}
}

// confirmable lets the public address show which version users have.
func (w *world) confirmable() {
	w.t.Helper()
	w.publish(nil)
	w.proofSpec(func(s *v1alpha1.ProofSpec) {
		tellApart(s)
		s.Baseline = duration(200 * time.Millisecond)
	})
}

// contract writes a contract of the live version as the bot would.
func (w *world) contract(attempt int32, change ...func(*v1alpha1.Release)) *v1alpha1.Release {
	w.t.Helper()
	live := w.application().Status.Live
	rel := &v1alpha1.Release{ObjectMeta: w.meta(v1alpha1.ContractName("my-python-app", live.Commit, attempt)), Spec: v1alpha1.ReleaseSpec{
		Kind: v1alpha1.Contract, Application: "my-python-app",
		Contract: &v1alpha1.ContractRequest{Commit: live.Commit, Image: live.Image, Attempt: attempt},
		Cause:    v1alpha1.Cause{Kind: v1alpha1.CauseComment, Actor: "octocat"},
	}}
	for _, c := range change {
		c(rel)
	}
	stored, _, err := w.record().Submit(w.t.Context(), rel)
	check(w.t, err)
	return stored
}

// ofContract is the contract of a commit that Turnout submitted itself, once it exists.
func (w *world) ofContract(commit string) *v1alpha1.Release {
	w.t.Helper()
	rel := &v1alpha1.Release{ObjectMeta: w.meta(v1alpha1.ContractName("my-python-app", w.source.sha(commit), 1))}
	w.until("contract of "+commit, func() bool {
		return w.kube.Get(w.t.Context(), keyOf(rel), rel) == nil
	}, func() string { return "" })
	return rel
}

// schema is what the record knows of the database.
func (w *world) schema() v1alpha1.SchemaStatus {
	w.t.Helper()
	if s := w.application().Status.Schema; s != nil {
		return *s
	}
	return v1alpha1.SchemaStatus{}
}

// awaitSchema waits for a state of the schema.
func (w *world) awaitSchema(want v1alpha1.SchemaState) v1alpha1.SchemaStatus {
	w.t.Helper()
	w.until("the schema is "+string(want), func() bool { return w.schema().State == want }, func() string { return string(w.schema().State) })
	return w.schema()
}
