// Package bot is GitHub's side of Turnout: it turns what people do on GitHub into
// releases, and releases into what people see on GitHub. It touches no workload.
//
// In: [Webhook] verifies a delivery, [Decode] makes it an [Event], [ParseCommand]
// finds the [Command] of a comment, [Decide] says what becomes of it, and the
// [Inbox] writes that to the [Record], durably, before GitHub gets its 202. The
// [Sweep] recovers what was lost on the way.
//
// Out: [Report] says what GitHub should show of a release, and the [Publisher]
// makes it so. Both look at the record alone; none remembers anything that it
// could not find again.
//
// # Decisions
//
// The push to the branch is the merge, not pull_request.closed: its commit is
// what the branch has, also for merge queues, rebases and direct pushes.
//
// A command never selects a commit: /promote means the commit that merging the
// pull request made, and a hash typed with it may only confirm that. Nobody can
// push something else between the typing and the reading.
//
// Everything published is a pure function of the record and compared with what
// was published last, instead of being sent where something happens. It costs a
// digest for every release looked at, and buys that a crash at any point is
// repaired by looking again.
//
// The first commit of an application is never released by the sweep: a BlueGreen
// that has no release yet adopts what is live, and waits for its first push.
package bot
