// Package scale measures Turnout with many applications: the real binary on a real API server,
// with simulated pods. Nothing runs in the pods, and this package writes their status, so only
// the controllers' work is measured.
//
// Applications are released one after the other to measure the reaction, and then all that follow
// one branch at once.
package scale
