// Package controlplanetest is what the tests of several packages need around a
// control plane of their own.
package controlplanetest

import (
	"context"
	"log"
	"os"
	"testing"

	"github.com/turnout-dev/turnout/internal/controlplane"
)

// Main runs the tests of a package that share a control plane, which it hands
// over before the first one. It is a package's TestMain, and does not return.
func Main(m *testing.M, o controlplane.Options, shared **controlplane.ControlPlane) {
	cp, err := controlplane.Start(context.Background(), o)
	if err != nil {
		log.Fatal(err)
	}
	*shared = cp
	code := m.Run()
	cp.Stop()
	os.Exit(code)
}
