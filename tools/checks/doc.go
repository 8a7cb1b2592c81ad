// Package checks has the tests of files that others' programs read: workflows,
// judged by actionlint, and alert rules and the dashboard, judged by Prometheus's
// own parsers. It has no code.
package checks
