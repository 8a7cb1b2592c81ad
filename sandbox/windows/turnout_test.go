package windows

import (
	"slices"
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/sandbox/bench/application"
	"github.com/turnout-dev/turnout/sandbox/bench/cutover"
	"github.com/turnout-dev/turnout/sandbox/turnout"
)

// The real binary, from a merge to the last front end, and back in both ways.
func TestTurnoutLosesNoRequest(t *testing.T) {
	t.Parallel()
	server, err := turnout.Start(t.Context(), turnout.Options{Project: project, World: running.World, Dir: running.dir})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := server.Stop(); err != nil {
			t.Error(err)
		}
	}()
	var said strings.Builder
	report, err := cutover.Run(t.Context(), cutover.Options{
		Project: project, World: running.World, Journal: running.journal, LoadBalancer: balancer(), Turnout: server,
		Application: running.self, Cutovers: 1, Streams: streams, Out: &said,
		Only: []string{cutover.Switch, cutover.Rollback, cutover.RollbackFromZero},
		Times: map[string]any{
			"soak": "1s", "drain": "5s",
			"gate": map[string]any{
				"http":     []any{map[string]any{"path": "/healthz", "port": int64(application.Port)}},
				"interval": "100ms",
			},
			"proof": map[string]any{"versionHeader": application.VersionHeader, "baseline": "1s", "tail": "1s"},
		},
	})
	if err != nil {
		t.Error(err)
	}
	if t.Failed() || testing.Verbose() {
		t.Log(said.String())
	}
	for _, name := range []string{cutover.Switch, cutover.Rollback, cutover.RollbackFromZero} {
		i := slices.IndexFunc(report.Rows, func(r cutover.Row) bool { return r.Name == name })
		if i < 0 || report.Rows[i].Cutovers == 0 {
			t.Errorf("%s was not measured", name)
			continue
		}
		if row := report.Rows[i]; row.Failed > 0 {
			t.Errorf("%s: %d of %d requests failed: %v %v", name, row.Failed, row.Requests, row.Failures, row.Refusals)
		}
	}
}
