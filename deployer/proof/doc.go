// Package proof sends requests to an application's public address around a switch, and reports
// what its users experience: how many requests there were, how many failed that would not have
// failed before, how long they took, and when the new version appeared.
//
//   - [Prober] sends a bounded number of requests a second, alternately on a kept
//     connection and on a new one.
//   - [Tally] counts the answers. It is a plain value: answers carry their times, and
//     nothing in it waits or sends.
//   - [Sentence] describes it to a person.
//
// # Decisions
//
// An answer is [Served], [Failed] or [Unseen]. Failures are a 5xx, a broken connection, and no
// answer in time to a request that was written. Other trouble may be our own: no connection, or
// not in time; a name that does not resolve; a redirect; a demand to log in or to slow down. It
// is no evidence about the application, and a proof with any of it after the switch claims
// nothing.
//
// A kind of failure that the baseline had is not new, but one stray 503 must not hide an outage.
// It is new once there is clearly more of it than the baseline's rate explains: more than three
// failures plus three times the rate. A checkpoint has no counts of kinds; see [Resume].
//
// Failures before a rollback takes effect belong to the version that it leaves, and may continue
// while front ends lag. Only at the end does the proof check whether most answers since then
// failed. If so, the rollback helped nobody, which is also a failure.
//
// A server may close an idle kept connection even while a request is on its way. Nobody can tell
// whether the server has processed that request. Browsers send it again on a new connection (RFC
// 9110, 9.2.2: its method is idempotent), and so do we; net/http does so only for HTTP/1, and not
// always. The user waits a little longer, which the times show. A connection that breaks on its
// first request is a failure, and so is an answer that breaks off.
//
// While a canary divides users, the prober asks once a second, since that may take hours and an
// analysis counts these requests, too. Its answers are neither the baseline's nor those after the
// switch. A breach takes as many requests there as elsewhere, 200, so it may take 200 s. What
// names the version of the baseline is not the new version's fault, unless both have that name.
//
// The end of a request decides whether it belongs to the time before the switch or after: the
// switch broke a request that was in flight at that moment.
package proof
