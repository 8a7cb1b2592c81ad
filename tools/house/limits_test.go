package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestHouseIsInOrder holds the numbers of the whole repository, and the list of
// docs/architecture.md.
func TestHouseIsInOrder(t *testing.T) {
	h, err := load("../..", []string{".", "sandbox"})
	if err != nil {
		t.Fatal(err)
	}
	r, err := measure(h)
	if err != nil {
		t.Fatal(err)
	}
	for _, fault := range r.Faults {
		t.Error(fault)
	}
	if len(r.Legs) != 6 {
		t.Errorf("%s has %d legs under %q, want 6: from GitHub, from the watch of Deliveries, a command and its decision, and two from "+
			"the watch of Releases", listFile, len(r.Legs), listHeading)
	}
	if len(r.Packages) < 30 {
		t.Fatalf("only %d packages were measured", len(r.Packages))
	}
	for _, fault := range judge(r, exceptions) {
		t.Error(fault)
	}
	for _, e := range exceptions {
		if e.why == "" {
			t.Errorf("the exception of %s for %s has no reason", e.pkg, e.of)
		}
	}
}

func TestJudgesNumbers(t *testing.T) {
	files := func(n int) []string {
		return []string{"a.go", "b.go", "c.go", "d.go", "e.go", "f.go", "g.go", "h.go", "i.go", "j.go", "k.go"}[:n]
	}
	for name, test := range map[string]struct {
		is         layout
		exceptions []exception
		want       []string
	}{
		"at the limits": {is: layout{Package: "bot", Cycle: files(5), Type: "view", Methods: 20}},
		"over all limits": {
			is: layout{Package: "bot", Cycle: files(6), Type: "view", Methods: 21, LongLines: []string{"bot/a.go:1"}},
			want: []string{
				"bot has 6 files in one cycle, want 5 at most: move what they share to a separate file; " +
					"make house WHY=bot says what ties them",
				"bot has 21 methods of the largest type, want 20 at most: split view, or turn methods that need little of it into functions",
				"bot has 1 lines that are too long, want 0 at most: wrap bot/a.go:1",
			},
		},
		"elsewhere a longer circle, and any type": {is: layout{Package: "sandbox/node", Cycle: files(10), Methods: 100}},
		"elsewhere, too long": {
			is: layout{Package: "bot/githubtest", Cycle: files(11)},
			want: []string{
				"bot/githubtest has 11 files in one cycle, want 10 at most: move what they share to a separate file; " +
					"make house WHY=bot/githubtest says what ties them",
			},
		},
		"excepted": {
			is:         layout{Package: "bot", Cycle: files(7)},
			exceptions: []exception{{pkg: "bot", of: cycleOfFiles, now: 7}},
		},
		"excepted, and risen": {
			is:         layout{Package: "bot", Methods: 31, Type: "view"},
			exceptions: []exception{{pkg: "bot", of: methodsOfType, now: 30}},
			want: []string{
				"bot has 31 methods of the largest type, want 30 at most: split view, or turn methods that need little of it into functions",
			},
		},
		"excepted, and fallen": {
			is:         layout{Package: "bot", Cycle: files(7)},
			exceptions: []exception{{pkg: "bot", of: cycleOfFiles, now: 9}},
			want: []string{
				"bot has only 7 files in one cycle: write 7 instead of 9 in tools/house/exceptions.go, so that it stays there",
			},
		},
		"excepted, and in order": {
			is:         layout{Package: "bot", Cycle: files(5)},
			exceptions: []exception{{pkg: "bot", of: cycleOfFiles, now: 9}},
			want:       []string{"bot has only 5 files in one cycle: take its exception out of tools/house/exceptions.go"},
		},
		"excepted, and gone": {
			is:         layout{Package: "bot"},
			exceptions: []exception{{pkg: "robot", of: cycleOfFiles, now: 9}},
			want:       []string{"tools/house/exceptions.go has robot, whose files in one cycle are not measured"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, judge(report{Packages: []layout{test.is}}, test.exceptions)); diff != "" {
				t.Errorf("said otherwise (-want +got):\n%s", diff)
			}
		})
	}
}
