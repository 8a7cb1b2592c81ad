// Package deployer moves releases along their tracks: it observes the cluster, decides what
// is next, acts, and records the result. It knows nothing about GitHub.
//
// # Tour
//
//   - Package track decides, and nothing else does; see its tour. This package looks, acts
//     and records.
//   - observe.go collects the input of track.Next, as plain data.
//   - reconcile.go begins a look at one application. look.go has the order of a look, and
//     work.go its state: data, without a client. drive.go moves one release until it has to
//     wait: interrupt.go decides what stops it, timing.go what happens if a step fails or
//     takes too long, ending.go how it fails, and finish.go how it finishes.
//   - An act, act_*.go, is a small value with the clients that it needs and no others. So is
//     everything else here that reads or changes the world. wiring.go and acts.go build them
//     once from the Deployer's clients (deployer.go); clients.go declares the parts that
//     several use. run.go is what all acts share: saying and saving. rollout.go, reference.go,
//     preparing.go, moving.go, shifting.go, fence.go, shrink.go, build_record.go, live.go and
//     said.go and workers.go serve several acts.
//   - outcome.go is how an act ends: with a pause or a fault. waiting.go describes waits as data.
//   - queue.go decides which release may act next, contracting.go when a contract may begin, and
//     rollbacks.go whether a rollback takes back the last switch. inspect.go collects what shows whether any release could act, wayback.go
//     what shows whether users could go back. upkeep.go shrinks the colour that users left.
//     findings.go reports the application's state at the start of a release.
//   - status.go and switches.go write the application's status, telling.go its events. newer.go
//     leaves an application alone that a newer version wrote.
//   - grant.go is the only way to Google, and checks the namespace's grants; revoked.go stops
//     builds that lost theirs, and advice.go has the commands that fix a missing one. URL maps
//     are the exception: they belong to the cluster. repository.go is the only way to the
//     repository (source.go), ancestry.go caches its answers about commits, and repin.go finds
//     out whether a repository that lost its name is back.
//   - border.go and refusal.go end releases that request what none may. origin.go and
//     branch.go find out whether a commit and its repository belong to the application, and
//     attest.go whether admission checked a release's causes.
//   - calls.go calls GitHub, Cloud Build, Cloud Storage and registries in the background;
//     turns.go says which step may wait for an answer. looks.go lets a rollback cancel the
//     current look.
//   - reach.go checks, at long intervals, that the repository can be read and has its branch;
//     reaches.go keeps the results.
//   - takeup.go checks whether the load balancer uses the current routes, and urging.go makes
//     its controller try again. In the background, ask.go asks the public address (address.go)
//     which version answers, and readmap.go reads the load balancer's URL map; asks.go keeps
//     the answers. beside.go ends what runs in the background.
//   - reference_gateway.go and verify_gateway.go are the parts of two acts for a Gateway.
//   - watch.go and watch_gateway.go watch everything that a decision rests on. rbac.go has the
//     rights that all this needs.
//   - measure.go measures the public address around a switch, with the probers of package
//     proof (probers.go), which run between looks, as calls do.
//   - livewatch.go watches the version that users have while its schema is migrated.
//   - metrics.go connects to applications' metrics, and metrics_balancer.go finds the load
//     balancer's names there. metrics_check.go tries out the checks before a release
//     (dryruns.go keeps the results), and metrics_watch.go judges a release during its soak.
//   - route, workload, gate, preflight, proof, analysis, urlmap, cloudbuild and package record
//     are the edges; each has its own tour.
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
//	deploy:   build expand attach stage warm verify promote shift workers switch confirm singletons soak
//	undo:     recall restore withdraw relieve singletons discard
//	rollback: recall size warm verify switch confirm relieve singletons
//	contract: contract
//
// # Decisions
//
// Facts are observed, milestones are recorded. Every look reads the live colour from the
// Ingress. The release records that the gate passed, with which digest and which pod
// template. The switch checks everything that it relies on again. The price is a few reads
// per look.
//
// Only the Deployer has all clients. The fields of an act limit what it can change, so every
// line shows whether it can move users; a test has the list. The price is a page and a half
// of wiring, and small interfaces for parts of clients.
//
// A pause is a state, not a goroutine: an act that has to wait returns, and a watch or a time
// brings it back. So a crash loses nothing, and there is nothing to resume: the next look is
// like every other. The price is that every act must be able to run twice.
//
// No act blocks a look. Calls outside the cluster run in the background, and a step without
// its answer gives up its turn until the answer wakes it. So neither an upload nor an outage
// of GitHub delays a rollback, or the watch of a soak. All calls go through ask, which keeps a
// step's answers until it has them all, instead of a worker for each kind of call. The price
// is that an act starts again for each late answer, and that a call's function must not touch
// the look's state. A process that ends loses its questions, and the next one asks again.
//
// Back-off belongs to the failed call, in the process and not in the record: the claim's
// renewal and every watch wake the failed step, but do not repeat the call. A takeover costs
// one call.
//
// Intent, act, outcome: what cannot be undone (a build, the switch) is recorded before it is
// done, by compare-and-swap. This write fences: a process that lost the claim also loses that
// race, and does not act.
//
// An error's type decides whose fault it is. A *fault ends the release. Any other error is the
// world's, and the step is retried until its deadline. A failed check is not treated as an
// unhealthy application.
//
// Silence is not a sign. On Google's load balancer, users are where they were until something
// shows that its routes in use are the Ingress's. Until then both colours are kept, even if no
// event speaks against the switch. Without a sign, the price is the size of a colour and a
// wait for the next deploy.
//
// A write may be late. So every write tests a value that never comes back, and whoever gives
// up what a write relied on invalidates that value first, see docs/architecture.md. The price
// is a write of the target before every switch.
//
// One look takes as many steps as it can, and writes the record only before an effect and at
// its end. So only tens of milliseconds pass between the last pod's readiness and the switch.
package deployer
