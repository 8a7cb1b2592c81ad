//go:build tools

// Package ingressgce pins the version of Google's own controllers for Ingresses
// and network endpoint groups. The Makefile builds their program into bin/.
package ingressgce

import _ "k8s.io/ingress-gce/cmd/glbc"
