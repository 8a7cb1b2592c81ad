package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/internal/prose"
	"github.com/turnout-dev/turnout/internal/words"
)

// Limits of a report, so that a broken world cannot make an endless one.
const (
	// checkTimeout is how long one check may take.
	checkTimeout = 20 * time.Second
	// atOnce is how many checks run at the same time.
	atOnce = 4
	// maxFindings is how many findings of one check are kept.
	maxFindings = 50
	// maxText bounds each text of a finding, in bytes.
	maxText = 2 << 10
)

// Check looks at one thing. Its function returns what it found; an error means that it could
// not look, and keeps what it had found.
type Check struct {
	Area Area
	// Name is one word for it.
	Name string
	// Look must end with its context.
	Look func(context.Context) ([]Finding, error)
}

// Result is what a check found; Well is true if nobody has to do anything.
type Result struct {
	Area  Area   `json:"area"`
	Check string `json:"check"`
	Well  bool   `json:"well"`
	// Findings, the worst first.
	Findings []Finding `json:"findings"`
}

// Run runs checks and returns a result for each, in their order. A check that fails, hangs
// or panics does not hide the others.
func Run(ctx context.Context, checks []Check) []Result { return run(ctx, checks, checkTimeout) }

func run(ctx context.Context, checks []Check, timeout time.Duration) []Result {
	all := make([]Result, len(checks))
	turn := make(chan struct{}, atOnce)
	var running sync.WaitGroup
	for i, c := range checks {
		running.Go(func() {
			turn <- struct{}{}
			defer func() { <-turn }()
			all[i] = c.result(ctx, timeout)
		})
	}
	running.Wait()
	return all
}

// result runs a check and gives up on it when its time is over, even if it does not end.
func (c Check) result(ctx context.Context, timeout time.Duration) Result {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	type answer struct {
		findings []Finding
		err      error
	}
	answered := make(chan answer, 1)
	go func() {
		findings, err := c.looks(ctx)
		answered <- answer{findings, err}
	}()
	var a answer
	select {
	case a = <-answered:
	case <-ctx.Done():
		a.err = ctx.Err()
	}
	if a.err != nil {
		if errors.Is(a.err, context.DeadlineExceeded) {
			a.err = fmt.Errorf("there was no answer within %s: %w", prose.Span(timeout), a.err)
		}
		a.findings = append(a.findings, Finding{
			Code: CodeUnchecked, Severity: SeverityUnknown, Object: string(c.Area) + " " + c.Name,
			Message: "it could not be checked: " + words.Of(a.err),
		})
	}
	return c.report(a.findings)
}

// looks turns a panic into an error.
func (c Check) looks(ctx context.Context) (findings []Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the check itself failed: %v", p)
		}
	}()
	return c.Look(ctx)
}

// report bounds findings and puts the worst first.
func (c Check) report(findings []Finding) Result {
	slices.SortStableFunc(findings, func(a, b Finding) int { return cmp.Compare(rank(a.Severity), rank(b.Severity)) })
	if more := len(findings) - maxFindings; more > 0 {
		rest := findings[maxFindings]
		findings = append(slices.Clip(findings[:maxFindings]), Finding{
			Code: CodeMore, Severity: rest.Severity, Object: string(c.Area) + " " + c.Name, Users: rest.Users,
			Message: fmt.Sprintf("%d more are not shown: mend these first", more),
		})
	}
	r := Result{Area: c.Area, Check: c.Name, Well: true, Findings: []Finding{}}
	for _, f := range findings {
		f.Object, f.Field, f.Message = prose.Line(f.Object, maxText), prose.Line(f.Field, maxText), prose.Line(f.Message, maxText)
		r.Well = r.Well && !f.Severity.Bad()
		r.Findings = append(r.Findings, f)
	}
	return r
}

func rank(s Severity) int {
	return slices.Index([]Severity{SeverityError, SeverityUnknown, SeverityWarning, SeverityNote}, s)
}
