package command_test

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/bottest"
	"github.com/turnout-dev/turnout/bot/command"
)

// migratedSince: a release changed the schema after users had left the previous version.
func migratedSince(s *v1alpha1.BlueGreenStatus) {
	s.Schema = &v1alpha1.SchemaStatus{Expanded: []v1alpha1.SchemaChange{
		{Release: "shop-9", At: metav1.NewTime(s.LastSwitch.At.Add(time.Second)), Outcome: v1alpha1.MigrationChanged},
	}}
}

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
			"held, and the schema has changed since", bottest.Held, migratedSince, wentBack,
			"on blue: it still runs; its health gate decides first, since `shop-9` changed the database at",
		},
		{
			"hold over, and the schema has changed since", bottest.Shrunk, migratedSince, wentBack,
			"; its health gate decides first, since `shop-9`",
		},
		{
			"held, and the schema changed before", bottest.Held, func(s *v1alpha1.BlueGreenStatus) {
				migratedSince(s)
				s.Schema.Expanded[0].At = metav1.NewTime(s.LastSwitch.At.Add(-time.Second))
			}, wentBack, "on blue: at once",
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
			if atOnce, asks := strings.Contains(text, "at once"), strings.Contains(note, "if it passes its health gate"); atOnce && asks {
				t.Errorf("/status answers %q, and /rollback %q", text, note)
			}
			if atOnce, starts := strings.Contains(text, "at once"), strings.Contains(note, "started first"); atOnce && starts {
				t.Errorf("/status answers %q, and /rollback %q", text, note)
			}
		})
	}
}
