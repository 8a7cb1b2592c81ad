// Package bot is GitHub's side of Turnout: it turns what people do on GitHub into
// releases, and releases into what people see on GitHub. It touches no workload.
//
// In: [Webhook] verifies a delivery, [Decode] makes it an [Event], and the [Inbox]
// writes what has to be handled down as a Delivery, durably, before GitHub gets its
// 202. From there the leader works it off: package command finds the command of a
// comment and decides what becomes of it, the decision goes into the [Record], and
// package report words the answer. The [Sweep] recovers what was never written down.
//
// Out: package report says what GitHub should show of a release, and the [Publisher]
// makes it so, through package githubapp. Both look at the record alone; none remembers
// anything that it could not find again.
//
// # Decisions
//
// The push to the branch is the merge, not pull_request.closed: its commit is
// what the branch has, also for merge queues, rebases and direct pushes.
//
// Everything published is a pure function of the record and compared with what
// was published last, instead of being sent where something happens. It costs a
// digest for every release looked at, and buys that a crash at any point is
// repaired by looking again.
//
// What is received is written down before anything of it is done, instead of being
// done within the request. It costs a write and a few milliseconds for every push and
// command, and buys that neither an outage of GitHub nor a death of the process loses
// one, that a delivery which ends the process is noticed, and that a replay is known.
//
// A comment is judged by what costs least first: a scan for a line that begins as a
// command, the record, what its author may do as known for a minute, and only then
// the Markdown parser. What is executed rests on the author's permission as asked at
// that moment.
//
// The first commit of an application is never released by the sweep: a BlueGreen
// that has no release yet adopts what is live, and waits for its first push.
package bot
