package deployer

import (
	"testing"
)

func TestAncestryIsAskedOnce(t *testing.T) {
	t.Parallel()
	history := newHistory()
	history.commit("b", "a")
	history.commit("c", "a")
	source := RememberAncestry(history)
	ask := func(ancestor, descendant string) bool {
		t.Helper()
		contains, err := source.IsAncestor(t.Context(), "acme/app", history.sha(ancestor), history.sha(descendant))
		check(t, err)
		return contains
	}
	for _, tt := range []struct {
		ancestor, descendant string
		want                 bool
		asked                int // so far
	}{
		{"a", "b", true, 1},
		{"a", "b", true, 1},
		{"b", "a", false, 1}, // b contains a, so a cannot contain b
		{"b", "b", true, 1},
		{"b", "c", false, 2},
		{"c", "b", false, 3}, // neither need contain the other
		{"c", "b", false, 3},
	} {
		if got := ask(tt.ancestor, tt.descendant); got != tt.want {
			t.Errorf("%s contains %s: %v, want %v", tt.descendant, tt.ancestor, got, tt.want)
		}
		if got := history.asked(); got != tt.asked {
			t.Errorf("after %s in %s the source got %d requests, want %d", tt.ancestor, tt.descendant, got, tt.asked)
		}
	}
}
