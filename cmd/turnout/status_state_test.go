package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// stateful is an application whose schema and workers have something to say.
func stateful() *v1alpha1.BlueGreen {
	app := history().app
	at := func(minutes int) metav1.Time { return metav1.NewTime(noon.Add(time.Duration(minutes) * time.Minute)) }
	app.Spec.Hold = &metav1.Duration{Duration: 20 * time.Minute}
	app.Status.Phase, app.Status.LastSwitch.At = v1alpha1.PhaseHolding, at(0)
	app.Status.Schema = &v1alpha1.SchemaStatus{
		State:   v1alpha1.SchemaPending,
		Pending: &v1alpha1.PendingContract{Commit: shaA, Release: app.Status.Live.Release, Since: at(1)},
		Expanded: []v1alpha1.SchemaChange{
			{Release: "shop-cccccccccccc-1", Commit: strings.Repeat("c", 40), At: at(5), Outcome: v1alpha1.MigrationChanged},
		},
	}
	app.Status.WorkersOwed = &v1alpha1.WorkersOwed{By: app.Status.Live.Release, Since: at(2), Kept: []v1alpha1.KeptWorker{
		{Worker: "mail", Deployment: "shop-mail-blue", State: v1alpha1.ReasonTasksLeft, Detail: "pod shop-mail-blue-1: 7 tasks left"},
		{Worker: "image", Deployment: "shop-image-blue", State: v1alpha1.ReasonNotAsked},
	}}
	condition := func(kind, reason, message string, command v1alpha1.ShellCommand) {
		app.Status.Conditions = append(app.Status.Conditions, metav1.Condition{
			Type: kind, Status: metav1.ConditionTrue, Reason: reason, Message: message,
		})
		app.Status.SetCommands(kind, []v1alpha1.ShellCommand{command})
	}
	condition(v1alpha1.ConditionLiveSuffers, v1alpha1.ReasonPodsFail, "the live version suffers since 12:06:00 UTC",
		v1alpha1.Shell("turnout", "rollback", "shop"))
	condition(v1alpha1.ConditionWorkersKept, v1alpha1.ReasonTasksLeft, "worker mail works on after 1h0m0s",
		v1alpha1.Kubectl("scale", "deployment", "shop-mail-blue", "ns", "--replicas=0"))
	return app
}

// status says of migrations and workers what a person needs: that users suffer, what the schema owes, who works
// on, and that a rollback asks the gate first; for people and for programs.
func TestStatusShowsMigrationsAndWorkers(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	show := func(app *v1alpha1.BlueGreen) stateJSON {
		t.Helper()
		s := stateOf(app, nil)
		check(t, printState(&out, s))
		out.WriteString("\n")
		return s
	}
	app := stateful()
	s := show(app)
	if why := s.Rollback.IfHealthy; why == nil || why.Code != command.CodeBackIfHealthy || why.Args.Release != "shop-cccccccccccc-1" {
		t.Errorf("a rollback past a newer expand asks the gate because of %+v", why)
	}
	text, err := json.Marshal(s)
	check(t, err)
	var fields map[string]any
	check(t, json.Unmarshal(text, &fields))
	rollback, _ := fields["rollback"].(map[string]any)
	for field, of := range map[string]map[string]any{
		"suffers": fields, "workersOwed": fields, "workersKept": fields, "schema": fields, "ifHealthy": rollback,
	} {
		if of[field] == nil {
			t.Errorf("the JSON has no %s: %s", field, text)
		}
	}

	app.Status.LastSwitch.Shrunk = true // its pods must be started first
	show(app)

	app = stateful() // the contract has begun, and nothing is wrong
	app.Status.Conditions, app.Status.WorkersOwed, app.Status.Schema.Pending = nil, nil, nil
	app.Status.Schema.State = v1alpha1.SchemaContracting
	app.Status.Schema.Contract = &v1alpha1.ContractStatus{
		Release: "shop-contract-1", Commit: shaA, IntendedAt: metav1.NewMicroTime(noon.Add(time.Hour)),
	}
	if s := show(app); s.Suffers != nil || s.WorkersKept != nil || s.WorkersOwed != nil {
		t.Errorf("at rest the JSON has %+v %+v %+v", s.Suffers, s.WorkersKept, s.WorkersOwed)
	}
	golden(t, "status_migrations_and_workers.txt", out.String())
}
