// Package controlplanetest helps tests that use a control plane: [Run] shares one among a
// package's tests, [InstallPolicies] installs the admission policies, and [StartKubelet]
// adds a node.
package controlplanetest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/turnout-dev/turnout/internal/controlplane"
)

// Run starts a control plane for the tests of a package, assigns it to shared, runs the
// tests, and returns the exit status. A package's TestMain is
// os.Exit(controlplanetest.Run(…)).
func Run(m *testing.M, o controlplane.Options, shared **controlplane.ControlPlane) (status int) {
	cp, err := controlplane.Start(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer cp.Stop()
	*shared = cp
	return m.Run()
}
