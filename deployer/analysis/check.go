package analysis

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Check is one metric, ready to be queried and judged.
type Check struct {
	// Name of the check.
	Name string
	// Failures in a row that fail a release.
	Failures int32

	minSamples     int32
	pass           *Pass // nil: an exact test of errors
	query, samples Template
}

// Passes is the expression that must hold; empty for an exact test of errors.
func (c Check) Passes() string {
	if c.pass == nil {
		return ""
	}
	return c.pass.text
}

// Plan is a spec's checks, compiled.
type Plan struct {
	// Checks in the spec's order.
	Checks []Check
	// Window is the length of a window, and the time to the next.
	Window time.Duration
	// Lag is how long after the end of a window its metrics are complete.
	Lag time.Duration
}

// shortest is the shortest interval worth a query.
const shortest = time.Second

// Problem is something wrong with a spec.
type Problem struct {
	// Field of the BlueGreen.
	Field string
	// Text is what is wrong with it.
	Text string
}

// Compile compiles the checks of a spec, or reports what is wrong with it. A load balancer that
// is not Google's has no ready-made checks.
func Compile(spec v1alpha1.AnalysisSpec, balancer Balancer) (Plan, []Problem) {
	plan := Plan{Window: spec.Interval.Duration}
	var problems []Problem
	for i, c := range spec.Checks {
		check, wrong := compile(source{
			name: c.Name, query: c.Query, samples: c.Samples, pass: c.Pass, minSamples: c.MinSamples, failures: c.Failures,
		})
		for _, p := range wrong {
			problems = append(problems, Problem{Field: fmt.Sprintf("spec.analysis.checks[%d].%s", i, p.Field), Text: p.Text})
		}
		plan.Checks = append(plan.Checks, check)
	}
	ready, wrong := readyMade(spec, balancer)
	problems = append(problems, wrong...)
	plan.Checks = append(plan.Checks, ready...)
	plan.Lag = lag(spec, balancer)
	if spec.Interval.Duration < shortest {
		problems = append(problems, Problem{Field: "spec.analysis.interval", Text: fmt.Sprintf("it is less than %s", shortest)})
	}
	if len(problems) > 0 {
		return Plan{}, problems
	}
	return plan, nil
}

// source is a check as written.
type source struct {
	name, query, samples, pass string
	minSamples, failures       int32
}

// compile compiles a check. Fields of problems are the check's.
func compile(s source) (Check, []Problem) {
	c := Check{Name: s.name, Failures: s.failures, minSamples: s.minSamples}
	var problems []Problem
	add := func(field string, err error) {
		if err != nil {
			problems = append(problems, Problem{Field: field, Text: err.Error()})
		}
	}
	var err error
	c.query, err = parseTelling(s.query)
	add("query", err)
	c.samples, err = parseTelling(s.samples)
	add("samples", err)
	if strings.TrimSpace(s.pass) != "" {
		c.pass, err = CompilePass(s.pass)
		add("pass", err)
	}
	return c, problems
}

// errAlike: the query would judge a colour by another's metrics.
var errAlike = errors.New("it is the same for both colours: name $color, $service, $version or $backend in it")

func parseTelling(text string) (Template, error) {
	t, err := ParseTemplate(text)
	if err == nil && !t.Tells() {
		err = errAlike
	}
	return t, err
}
