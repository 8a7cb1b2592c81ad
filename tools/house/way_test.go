package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func loadFixture(t *testing.T) *house {
	t.Helper()
	h, err := load("testdata/houses", []string{"."})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestReadsList(t *testing.T) {
	got, err := loadFixture(t).readList()
	if err != nil {
		t.Fatal(err)
	}
	want := []leg{
		{{"way.apart", "way/end.go"}, {"way.start", "way/way.go"}},
		{{"way.walker.byTable", "way/way.go"}, {"way.byField", "way/way.go"}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("legs (-want +got):\n%s", diff)
	}
}

func TestPrintsHowFarItIs(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-C", "testdata/houses", "."}, &out); err != nil {
		t.Fatal(err)
	}
	want := "\nFrom a webhook to the patch of the Ingress: 4 functions in 2 files. From `way.walker.byTable` on: 2 functions in 1 files.\n"
	if !strings.Contains(out.String(), want) {
		t.Errorf("the report has no %q:\n%s", want, &out)
	}
}

func TestFollowsList(t *testing.T) {
	h := loadFixture(t)
	start, table := stop{"way.start", "way/way.go"}, stop{"way.walker.byTable", "way/way.go"}
	field, end := stop{"way.byField", "way/way.go"}, stop{"way.end", "way/end.go"}
	iface := stop{"way.base.byInterface", "way/end.go"}
	for name, test := range map[string]struct {
		legs []leg
		want []string
	}{
		"by a table, a field, an interface and a variable": {legs: []leg{{start, table, field, iface, end}}},
		"from one leg to the next nothing is called":       {legs: []leg{{end}, {start}}},
		"left out": {
			legs: []leg{{table, end}},
			want: []string{
				"docs/architecture.md lists `way.end` (`way/end.go`) after `way.walker.byTable` (`way/way.go`), which does not call it; " +
					"list between them: `way.byField` (`way/way.go`), then `way.base.byInterface` (`way/end.go`)",
			},
		},
		"backwards": {
			legs: []leg{{end, start}},
			want: []string{
				"docs/architecture.md lists `way.start` (`way/way.go`) after `way.end` (`way/end.go`), which does not call it, " +
					"nor anything that does: list what happens instead",
			},
		},
		"moved to another file": {
			legs: []leg{{field, {"way.base.byInterface", "way/interface.go"}}},
			want: []string{
				"docs/architecture.md lists `way.base.byInterface` (`way/interface.go`), which is `way.base.byInterface` (`way/end.go`)",
			},
		},
		"renamed": {
			legs: []leg{{table, {"way.runner.byField", "way/way.go"}}},
			want: []string{
				"docs/architecture.md lists `way.runner.byField`, which does not exist; these do: `way.byField` (`way/way.go`)",
			},
		},
		"gone from the middle": {
			legs: []leg{{start, {"way.walker.byHand", "way/way.go"}, field}},
			want: []string{
				"docs/architecture.md lists `way.walker.byHand`, which does not exist",
				"docs/architecture.md lists `way.byField` (`way/way.go`) after `way.start` (`way/way.go`), which does not call it; " +
					"list between them: `way.walker.byTable` (`way/way.go`)",
			},
		},
		"gone": {
			legs: []leg{{{"way.nowhere", "way/way.go"}}},
			want: []string{"docs/architecture.md lists `way.nowhere`, which does not exist"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, h.follow(test.legs)); diff != "" {
				t.Errorf("said otherwise (-want +got):\n%s", diff)
			}
		})
	}
}
