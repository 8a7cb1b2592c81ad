// Package deployer moves releases along their tracks: it observes the cluster,
// decides what is next, acts, and records the result. It knows nothing about
// GitHub.
//
// # Tour
//
//   - Package track decides; its tour says how. Nothing else decides: this package
//     looks, acts and records.
//   - observe.go collects what track.Next decides on, as plain data.
//   - reconcile.go begins a look at one application, and look.go has its order; work.go
//     is the state of a look: data, without a client. drive.go moves one release until it
//     has to wait: interrupt.go says what stops it, timing.go what happens if a step fails
//     or takes too long, ending.go how a release fails, and finish.go how it finishes.
//   - An act, act_*.go, is a small value that has the clients it needs and no others; so
//     is everything else here that reads the world or changes it. wiring.go and acts.go
//     make them once, from the Deployer's clients. clients.go has the parts of those that
//     several use. run.go is what all acts share: what is said, and how it is saved.
//     What several acts use is in rollout.go, reference.go, preparing.go, moving.go,
//     fence.go, shrink.go, build_record.go, live.go and said.go.
//   - outcome.go is how an act ends: a pause or a fault. waiting.go puts waits into
//     facts.
//   - queue.go says which release may act next, rollbacks.go whether a rollback takes
//     back the last switch. inspect.go collects what shows whether any release could act.
//     upkeep.go shrinks the colour that users left. findings.go is what a release
//     reports about the application as it found it.
//   - status.go and switches.go write the application's status.
//   - grant.go is the only way to Google, past the namespace's grants, except for URL
//     maps, which are the cluster's. repository.go is the only way to the repository;
//     repin.go finds out whether one that lost its name is back.
//   - border.go and refusal.go end releases that ask for what none may; origin.go and
//     branch.go find out whether a commit and its repository are the application's;
//     attest.go whether admission checked a release's causes.
//   - calls.go makes calls to GitHub, Cloud Build, Cloud Storage and registries in the
//     background; looks.go lets a rollback cancel the current look.
//   - reach.go checks, on a slow clock, that the repository can be read and has its
//     branch.
//   - takeup.go checks whether the load balancer uses the routes as they are written.
//     In the background, ask.go asks the public address (address.go) which version
//     answers, and readmap.go reads the load balancer's URL map. beside.go ends what runs
//     in the background.
//   - measure.go measures the public address around a switch, with the probers of
//     package proof (probers.go), which run between looks, as calls do.
//   - metrics.go reaches applications' metrics, metrics_watch.go judges them during the
//     soak, in the background, and metrics_check.go tries the checks before.
//   - route, workload, gate, preflight, proof, analysis, urlmap and cloudbuild are the
//     edges, and so is package record; each has its own tour.
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
// Facts are observed, milestones are recorded. Every look reads from the Ingress which
// colour is live. The release records that the gate passed, with which digest and
// which pod template. The switch checks everything that it relies on again. The price
// is a few reads per look.
//
// Nothing but the Deployer has all clients. What an act can do to the world stands in its
// fields, so that of any line one can say whether it moves users; a test has the list.
// It costs a wiring of a page and a half, and small interfaces for parts of clients.
//
// A pause is a state, not a goroutine: an act that has to wait returns, and a
// watch or a time brings it back. So a crash loses nothing, and there is nothing
// to resume: the next look is like every other. The price is that every act must be
// able to run twice.
//
// No act blocks a look. Calls outside of the cluster run in the background,
// and a step that lacks an answer gives up its turn until the answer wakes it. So
// neither an upload nor an outage of GitHub delays a rollback, or the watch of a soak.
// Instead of a worker for each kind of call, all go through ask, which keeps the
// answers of a step until it has them all. The price is that an act starts again
// for each answer that comes late, and that a call's function must
// not touch what the look owns. A process that ends loses its questions, and the next
// one asks again.
//
// Back-off belongs to the failed call, in the process and not in the record: the
// claim's renewal and every watch wake the failed step, but do not repeat the call.
// A takeover costs one call.
//
// Intent, act, outcome: what cannot be taken back (a build, the switch) is
// recorded before it is done, by compare-and-swap. This write fences: a
// process that lost the claim loses that race, too, and does not act.
//
// An error's type decides whose fault it is. A *fault ends the release; any
// other error is the world's, and the step is tried again until its deadline.
// A failed check is not treated as an unhealthy application.
//
// Silence is not a sign. On Google's load balancer, users are where they were until
// something shows that its routes in use are the Ingress's. Until then both colours are
// kept, and not only the old one while an event speaks against the switch. The price,
// if nothing shows it, is the size of a colour and a wait for the next deploy.
//
// A write may be late. So every write tests something that never comes back, and whoever
// gives up what it relied on invalidates it first, see docs/architecture.md. The price is
// a write of the target before every switch.
//
// One look takes as many steps as it can, and writes the record only before an
// effect and at its end. So only tens of milliseconds pass between the last pod's
// readiness and the switch.
package deployer
