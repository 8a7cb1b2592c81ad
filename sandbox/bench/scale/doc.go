// Package scale measures Turnout with many applications: the real binary on a real API
// server, whose pods are simulated. Nothing runs in them, and their status is written
// here, so that what is measured is the controllers' work.
//
// One application after the other is released for the reaction; then all that follow
// one branch at once.
package scale
