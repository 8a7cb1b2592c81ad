package deployer

import (
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// beside is what runs for applications beside the looks and between them.
type beside struct {
	looks      *looks
	calls      *calls
	probers    *probers
	live       *probers
	asks, maps *asks
	reaches    *reaches
	dryRuns    *dryRuns
	queues     *queueLooks
	held       *heldLooks
}

// hear takes note of what a look has read: the releases, and people's commands.
func (b beside) hear(bg *v1alpha1.BlueGreen, releases []v1alpha1.Release) {
	app := client.ObjectKeyFromObject(bg)
	b.looks.know(bg, releases)
	b.calls.keep(app, unfinished(releases))
	b.calls.hear(app, commandsOf(releases))
}

// rest forgets, at the end of a look, what the next one can do without.
func (b beside) rest(app client.ObjectKey) { b.calls.rest(app) }

// leave ends everything that runs for an application between looks: it is gone, or belongs to a
// newer version.
func (b beside) leave(app client.ObjectKey) {
	b.probers.end(app)
	b.live.end(app)
	b.calls.leave(app)
	b.asks.leave(app)
	b.maps.leave(app)
	b.reaches.forget(app)
	b.dryRuns.forget(app)
	b.queues.forget(app)
	b.held.forget(app)
}

// giveUp ends what only the claim's holder does.
func (b beside) giveUp(bg *v1alpha1.BlueGreen) {
	app := client.ObjectKeyFromObject(bg)
	b.endMeasurement(bg)
	b.live.end(app)
	b.held.forget(app)
	b.calls.leave(app)
}

// endMeasurement ends the last release's measurement.
func (b beside) endMeasurement(bg *v1alpha1.BlueGreen) {
	b.probers.end(client.ObjectKeyFromObject(bg))
}

// unfinished returns the UIDs of the unfinished releases.
func unfinished(releases []v1alpha1.Release) map[string]bool {
	uids := map[string]bool{}
	for i := range releases {
		if !releases[i].Status.Phase.Finished() {
			uids[string(releases[i].UID)] = true
		}
	}
	return uids
}

// commandsOf returns people's commands in the releases. A finished one obeys only one of them.
func commandsOf(releases []v1alpha1.Release) map[string]bool {
	var all map[string]bool
	note := func(what string, rel *v1alpha1.Release, given bool) {
		if !given {
			return
		}
		if all == nil {
			all = map[string]bool{}
		}
		all[what+" "+string(rel.UID)] = true
	}
	for i := range releases {
		rel := &releases[i]
		note("take back", rel, rel.Spec.TakenBack() != nil)
		if rel.Status.Phase.Finished() {
			continue
		}
		note("release", rel, rel.Spec.Cause.Kind != v1alpha1.CausePush)
		note("approve", rel, rel.Spec.Approval != nil)
		note("cancel", rel, rel.Spec.Cancel != nil)
	}
	return all
}
