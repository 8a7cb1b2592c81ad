// Package analysis asks for metrics of a colour, and judges them.
//
// # Tour
//
//   - check.go: [Compile] makes the checks of a spec, or says what is wrong with each.
//   - template.go: [Template] is a query of PromQL with variables, which are escaped.
//   - pass.go: [Pass] is an expression in CEL over a value and the one before.
//   - exact.go: [MoreErrors] is Fisher's exact test.
//   - verdict.go: [Check.Judge] makes of a reading a verdict, or says why there is none.
//   - ready.go: the checks that Google's load balancer has metrics for.
//   - client.go: [Client] asks a Prometheus, or Cloud Monitoring, which speaks its API.
//   - read.go: [Read] asks it for all that the checks need of one window.
//
// When to ask, and what follows from verdicts, is for package track.
//
// # Decisions
//
// A window is as long as the time from one judgement to the next, so that no request is
// judged twice, and each query is asked for the window's own end: one that is asked late
// gets the same answer. For that, every range of a query is [$window], and none is
// shifted by offset or @. What a query reads without a range is at most as old as the
// window, too, as far as the server has Prometheus' lookback_delta.
//
// Variables stand in string literals alone, escaped for the literal and, where it is a
// regular expression, for that. So no name of an object can change what is asked.
//
// A value from before the switch that is missing is unknown to CEL, not absent: an
// expression has a result if that does not depend on it, such as value < 0.01 ||
// value < other * 2.0.
//
// cel.dev/cel-go instead of k8s.io/apiserver's CEL, which brings the whole API server.
// PromQL is not parsed here: its parser's module is Prometheus, which brings some
// hundred others.
package analysis
