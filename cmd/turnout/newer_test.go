package main

import (
	"fmt"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// The command line and the action may be older than the Turnout in the cluster.
func TestOlderProgramRefusesTheRecordOfANewerOne(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.status(func(st *v1alpha1.BlueGreenStatus) { st.Format = v1alpha1.Format + 1 })
	before := s.app.ResourceVersion
	says := func(how string, code int, text string) {
		t.Helper()
		if code != exitTrouble || !strings.Contains(text, fmt.Sprint("written by a newer Turnout, in format ", v1alpha1.Format+1)) ||
			!strings.Contains(text, "upgrade this Turnout") {
			t.Errorf("%s ends with %d and says %q", how, code, text)
		}
	}
	for _, args := range [][]string{
		{"deploy", "shop", "--commit", shaB},
		{"rollback", "shop"},
		{"promote", "shop"},
		{"cancel", "shop"},
		{"confirm", "shop"},
		{"status", "shop"},
		{"status"},
		{"releases", "shop"},
	} {
		got := s.run(args...)
		if got.err == nil {
			t.Fatalf("%v is carried out: %s", args, got.stdout)
		}
		says(strings.Join(args, " "), got.code, got.err.Error())
	}
	for _, command := range []string{"deploy", "rollback"} {
		got := s.step(map[string]string{"command": command})
		says("the Action's "+command, got.code, got.stdout)
	}
	check(t, s.admin.Get(t.Context(), client.ObjectKeyFromObject(s.app), s.app))
	if made := s.releases(); made != "" || s.app.ResourceVersion != before {
		t.Errorf("releases %q were made, and the application went from version %s to %s", made, before, s.app.ResourceVersion)
	}
}
