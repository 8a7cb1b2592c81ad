package analysis

import (
	"errors"
	"strings"
	"testing"
)

func TestExpressionsOverAValue(t *testing.T) {
	t.Parallel()
	one := 1.0
	tests := []struct {
		pass    string
		value   float64
		other   *float64
		want    bool
		unknown bool
	}{
		{"value < 0.01", 0.005, nil, true, false},
		{"value < 0.01", 0.01, nil, false, false},
		{"value < 1", 0.5, nil, true, false}, // whole numbers are compared, too
		{"value <= other * 1.5", 1.5, &one, true, false},
		{"value <= other * 1.5", 1.6, &one, false, false},
		{"value <= other * 1.5", 1.6, nil, false, true},
		{"value < 2.0 || value < other * 2.0", 1.5, nil, true, false}, // it does not depend on other
		{"value < 1.0 || value < other * 2.0", 1.5, nil, false, true},
		{"value < 1.0 && value < other * 2.0", 1.5, nil, false, false},
	}
	for _, tt := range tests {
		p, err := CompilePass(tt.pass)
		if err != nil {
			t.Fatal(err)
		}
		got, err := p.Holds(tt.value, tt.other)
		if got != tt.want || errors.Is(err, errUnknown) != tt.unknown || err != nil && !tt.unknown {
			t.Errorf("%s with %v, %v: %t, %v; want %t, unknown: %t", tt.pass, tt.value, tt.other, got, err, tt.want, tt.unknown)
		}
	}
}

func TestExpressionsThatAreNone(t *testing.T) {
	t.Parallel()
	tests := []struct{ pass, want string }{
		{"value <", "column"},
		{"value * 2 < 1.0", "write numbers with a point"},
		{"value", "it is a double, and must be true or false"},
		{"vaule < 1.0", "undeclared reference to 'vaule'"},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "recursion"},
		{"[1, 2, 3].all(x, x > 0)", "undeclared reference"}, // loops cost
	}
	for _, tt := range tests {
		if _, err := CompilePass(tt.pass); err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v, want in it %q, in one line", tt.pass, err, tt.want)
		}
	}
}

// An expensive expression ends at its cost limit.
func TestExpressionsHaveACost(t *testing.T) {
	t.Parallel()
	p, err := CompilePass(`("` + strings.Repeat("a", 200) + `"` + strings.Repeat(` + "`+strings.Repeat("b", 900)+`"`, 20) + `).matches("` +
		strings.Repeat("(a|b)*", 40) + `c") || value < 1.0`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Holds(2, nil); err == nil || !strings.Contains(err.Error(), "cost") {
		t.Errorf("the evaluation ends with %v, want its cost to be too high", err)
	}
}
