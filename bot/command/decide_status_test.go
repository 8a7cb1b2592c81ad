package command_test

import (
	"strings"
	"testing"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

func TestStatusPromisesARollbackOnlyWhereItWouldBeDone(t *testing.T) {
	tests := []struct {
		name   string
		at     bottest.Stage
		change func(*v1alpha1.BlueGreenStatus)
		does   string // what /rollback is decided to be
		says   string // part of the answer to /status
	}{
		{"held", bottest.Held, func(*v1alpha1.BlueGreenStatus) {}, wentBack, "returns to `0a0a0a0` on blue: at once"},
		{
			"hold over", bottest.Shrunk, func(*v1alpha1.BlueGreenStatus) {}, wentBack,
			"returns to `0a0a0a0` on blue: its pods would be started first",
		},
		{
			"full size, and no pod ready", bottest.Held,
			func(s *v1alpha1.BlueGreenStatus) { s.WayBack.Ready, s.WayBack.Missing = 0, "no pod is ready" },
			wentBack, "its pods would be started first, since no pod is ready",
		},
		{
			"traffic moved by somebody else", bottest.Held, func(s *v1alpha1.BlueGreenStatus) { s.Live.Color = v1alpha1.Blue }, refused,
			"until then `/rollback` does not work",
		},
		{"nothing is live", bottest.Held, func(s *v1alpha1.BlueGreenStatus) { s.Live = nil }, refused, "nothing is live"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := bottest.Situation(tt.at)
			tt.change(&s.App.Status)
			s.Command.Verb = command.Rollback
			got, note := bottest.Kind(command.Decide(s))
			if got != tt.does {
				t.Fatalf("/rollback: decided %s, %q; want %s", got, note, tt.does)
			}
			s.Command.Verb = command.Status
			_, text := bottest.Kind(command.Decide(s))
			if !strings.Contains(text, tt.says) {
				t.Errorf("/status answers %q, want …%s…", text, tt.says)
			}
			if promised := strings.Contains(text, "returns to"); promised != (got == wentBack) {
				t.Errorf("/status answers %q, and /rollback is %s", text, got)
			}
			if atOnce, starts := strings.Contains(text, "at once"), strings.Contains(note, "started first"); atOnce && starts {
				t.Errorf("/status answers %q, and /rollback %q", text, note)
			}
		})
	}
}
