// Package bot is GitHub's side of Turnout. It turns what people do on GitHub into releases,
// and releases into what people see on GitHub. It touches no workload.
//
// In: [Webhook] verifies a delivery, [Decode] turns it into an [Event], and the [Inbox]
// stores it as a Delivery, durably, before GitHub gets its 202. From there the leader
// handles it: package command finds the command of a comment and decides it, the decision
// goes into the [Record], and package report makes the answer. The [Sweep] recovers what
// was never stored.
//
// Out: package report makes what GitHub should show of a release, and the [Publisher]
// writes it with package githubapp. Both read only the record. Whatever they keep in memory
// they can find again.
//
// Package bottest has releases for tests, and package githubtest is a GitHub to test
// against.
//
// # Tour
//
//   - webhook.go answers GitHub, with the checks of signature.go and the limits of
//     webhook_body.go. event.go decodes.
//   - inbox.go stores an event as a Delivery. inbox_work.go handles it later: inbox_push.go a
//     push, inbox_command.go a comment. inbox_execute.go reads what a decision depends on, and
//     carries it out; inbox_lock.go does so for locks. submit.go finds a free name for a
//     release, respond.go answers, and inbox_thread.go keeps the commands of a pull request in
//     order. inbox_quota.go limits answers to strangers, inbox_tidy.go deletes old deliveries.
//   - publish.go makes GitHub show a release: its pull requests (publish_pulls.go, with the
//     cache of publish_searches.go), its deployment (publish_deployment.go) and its comments
//     (publish_comment.go). publish_thread.go has the [Publisher] and one call of it,
//     publish_pace.go the times between writes. publish_settle.go removes what was written
//     twice.
//   - sweep.go has the [Sweep], record.go the [Record]. memory.go and expiring.go are caches.
//
// # Decisions
//
// A merge is the push to the branch, not pull_request.closed. The push has the commit that
// the branch has, also for merge queues, rebases and direct pushes.
//
// Everything published is a pure function of the record. The bot compares it with what it
// published last, instead of sending messages when something happens. That costs a digest
// per look at a release; in return, the next look repairs any crash.
//
// The bot stores an event before it handles it, and does not handle it within the request.
// That costs a write and a few milliseconds per push and command. In return, neither an
// outage of GitHub nor a crash loses an event, the bot notices a delivery that ends the
// process, and recognises a replay.
//
// The cheapest checks of a comment come first: a scan for a line that begins like a
// command, the record, the author's permission as cached for a minute, and only then the
// Markdown parser. Before it executes a command, the bot asks for the author's permission
// again.
//
// The sweep never releases the first commit of an application. A BlueGreen without releases
// adopts what is live, and waits for its first push.
package bot
