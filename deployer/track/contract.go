package track

import (
	"fmt"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// contract removes from the schema what only older versions need. It moves nobody, and is never
// undone.
var contract = []Row{
	{Name: v1alpha1.StepContract, Done: contracted},
}

func contracted(r *v1alpha1.Release) bool { return r.Status.Milestones.ContractedAt != nil }

// Contracts reports whether a contract has begun: its intent closed the way back.
func Contracts(bg *v1alpha1.BlueGreen, r *v1alpha1.Release) bool {
	s := bg.Status.Schema
	return s != nil && s.Contract != nil && s.Contract.UID == string(r.UID)
}

// Unconfirmed says why a contract has to wait for the last switch; "" if that one was confirmed by a
// sign. Silence, or a fixed time that is over, does not show where users are.
func Unconfirmed(bg *v1alpha1.BlueGreen, routes Routes) string {
	last := bg.Status.LastSwitch
	switch {
	case last == nil:
		return "Turnout has not switched yet, so nothing shows that users have left every older version"
	case last.OverruledAt != nil || last.To.Color != routes.Live():
		return "something other than Turnout moved users since the last switch"
	case last.TookEffectAt == nil || !Tells(last.TookEffectBy):
		return "nothing showed that the load balancer took up the last switch; set spec.url and spec.proof.versionHeader, and the next " +
			"release is confirmed by the answers of the public address"
	}
	return ""
}

// ContractDue reports whether the contract that a version owes begins by itself: its hold is over,
// and nobody has to decide about an earlier one first.
func ContractDue(bg *v1alpha1.BlueGreen, live v1alpha1.Version, releases []v1alpha1.Release) bool {
	m, s, last := bg.Spec.Migrations, bg.Status.Schema, bg.Status.LastSwitch
	if m == nil || m.Contract == nil || m.Contract.When == v1alpha1.ContractOnCommand || s == nil || s.Pending == nil {
		return false
	}
	if last == nil || !last.Shrunk || live.Commit == "" || live.Commit != s.Pending.Commit {
		return false
	}
	if s.Contract != nil && !s.Contract.Settled() {
		return false
	}
	for i := range releases {
		c := releases[i].Spec.Contract
		if c == nil {
			continue
		}
		again := c.Commit == live.Commit && !releases[i].CreationTimestamp.Time.Before(s.Pending.Since.Truncate(time.Second))
		if again || !releases[i].Status.Phase.Finished() {
			return false // by itself a version's contract begins once
		}
	}
	return true
}

// NextContract is the number of a commit's next contract.
func NextContract(commit string, releases []v1alpha1.Release) int32 {
	next := int32(1)
	for i := range releases {
		if c := releases[i].Spec.Contract; c != nil && c.Commit == commit {
			next = max(next, c.Attempt+1)
		}
	}
	return next
}

// Older is something that runs an older version, or would start it.
type Older struct {
	// Object such as "pod web-1", and the image that it runs.
	Object, Image string
}

// WaitsForOlder is the wait until they are gone; nothing is waited for without any.
func WaitsForOlder(found []Older, retry time.Time) Wait {
	if len(found) == 0 {
		return Wait{}
	}
	first := found[0]
	message := fmt.Sprintf("%s runs %s, which is not the live version", first.Object, first.Image)
	if n := len(found) - 1; n > 0 {
		message += fmt.Sprintf(", and %d more do", n)
	}
	return Wait{
		Until: retry, Message: "waits until no older version runs anywhere: " + message,
		Waits: &v1alpha1.Waiting{For: v1alpha1.WaitsForOldPods, Object: first.Object, Done: int32(len(found)), Detail: message},
	}
}

// SchemaState is the state of the schema in one word.
func SchemaState(s *v1alpha1.SchemaStatus) v1alpha1.SchemaState {
	c := s.Contract
	switch {
	case c != nil && c.Outcome == "" && c.DoneBy == "":
		return v1alpha1.SchemaContracting
	case c != nil && c.Outcome == v1alpha1.MigrationFailed && c.DoneBy == "":
		return v1alpha1.SchemaFailed
	case c != nil && c.Outcome == v1alpha1.MigrationUnknown && c.DoneBy == "":
		return v1alpha1.SchemaUnknown
	case s.Pending != nil:
		return v1alpha1.SchemaPending
	case c != nil && (c.Closed() || c.EarlierAt != nil):
		return v1alpha1.SchemaClosed
	}
	return v1alpha1.SchemaOpen
}
