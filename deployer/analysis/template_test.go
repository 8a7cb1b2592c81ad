package analysis

import (
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

func values() Values {
	return Values{Color: "green", Service: "app-green-svc", Namespace: "shop", Version: "1a2b3c", Backend: "k8s1-x", Window: time.Minute}
}

func TestVariablesAreFilledIn(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, query, want string }{
		{"in a text", `up{service="$service",ns='$namespace'}`, `up{service="app-green-svc",ns='shop'}`},
		{"with braces", `up{pod=~"${service}-.*"}`, `up{pod=~"app-green-svc-.*"}`},
		{"a window", `sum(rate(x{c="$color"}[$window]))`, `sum(rate(x{c="green"}[60000ms]))`},
		{"a window with space", "rate(x[ $window ])", "rate(x[ 60000ms ])"},
		{"in arithmetic", `x / $window`, `x / 60000ms`},
		{"no variable", `label_replace(x{c=~"a$"}, "b", "$1", "c", "(.*)")`, `label_replace(x{c=~"a$"}, "b", "$1", "c", "(.*)")`},
		{"an escaped quote", `x{a="\"$color"}`, `x{a="\"green"}`},
		{"a comment", "x # of $nothing \"\n", "x \n"},
		{"a metric called offset", `sum by (offset, zone) (x{offset="$color"})`, `sum by (offset, zone) (x{offset="green"})`},
		{"raw text", "x{a=~`[a-z]+`,b=\"$color\"}", "x{a=~`[a-z]+`,b=\"green\"}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q, err := ParseTemplate(tt.query)
			if err != nil {
				t.Fatal(err)
			}
			if got := q.Render(values()); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}

func TestValuesCannotChangeAQuery(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, service, want string }{
		{`x{a="$service"}`, `"} or up{b="`, `x{a="\"} or up{b=\""}`},
		{`x{a='$service'}`, `'} or y{b='`, `x{a='\'} or y{b=\''}`},
		{`x{a="$service"}`, `\`, `x{a="\\"}`},
		{`x{a="$service"}`, "a\nb", `x{a="a\u000ab"}`},
		{`x{a=~"$service"}`, `a.b|.*`, `x{a=~"a\\.b\\|\\.\\*"}`},
		{`x{a !~ "$service"}`, `a"b`, `x{a !~ "a\"b"}`},
		{`x{a="$service"}`, `a.b`, `x{a="a.b"}`},
	}
	for _, tt := range tests {
		q, err := ParseTemplate(tt.query)
		if err != nil {
			t.Fatal(err)
		}
		if got := q.Render(Values{Service: tt.service}); got != tt.want {
			t.Errorf("%s with %q\ngot  %s\nwant %s", tt.query, tt.service, got, tt.want)
		}
	}
}

func TestQueriesThatCannotBeAskedSayWhy(t *testing.T) {
	t.Parallel()
	tests := []struct{ query, want string }{
		{`x{a="$colour"}`, "$colour is no variable: there are $color, $service"},
		{`x{a=$color}`, "$color must stand within quotes"},
		{"x{a=`$color`}", "where nothing can be escaped"},
		{`rate(x{a="$color"}[5m])`, "every range must be [$window]"},
		{`max_over_time(rate(x[$window])[$window:10s])`, "none within another"},
		{`rate(x[$window:])`, "every range must be [$window]"},
		{`rate(x[$window] offset 5m)`, "offset is not allowed"},
		{`x{a="b"} OFFSET -1h`, "offset is not allowed"},
		{`rate(x[$window] @ 0)`, "@ is not allowed"},
		{`x{a="$color`, "does not end"},
		{"x{a=\"\xff\"}", "not UTF-8"},
	}
	for _, tt := range tests {
		if q, err := ParseTemplate(tt.query); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %+v, error %v, want in it %q", tt.query, q, err, tt.want)
		}
	}
}

// The value of a rendered PromQL literal, which is a Go literal, is the variable's value, and the
// text around it is unchanged.
func FuzzRenderedValuesStayWhereTheyStand(f *testing.F) {
	for _, seed := range []string{"", `"`, `\`, "a\nb", "$color", `a.b|c`, "\x00\x7f\u2028", "\xff", `\"`, "é", "'"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		want := strings.ToValidUTF8(value, "\ufffd")
		if want != value {
			return // names of Kubernetes are UTF-8
		}
		for _, tt := range []struct {
			before, after string
			regex         bool
		}{{`x{a="`, `"}`, false}, {`x{a=~"`, `"}`, true}} {
			q, err := ParseTemplate(tt.before + "$service" + tt.after)
			if err != nil {
				t.Fatal(err)
			}
			got := q.Render(Values{Service: value})
			inner := strings.TrimSuffix(strings.TrimPrefix(got, tt.before), tt.after)
			literal, err := strconv.Unquote(`"` + inner + `"`)
			if err != nil || len(got) != len(tt.before)+len(inner)+len(tt.after) {
				t.Fatalf("%q renders %s: %v", value, got, err)
			}
			if tt.regex {
				re, err := regexp.Compile("(?s)^(?:" + literal + ")$")
				if err != nil || !re.MatchString(value) || re.MatchString(value+"x") {
					t.Fatalf("%q renders %s, which does not match it alone: %v", value, got, err)
				}
			} else if literal != value {
				t.Fatalf("%q renders %s, which means %q", value, got, literal)
			}
		}
	})
}
