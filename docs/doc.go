// Package docs holds the pages written for people. Its test holds what they show
// against the code: every BlueGreen in them is accepted by a real API server, and
// the full one shows every field with its default. sandbox/scenario runs them from zero.
package docs
