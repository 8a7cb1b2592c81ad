// Package bot is GitHub's side of Turnout: it turns what people do on GitHub into
// releases, and releases into what people see on GitHub. It touches no workload.
//
// In: [Webhook] verifies a delivery, [Decode] makes it an [Event], and the [Inbox]
// stores what has to be handled as a Delivery, durably, before GitHub gets its 202.
// From there the leader handles it: package command finds the command of a comment and
// decides on it, the decision goes into the [Record], and package report words the
// answer. The [Sweep] recovers what was never stored.
//
// Out: package report determines what GitHub should show of a release, and the
// [Publisher] writes it, through package githubapp. Both read only the record, and keep
// nothing in memory that they could not find again.
//
// # Decisions
//
// A merge is the push to the branch, not pull_request.closed: the push has the commit
// that the branch has, also for merge queues, rebases and direct pushes.
//
// Everything published is a pure function of the record, and is compared with what was
// published last, instead of being sent where something happens. It costs a digest for
// every release looked at, and a crash at any point is repaired by looking again.
//
// An event is stored before it is handled, instead of being handled within the request.
// It costs a write and a few milliseconds for every push and command. In return neither
// an outage of GitHub nor a death of the process loses an event, a delivery that ends
// the process is noticed, and a replay is recognised.
//
// The cheapest checks of a comment come first: a scan for a line that begins as a
// command, the record, its author's permission as known for a minute, and only then the
// Markdown parser. Execution depends on the author's permission at that moment.
//
// The first commit of an application is never released by the sweep: a BlueGreen
// that has no release yet adopts what is live, and waits for its first push.
package bot
