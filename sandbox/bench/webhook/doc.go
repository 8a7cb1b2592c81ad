// Package webhook measures how Turnout takes a flood of webhooks: the real binary on a real API
// server, and GitHub's stand-in sending at a steady rate, whether or not answers have come.
//
// Nine of ten events concern no application; the rest are pushes to branches that applications
// follow, new ones and such as were sent before. offered.go makes the events, run.go sends them and
// counts, slow.go stands before the API server and makes it slower.
//
// # Decisions
//
// A delivery's time runs from the moment at which it was due, so that a late generator counts
// against the measured figures, not for them.
//
// The applications have no Deployments. Each accepted push becomes a Release all the same, and
// Turnout looks at it, beside the webhooks, on the same processors.
package webhook
