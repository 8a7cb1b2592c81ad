// Package proof asks an application's public address around a switch, and tells
// what its users met: how many requests, how many of them failed that would not
// have before, how long they took, and when the new version came.
//
//   - [Prober] asks: a bounded number of requests a second, every other one on a
//     connection that was kept, the others each on one of its own.
//   - [Tally] counts what was answered. It is a plain value: the time is part of
//     the answers, and nothing in it waits or asks.
//   - [Sentence] says it to a person.
//
// # Decisions
//
// An answer is [Served], [Failed] or [Unseen]. A 5xx, a connection that broke, and
// no answer in time to a request that was written are failures. That no connection
// could be made, or not in time, that none of our names could be resolved, a
// redirect, and a demand to log in or to slow down may be our own trouble: they say
// nothing of the application, and a proof with any of them after the switch claims
// nothing.
//
// A kind of failure that the baseline had is no news, but one stray 503 must not
// hide an outage: it is new as soon as there is clearly more of it than the
// baseline's rate explains, which is more than three failures and three times the
// rate. A checkpoint has no counts of kinds; see [Resume].
//
// What fails before a rollback took effect is the version that it leaves, and may
// go on where front ends lag. Only at the end is it told whether most of what was
// answered since failed: then the rollback helped nobody, which is a failure too.
//
// A server may close a kept connection at any time that it is idle, so that a
// request may be under way on it just then. Whether it was taken up cannot be
// told. Browsers send such a request again on a new connection (RFC 9110, 9.2.2:
// its method is idempotent), and so do we; net/http does for HTTP/1 only, and not
// always. The user waits a little longer, which the times show. A connection that
// breaks on its first request is a failure, and so is an answer that breaks off.
//
// What an answer says of the time before the switch or after goes by its end: a
// request that was under way at the switch and broke was broken by it.
package proof
