// Package deployer moves releases along their tracks: it observes the cluster,
// decides what is next, acts, and records what came of it. It knows nothing of
// GitHub.
//
// # Tour
//
//   - Package track decides; its tour says how. Nothing else does: what is here
//     looks, acts and records.
//   - observe.go collects what track.Next decides on; it is data.
//   - reconcile.go is one look at one application; work.go is what it has in hand.
//     drive.go moves one release until it has to wait; run.go is what every act has of
//     it: its record, and the words for people. ending.go says how it fails.
//   - acts.go binds each step of the tracks to its act, which has a file of its own,
//     act_*.go. What several acts do has a file, too: rollout.go, reference.go,
//     moving.go, shrink.go, build_record.go, live.go, said.go.
//   - outcome.go is how an act ends: a pause or a fault. waiting.go says in facts what
//     is waited for.
//   - queue.go says which release may act next, rollbacks.go whether a rollback takes
//     back the last switch; inspect.go collects what tells whether any release could act; upkeep.go shrinks
//     the colour that users left; findings.go is what a release tells of the
//     application as it found it.
//   - status.go and switches.go write what the application's status says.
//   - grant.go is the one way to Google, past the namespace's grants; but for URL
//     maps, which are the cluster's. repository.go is the one to the repository.
//   - border.go and refusal.go end releases that ask for what none may; origin.go and
//     branch.go find out whether a commit and its repository are the application's;
//     attest.go whether what a release says of its causes was decided at admission.
//   - calls.go has what is asked of GitHub, Cloud Build, Cloud Storage and registries,
//     beside the looks; looks.go lets a rollback cancel the look under way.
//   - reach.go asks, on a slow clock, whether the repository can be read and has its
//     branch.
//   - takeup.go looks whether the load balancer uses the routes as they are written;
//     ask.go asks the public address who answers there, and readmap.go reads the
//     load balancer's URL map, beside the looks.
//   - measure.go has the public address asked around a switch, by proof, whose
//     probers (probers.go) run between looks, as calls do.
//   - route, workload, gate, preflight, proof, urlmap and cloudbuild are the edges, and
//     record, beside this package: each has a tour of its own.
//
// # A release's life
//
//	Queued ──claim──▶ Running ──▶ Waiting ──/promote──▶ Running ──▶ Succeeded
//	                     │           │                     │
//	                     │ fault     │ /cancel             │ fault after the switch
//	                     ▼           ▼                     ▼
//	                  Undoing ──▶ Failed · Error · Cancelled · Superseded
//
// The tracks are
//
//	deploy:   build attach stage warm verify promote switch confirm soak
//	undo:     restore discard
//	rollback: size warm switch confirm
//
// # Decisions
//
// Facts are observed, milestones are recorded. Which colour is live is read from
// the Ingress at every look; that the gate passed, with which digest and which
// pod template, is latched in the release. The switch looks again at everything
// it rests on. It costs a few reads a look.
//
// A pause is a state, not a goroutine: an act that has to wait returns, and a
// watch or a time brings it back. So a crash loses nothing, and there is nothing
// to resume: the next look is like every other. It costs writing every act so
// that it may run twice.
//
// No act blocks a look. Calls to the world outside of the cluster run beside it,
// and a step that lacks an answer gives up its turn until that wakes it; so neither
// an upload nor an outage of GitHub delays a rollback, or the watch of a soak.
// Instead of a worker for each kind of call, all go through ask, which keeps the
// answers of a step until it has them all. It costs that an act is run again from
// its beginning for each answer that comes late, and that a call's function must
// not touch what the look owns. A process that ends loses what was asked, and asks
// again.
//
// Back-off belongs to the failed call, in the process and not in the record: the
// claim's renewal and every watch wake the step that failed, and none of them makes
// the call again. A takeover costs one call.
//
// Intent, act, outcome: what cannot be taken back (a build, the switch) is
// written down before it is done, by compare-and-swap. The write fences: a
// process that lost the claim loses that race too, and does not act.
//
// An error decides by its type whose fault it is. A *fault ends the release; any
// other error is the world's, and the step is tried again until its deadline.
// Not being able to look is never read as bad health.
//
// Silence is no sign. On Google's load balancer users are where they were until
// something tells that its routes in use are the ones that the Ingress has; without
// that both colours are kept, instead of the old one only while an event speaks
// against it. It costs the size of a colour, and a wait for the next deploy, where
// nothing tells.
//
// A write may be late: every one tests something that never comes back, and who gives
// up what it rested on makes it void first, see docs/architecture.md. It costs a
// write of the target before every switch.
//
// One look takes as many steps as it can, and writes the record only before an
// effect and at its end. That is why the last pod's readiness and the switch are
// tens of milliseconds apart.
package deployer
