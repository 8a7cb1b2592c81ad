// Package controlplanetest is what the tests of several packages need around a
// control plane of their own.
package controlplanetest

import (
	"context"
	"fmt"
	"os"
	"testing"

	"github.com/turnout-dev/turnout/internal/controlplane"
)

// Run runs the tests of a package that share a control plane, which it hands over
// before the first one, and returns what the process is to exit with: a package's
// TestMain is os.Exit(controlplanetest.Run(…)).
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
