// Package scale measures tools with many applications: Turnout's real binary, and another
// controller of the caller's choice, each on a real API server of its own, with simulated pods.
// Nothing runs in the pods, and this package writes their status, so only the controllers' work is
// measured.
//
// One application is released again and again to measure the reaction, and then many at once.
package scale
