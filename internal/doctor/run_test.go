package doctor

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// codesOf are the codes of a check's findings.
func codesOf(r Result) []Code {
	var all []Code
	for _, f := range r.Findings {
		all = append(all, f.Code)
	}
	return all
}

// A check that fails, panics or never ends is unknown, keeps what it found, and hides no other.
func TestOneChecksTroubleHidesNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		found := []Finding{{Code: CodeNotGranted, Severity: SeverityError, Object: "o"}}
		forever := make(chan struct{})
		start := time.Now()
		results := run(t.Context(), []Check{
			{AreaCluster, "fails", func(context.Context) ([]Finding, error) { return found, errors.New("no answer") }},
			{AreaCluster, "panics", func(context.Context) ([]Finding, error) { panic("oh") }},
			{AreaCluster, "hangs", func(context.Context) ([]Finding, error) { <-forever; return nil, nil }},
			{AreaCluster, "waits", func(ctx context.Context) ([]Finding, error) { <-ctx.Done(); return nil, ctx.Err() }},
			{AreaCluster, "well", func(context.Context) ([]Finding, error) { return nil, nil }},
		}, time.Minute)
		if took := time.Since(start); took != time.Minute {
			t.Errorf("it took %s", took)
		}
		want := [][]Code{{CodeNotGranted, CodeUnchecked}, {CodeUnchecked}, {CodeUnchecked}, {CodeUnchecked}, nil}
		for i, r := range results {
			if diff := cmp.Diff(want[i], codesOf(r)); diff != "" || r.Well != (want[i] == nil) {
				t.Errorf("%s: well %v (-want +got)\n%s", r.Check, r.Well, diff)
			}
		}
		if got := results[2].Findings[0].Message; !strings.Contains(got, "no answer within 1 min") {
			t.Errorf("a check that hangs says %q", got)
		}
		close(forever)
	})
}

// A report is bounded, and the worst comes first and is kept.
func TestAReportIsBounded(t *testing.T) {
	t.Parallel()
	var many []Finding
	for i := range 3 * maxFindings {
		many = append(many, Finding{Code: CodePreflight, Severity: SeverityWarning, Object: fmt.Sprint(i), Message: strings.Repeat("x", 1<<20)})
	}
	many = append(many, Finding{Code: CodeBlocked, Severity: SeverityError, Object: "last"})
	results := Run(t.Context(), []Check{{AreaCluster, "many", func(context.Context) ([]Finding, error) { return many, nil }}})
	all := results[0].Findings
	if len(all) != maxFindings+1 || all[0].Code != CodeBlocked || all[maxFindings].Code != CodeMore {
		t.Errorf("%d findings, the first is %q and the last %q", len(all), all[0].Code, all[len(all)-1].Code)
	}
	if !strings.HasPrefix(all[maxFindings].Message, "101 more") || results[0].Well {
		t.Errorf("it ends with %q; well %v", all[maxFindings].Message, results[0].Well)
	}
	for _, f := range all {
		if len(f.Message) > maxText {
			t.Fatalf("a message has %d bytes", len(f.Message))
		}
	}
}

// What an object has beyond config/ does not matter, except in a list.
func TestAnObjectHasWhatConfigSets(t *testing.T) {
	t.Parallel()
	want := map[string]any{
		"a": int64(1), "m": map[string]any{"x": "y"}, "l": []any{map[string]any{"n": "1"}}, "e": map[string]any{},
		"nil": nil,
	}
	have := func(change func(map[string]any)) map[string]any {
		o := map[string]any{
			"a": int64(1), "m": map[string]any{"x": "y", "more": true}, "l": []any{map[string]any{"n": "1", "more": true}}, "status": "any",
		}
		change(o)
		return o
	}
	for field, change := range map[string]func(map[string]any){
		"":       func(map[string]any) {},
		"a":      func(o map[string]any) { o["a"] = int64(2) },
		"m":      func(o map[string]any) { o["m"] = "text" },
		"m.x":    func(o map[string]any) { delete(o["m"].(map[string]any), "x") },
		"l":      func(o map[string]any) { o["l"] = append(o["l"].([]any), "more") },
		"l[0].n": func(o map[string]any) { o["l"].([]any)[0] = map[string]any{"n": "2"} },
	} {
		var fields []string
		if field != "" {
			fields = []string{field}
		}
		if diff := cmp.Diff(fields, lacks(want, have(change))); diff != "" {
			t.Errorf("%s (-want +got)\n%s", field, diff)
		}
	}
}

// docs/doctor.md explains every code, and no other.
func TestEveryCodeIsExplained(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../docs/doctor.md")
	if err != nil {
		t.Fatal(err)
	}
	var explained []string
	for _, match := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\|").FindAllStringSubmatch(string(text), -1) {
		explained = append(explained, match[1])
	}
	file, err := parser.ParseFile(token.NewFileSet(), "codes.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok {
			codes = append(codes, strings.Trim(lit.Value, `"`))
		}
		return true
	})
	slices.Sort(codes)
	slices.Sort(explained)
	if diff := cmp.Diff(codes, explained); diff != "" || len(codes) == 0 {
		t.Errorf("codes, and those of docs/doctor.md (-codes +docs)\n%s", diff)
	}
}
