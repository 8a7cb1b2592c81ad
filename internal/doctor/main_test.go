package doctor

import (
	"os"
	"testing"

	"github.com/turnout-dev/turnout/internal/controlplane"
	"github.com/turnout-dev/turnout/internal/controlplane/controlplanetest"
)

var plane *controlplane.ControlPlane

func TestMain(m *testing.M) { os.Exit(controlplanetest.Run(m, controlplane.Options{}, &plane)) }
