// Package analysis reads metrics of a colour, and judges them.
//
// # Tour
//
//   - check.go: [Compile] compiles the checks of a spec, or reports what is wrong with each.
//   - template.go: [Template] is a PromQL query with variables, which are escaped.
//   - pass.go: [Pass] is a CEL expression over a value and the one before.
//   - exact.go: [MoreErrors] is Fisher's exact test.
//   - verdict.go: [Check.Judge] turns a reading into a verdict, or reports why there is none.
//   - ready.go: the checks that Google's load balancer has metrics for.
//   - client.go: [Client] queries a Prometheus, or Cloud Monitoring, which has the same API.
//   - read.go: [Read] reads everything that the checks need for one window.
//
// Package track decides when to read, and what follows from verdicts.
//
// # Decisions
//
// A window is as long as the time between two judgements, so that no request is judged twice.
// Each query is evaluated at the window's own end, so a late query gets the same answer. For
// that, every range of a query is [$window], and none is shifted by offset or @. A value without
// a range is also at most as old as the window, if the server supports Prometheus'
// lookback_delta.
//
// Variables stand only in string literals. They are escaped for the literal and, in a regular
// expression, for that as well. So no name of an object can change the query.
//
// A missing value from before the switch is unknown to CEL, not absent: an expression that does
// not depend on it has a result, such as value < 0.01 || value < other * 2.0.
//
// cel.dev/cel-go instead of k8s.io/apiserver's CEL, which brings the whole API server. PromQL is
// not parsed here: its parser's module is Prometheus, which brings some hundred others.
package analysis
