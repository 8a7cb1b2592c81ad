package main

import (
	"bytes"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// A release with migrations and workers: what it did to the schema, what its build made, and what
// going back would bring.
func TestDescribeShowsMigrationsAndWorkers(t *testing.T) {
	t.Parallel()
	rel := deployed(shaB, 1, "")
	rel.CreationTimestamp = metav1.NewTime(noon)
	rel.Spec.Cause.Actor = "carol"
	at := func(seconds int) *metav1.Time {
		return &metav1.Time{Time: noon.Add(time.Duration(seconds) * time.Second)}
	}
	zero := int32(0)
	rel.Status.Phase, rel.Status.FinishedAt, rel.Status.Message = v1alpha1.ReleaseSucceeded, at(120), "users have bbbbbbb"
	rel.Status.Timeline = []v1alpha1.TimelineEntry{
		took(v1alpha1.StepBuild, 0, 30, "built gcr.io/acme/shop@sha256:2 and 1 more that the spec names"),
		took(v1alpha1.StepExpand, 30, 12, "the schema has what bbbbbbb needs"),
		took(v1alpha1.StepStage, 42, 8, "3 pods run"),
		took(v1alpha1.StepWorkers, 50, 20, "tasks go to shop-mail-green at size 2"),
		took(v1alpha1.StepSwitch, 70, 1, "users go to green"),
		took(v1alpha1.StepSingletons, 75, 1, "1 singletons and 1 CronJobs get the version that users have"),
	}
	rel.Status.Migration = &v1alpha1.MigrationStatus{
		Job: "shop-expand-1", StartedAt: at(31), EndedAt: at(41), Outcome: v1alpha1.MigrationChanged, ExitCode: &zero,
	}
	rel.Status.Milestones.Built = &v1alpha1.BuiltMilestone{Image: "gcr.io/acme/shop@sha256:2", Images: []string{"gcr.io/acme/mail@sha256:2"}}
	rel.Status.Milestones.Beside = []v1alpha1.BesideImage{
		{Kind: v1alpha1.BesideWorker, Name: "mail", Image: "gcr.io/acme/mail@sha256:1"},
		{Kind: v1alpha1.BesideCronJob, Name: "report", Image: "gcr.io/acme/report:v1"},
	}
	app := history().app
	app.Status.WorkersOwed = &v1alpha1.WorkersOwed{By: rel.Name, Since: *at(121), Kept: []v1alpha1.KeptWorker{
		{Worker: "mail", Deployment: "shop-mail-blue", State: v1alpha1.ReasonTasksLeft, Detail: "pod shop-mail-blue-1:\n7 tasks left"},
	}}
	if owed := asJSON(app, &rel).WorkersOwed; owed == nil || owed.By != rel.Name {
		t.Errorf("as JSON the workers are owed %+v", owed)
	}
	var out bytes.Buffer
	check(t, printRelease(&out, app, &rel, noon.Add(time.Hour)))
	golden(t, "describe_migrations_and_workers.txt", out.String())

	code := int32(3)
	rel.Status.Phase, rel.Status.Message, rel.Status.Timeline = v1alpha1.ReleaseFailed, "the migration failed", rel.Status.Timeline[:2]
	rel.Status.Milestones.Beside = nil
	rel.Status.Migration.Outcome, rel.Status.Migration.ExitCode = v1alpha1.MigrationFailed, &code
	rel.Status.Migration.Message = "the command failed:\nno such \x1b[31mtable"
	app.Status.WorkersOwed.By = "shop-cccccccccccc-1" // another release's debt
	if owed := asJSON(app, &rel).WorkersOwed; owed != nil {
		t.Errorf("as JSON the workers of another release are owed %+v", owed)
	}
	out.Reset()
	check(t, printRelease(&out, app, &rel, noon.Add(time.Hour)))
	golden(t, "describe_a_failed_migration.txt", out.String())
}
