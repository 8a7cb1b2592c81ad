package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fixture is the tool's JSON output for a small module below testdata.
func fixture(t *testing.T) map[string]layout {
	t.Helper()
	var out bytes.Buffer
	if err := run([]string{"-C", "testdata/houses", "-o", "json", "."}, &out); err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(out.Bytes(), &r); err != nil {
		t.Fatalf("reading %s: %v", &out, err)
	}
	layouts := map[string]layout{}
	for _, l := range r.Packages {
		layouts[l.Package] = l
	}
	return layouts
}

func TestMeasuresPackage(t *testing.T) {
	want := layout{
		Package:   "small",
		Files:     4,
		Cycle:     []string{"line.go", "order.go", "price.go"},
		Type:      "Order", // its own, and two of what it embeds; none that is generated
		Methods:   3,
		Functions: functions{Count: 5, P50: 5, P90: 7, Max: 7},
		LongLines: []string{"small/base.go:11", "small/base_test.go:3"},
	}
	if diff := cmp.Diff(want, fixture(t)["small"]); diff != "" {
		t.Errorf("measured otherwise (-want +got):\n%s", diff)
	}
}

func TestMeasuresCallsApart(t *testing.T) {
	want := []string{"ping.go", "pong.go"}
	l := fixture(t)["calls"]
	if diff := cmp.Diff(want, l.Calls); diff != "" {
		t.Errorf("files that call each other (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(append(want, "table.go"), l.Cycle); diff != "" {
		t.Errorf("files that use each other, one by the value of a function (-want +got):\n%s", diff)
	}
}

func TestPrintsForPeople(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-C", "testdata/houses", "."}, &out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"| `small` | 4 | 3 | 0 | 3 of `Order` | 5/7/7 | 2 |\n",
		"\n`small`, one cycle of 3: line.go, order.go, price.go.\n",
		"\n`small`, lines over 140 columns: small/base.go:11, small/base_test.go:3.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the report has no %q:\n%s", want, &out)
		}
	}
}

func TestPrintsTies(t *testing.T) {
	var out bytes.Buffer
	if err := run([]string{"-C", "testdata/houses", "-why", "small", "."}, &out); err != nil {
		t.Fatal(err)
	}
	want := `small: 3 of 4 files in one cycle
line.go uses
	order.go: Order
	price.go: priceOf
order.go uses
	line.go: Line, Line.price
price.go uses
	line.go: Line
	order.go: Order
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("ties (-want +got):\n%s", diff)
	}
}

func TestPercentile(t *testing.T) {
	numbers := []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}
	for p, want := range map[int]int{0: 1, 50: 5, 90: 9, 91: 10, 100: 10} {
		if got := percentile(numbers, p); got != want {
			t.Errorf("percentile %d is %d, want %d", p, got, want)
		}
	}
	if got := percentile(nil, 50); got != 0 {
		t.Errorf("percentile of nothing is %d", got)
	}
}
