package deployer

import (
	"maps"
	"slices"
	"strings"
	"testing"

	batchv1 "k8s.io/api/batch/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/deployer/workload"
)

// expandMilestones are those of a deploy that migrates first.
var expandMilestones = []milestone{
	{name: "01-watched", last: of(liveKnown), patches: 2, unswitched: true},
	{name: "02-intended", last: of(migrates), patches: 2, unswitched: true},
	{name: "03-created", last: made("POST jobs", 1), patches: 2, unswitched: true},
	{name: "04-adopted", last: of(adopted), patches: 2, unswitched: true},
	{name: "05-let-go", last: of(letRun), patches: 2, unswitched: true},
	{name: "06-resumed", last: resumed, patches: 2, unswitched: true},
	{name: "07-running", last: of(runs), patches: 2, unswitched: true},
	{name: "08-expanded", last: of(expanded), during: (*world).endMigration, patches: 1, unswitched: true},
}

// contractMilestones are those of a contract.
var contractMilestones = []milestone{
	{name: "01-claimed", last: of(claimed), mend: (*world).unpublish},
	{name: "02-watched", last: of(liveKnown), mend: (*world).unpublish},
	{name: "03-way-closed", last: closesWay, mend: (*world).unpublish},
	{name: "04-intended", last: of(migrates), mend: (*world).unpublish},
	{name: "05-created", last: made("POST jobs", 1), mend: (*world).unpublish},
	{name: "06-let-go", last: of(letRun), mend: (*world).unpublish},
	{name: "07-running", last: of(runs), mend: (*world).unpublish},
	{name: "08-ended", last: of(migrated), during: (*world).endMigration, mend: (*world).unpublish},
	{name: "09-succeeded", last: of(hasEnded), during: (*world).endMigration, mend: (*world).unpublish},
}

func liveKnown(r *v1alpha1.Release) bool { return r.Status.Live != nil && r.Status.Live.KnownAt != nil }
func migrates(r *v1alpha1.Release) bool  { return r.Status.Migration != nil }
func adopted(r *v1alpha1.Release) bool   { return migrates(r) && r.Status.Migration.UID != "" }
func letRun(r *v1alpha1.Release) bool    { return migrates(r) && r.Status.Migration.ResumedAt != nil }

func runs(r *v1alpha1.Release) bool     { return migrates(r) && r.Status.Migration.StartedAt != nil }
func migrated(r *v1alpha1.Release) bool { return migrates(r) && r.Status.Migration.EndedAt != nil }
func expanded(r *v1alpha1.Release) bool { return r.Status.Milestones.ExpandedAt != nil }
func resumed(w write) bool              { return strings.HasPrefix(w.what, "PATCH jobs/") }

// closesWay is the write that closes the way back.
func closesWay(w write) bool {
	return w.bg != nil && w.bg.Status.Schema != nil && w.bg.Status.Schema.Contract != nil
}

// startExpand has a migration that does not end before the milestone.
func startExpand(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w, rel := startWith(t, expanding)
	w.kubelet.migrations(t, runsOn)
	return w, rel
}

// startContract is after the previous version was shrunk.
func startContract(t testing.TB) (*world, *v1alpha1.Release) {
	t.Helper()
	w, rel := startWith(t, contracts(v1alpha1.ContractOnCommand), holds(0))
	w.confirmable()
	stop := w.run()
	w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	w.awaitShrunk(v1alpha1.Blue)
	w.until("the shrinking to be recorded", func() bool { return w.application().Status.LastSwitch.Shrunk }, func() string { return "" })
	w.awaitPods("my-python-app", v1alpha1.Green)
	stop()
	w.kubelet.migrations(t, runsOn)
	return w, w.contract(1)
}

// endMigration lets a migration end once it runs.
func (w *world) endMigration(rel *v1alpha1.Release) {
	w.t.Helper()
	w.migrates(rel)
	w.kubelet.migrations(w.t, endsWith(0, ""))
}

// unpublish forgets the public address, which ends with the test that records.
func (w *world) unpublish() {
	w.t.Helper()
	w.configure(`{"url":null}`)
}

func finishExpand(w *world, m milestone) {
	w.t.Helper()
	finishDeploy(w, m)
	rel := w.deployed()
	if s := rel.Status.Migration; s.Outcome != v1alpha1.MigrationChanged || s.EndedAt == nil {
		w.t.Errorf("the migration is %+v", s)
	}
	w.expectRanOnce(m.name == "08-expanded")
	w.expectExpanded(rel)
}

func finishContract(w *world, m milestone) {
	w.t.Helper()
	rel := w.one(func(r *v1alpha1.Release) bool { return r.Spec.Kind == v1alpha1.Contract })
	rel = w.awaitPhase(rel, v1alpha1.ReleaseSucceeded)
	w.settled()
	s := w.awaitSchema(v1alpha1.SchemaClosed)
	if c := s.Contract; c.UID != string(rel.UID) || c.Outcome != v1alpha1.MigrationChanged || s.Pending != nil {
		w.t.Errorf("the schema is %+v, contract %+v", s, c)
	}
	w.expectRanOnce(m.name >= "08")
	w.expectLive(v1alpha1.Green)
	w.awaitPhase(w.rollback(), v1alpha1.ReleaseFailed)
}

// expectRanOnce checks that the command ran once, or only under the earlier version.
func (w *world) expectRanOnce(before bool) {
	w.t.Helper()
	want := 1
	if before {
		want = 0
	}
	w.kubelet.mu.Lock()
	defer w.kubelet.mu.Unlock()
	if n := len(w.kubelet.migrated); n != want {
		w.t.Errorf("the command ran %d times, want %d", n, want)
	}
}

// snapshotJobs records the migrations that have not ended: nobody looks at the others again.
func (w *world) snapshotJobs(r *recording) {
	w.t.Helper()
	for _, j := range w.jobs() {
		j.Status = batchv1.JobStatus{}
		ended := func(rel v1alpha1.Release) bool { return migrated(&rel) && rel.Status.Migration.Job == j.Name }
		if !slices.ContainsFunc(r.Releases, ended) {
			r.Jobs = append(r.Jobs, j)
		}
	}
}

// putBackJobs recreates the migrations of releases. Their names are made from the releases' UIDs.
func (w *world) putBackJobs(r *recording, releases []*v1alpha1.Release, renamed renaming) {
	w.t.Helper()
	for i, rel := range releases {
		if m := r.Releases[i].Status.Migration; m != nil {
			kind := map[bool]string{true: "contract", false: "expand"}[rel.Spec.Contract != nil]
			renamed[m.Job] = workload.MigrationName(r.Application.Name, kind, rel.UID)
		}
	}
	for i := range r.Jobs {
		j := r.Jobs[i].DeepCopy()
		j.Name = renamed.in(j.Name)
		j.Spec.Selector = nil
		for _, labels := range []map[string]string{j.Labels, j.Spec.Template.Labels} { // Kubernetes' own
			maps.DeleteFunc(labels, func(key, _ string) bool {
				return strings.Contains(key, "controller-uid") || strings.Contains(key, "job-name")
			})
		}
		w.remake(j, renamed)
	}
}
