// Package docs has the pages for people, and tests that compare them with the code. A real
// API server accepts every BlueGreen in them, and the full one shows every field with its
// default. Links lead somewhere, named files exist, README.md stays short, and measured
// numbers are those of the benchmark. sandbox/scenario runs the examples from zero.
package docs
