package track

import (
	"slices"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// deploy puts a commit in front of users.
var deploy = []Row{
	{Name: v1alpha1.StepBuild, Done: Built, Deadline: buildTime},
	{Name: v1alpha1.StepPromote, If: expands, Done: approved}, // both versions will have to bear the schema
	{Name: v1alpha1.StepExpand, If: expands, Done: expanded, Needs: []Need{uncontested}},
	{Name: v1alpha1.StepAttach, Done: attached, After: untouchable, Deadline: stageTime, Late: seedLate},
	{Name: v1alpha1.StepStage, Done: staged, After: untouchable, Deadline: stageTime, Late: startLate},
	{Name: v1alpha1.StepWarm, Done: warmed, Deadline: warmTime, Late: warmLate},
	{Name: v1alpha1.StepVerify, Done: verified, Needs: []Need{running, warm}, Deadline: gateTime},
	{Name: v1alpha1.StepPromote, Done: approved},
	{Name: v1alpha1.StepShift, If: canary, Done: shifted, Needs: forUsers},
	{
		Name: v1alpha1.StepWorkers, If: works, Done: handed, Needs: forUsers, Divided: []Need{raisable},
		Deadline: stageTime, Late: workersLate,
	},
	{
		Name: v1alpha1.StepSwitch, Done: Switched, Needs: forUsers, Divided: []Need{raisable},
		Deadline: switchTime,
	},
	{Name: v1alpha1.StepConfirm, Done: confirmed, Deadline: confirmTime},
	{Name: v1alpha1.StepSingletons, If: exclusive, Done: followed},
	{Name: v1alpha1.StepSoak, Done: soaked},
}

// undo cleans up after a deploy that failed or was cancelled.
var undo = []Row{
	{Name: v1alpha1.StepRecall, If: workersMoved, Done: recalled},
	{Name: v1alpha1.StepRestore, Done: Restored},
	{Name: v1alpha1.StepWithdraw, If: Divides, Done: withdrawn},
	{Name: v1alpha1.StepRelieve, If: workersMoved, Done: relieved},
	{Name: v1alpha1.StepSingletons, If: changed, Done: followedBack},
	{Name: v1alpha1.StepDiscard, Done: discarded, Deadline: stageTime},
}

// rollback returns to the version before the last switch. It is never undone, and never
// points to the version that it leaves. The gate decides only about a version that was never live
// with the schema as it is now.
var rollback = []Row{
	{Name: v1alpha1.StepRecall, If: works, Done: recalled},
	{Name: v1alpha1.StepSize, Done: staged, Deadline: stageTime, Late: startLate},
	{Name: v1alpha1.StepWarm, Done: warmed, Deadline: warmTime, Late: warmLate},
	{Name: v1alpha1.StepVerify, If: unproven, Done: verified, Needs: []Need{resized, warm}, Deadline: gateTime},
	{Name: v1alpha1.StepSwitch, Done: Switched, Needs: []Need{resized, warm, proven}, Deadline: switchTime},
	{Name: v1alpha1.StepConfirm, Done: confirmed, Deadline: confirmTime},
	{Name: v1alpha1.StepRelieve, If: works, Done: relieved},
	{Name: v1alpha1.StepSingletons, If: exclusive, Done: followed},
}

// Row describes a step, without its act: package deployer binds that by name.
type Row struct {
	Name v1alpha1.Step
	// If reports whether a release has the step; nil means that each has it.
	If func(*v1alpha1.Release, Observed) bool
	// Done reports whether the step's milestone is recorded.
	Done func(*v1alpha1.Release) bool
	// Needs are checked again right before the step acts, until traffic has moved: an intent that
	// a crash left without its patch may be old. If one no longer holds, the release goes back to
	// the step that provides it.
	Needs []Need
	// Divided are the needs in place of these once the target may have had a share of the
	// users: its pods are not staged anew then.
	Divided []Need
	// After is what the step waits for before it acts: a time, or a change; nil means nothing.
	After func(Observed) Wait
	// Deadline is how long the step may take; nil if it has its own clock, or no limit.
	Deadline func(*v1alpha1.BlueGreen) time.Duration
	// Late selects the evidence that shows why the step is late; nil means that the world is to
	// blame.
	Late func(*v1alpha1.Release, Observed) Lateness
}

// Need is a fact that must hold when a step acts, whatever the record says.
type Need struct {
	Holds func(*v1alpha1.Release, Observed) bool
	// By is the step that provides it.
	By v1alpha1.Step
}

var (
	// unlocked comes first: behind a lock, nothing needs to be kept fresh.
	unlocked = Need{mayMove, v1alpha1.StepPromote}

	// uncontested is the same before a migration.
	uncontested = Need{mayMigrate, v1alpha1.StepPromote}

	running = Need{runsStaged, v1alpha1.StepStage}
	sized   = Need{bigEnough, v1alpha1.StepStage}
	resized = Need{RunsAtSize, v1alpha1.StepSize}
	warm    = Need{isWarm, v1alpha1.StepWarm}
	fresh   = Need{gateFresh, v1alpha1.StepVerify}
	asked   = Need{gateAsked, v1alpha1.StepVerify}
	// proven is fresh for a rollback, where it has a gate.
	proven = Need{gateKnows, v1alpha1.StepVerify}
	// vouched follows the gate, which may take longer than this stays fresh.
	vouched = Need{vouchedLately, v1alpha1.StepWarm}

	// raisable is all of this for a target that has a share already: shift waits for it.
	raisable = Need{mayRaise, v1alpha1.StepShift}

	// forUsers is what must hold when the first users come.
	forUsers = []Need{unlocked, running, sized, warm, fresh, asked, vouched}
)

// Next returns the step that a release is at: the first without its milestone, or an earlier one
// that must be repeated because that step needs it. ok is false at the end of the track. Next is
// pure: the time is part of the observation.
func Next(r *v1alpha1.Release, o Observed) (row Row, ok bool) {
	rows := tableOf(r, o)
	for _, row := range rows {
		if row.Done(r) || row.If != nil && !row.If(r, o) {
			continue
		}
		needs := row.Needs
		if Divides(r, o) {
			needs = row.Divided
		}
		for _, n := range needs {
			if !moved(r, o) && !n.Holds(r, o) {
				i := slices.IndexFunc(rows, func(row Row) bool { return row.Name == n.By })
				return rows[i], true
			}
		}
		return row, true
	}
	return Row{}, false
}

// moved reports whether traffic is already where the release sends it.
func moved(r *v1alpha1.Release, o Observed) bool {
	return r.Status.Milestones.SwitchIntendedAt != nil && o.Routes.Live() == r.Status.Milestones.Target
}

// unproven reports whether a rollback has a gate: the version to return to was never live with the
// schema as it is now. Once users have moved, that is over.
func unproven(r *v1alpha1.Release, o Observed) bool {
	return o.Unproven != nil && !Switched(r) && !moved(r, o)
}

// gateKnows is gateFresh for a rollback that needs it.
func gateKnows(r *v1alpha1.Release, o Observed) bool { return !unproven(r, o) || gateFresh(r, o) }

// tableOf returns the table that a release follows.
func tableOf(r *v1alpha1.Release, o Observed) []Row {
	f := r.Status.Failure
	switch {
	case r.Spec.Kind == v1alpha1.Contract && f != nil:
		return nil
	case r.Spec.Kind == v1alpha1.Contract:
		return contract
	case f == nil && r.Spec.Kind == v1alpha1.Rollback:
		return rollback
	case f == nil:
		return deploy
	case leaveAlone(r, o):
		return nil
	}
	return undo
}

// Steps are the steps of a successful release, in order. The approval is where a release without
// a migration has it.
func Steps(kind v1alpha1.ReleaseKind) []v1alpha1.Step {
	switch kind {
	case v1alpha1.Rollback:
		return names(rollback)
	case v1alpha1.Contract:
		return names(contract)
	case v1alpha1.Deploy:
	}
	return names(deploy)
}

// UndoSteps are the steps after a failure, in order.
func UndoSteps() []v1alpha1.Step { return names(undo) }

func names(rows []Row) []v1alpha1.Step {
	var all []v1alpha1.Step
	for i, row := range rows {
		later := func(other Row) bool { return other.Name == row.Name && other.If == nil }
		if row.If == nil || !slices.ContainsFunc(rows[i+1:], later) {
			all = append(all, row.Name)
		}
	}
	return all
}

// RowOf returns the row of a step. A step in two tables differs only in its needs.
func RowOf(s v1alpha1.Step) Row {
	all := slices.Concat(deploy, undo, rollback, contract)
	if i := slices.IndexFunc(all, func(row Row) bool { return row.Name == s }); i >= 0 {
		return all[i]
	}
	return Row{Name: s}
}

// Bound is the maximum number of steps in one look: every step of a deploy and of its undo,
// twice.
var Bound = 2 * (len(deploy) + len(undo))
