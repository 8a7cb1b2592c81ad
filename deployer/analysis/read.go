package analysis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Window is a window of time to read for one colour.
type Window struct {
	// End of the window.
	End time.Time
	// Of has the values of the colour to read, Beside those of the other colour.
	Of, Beside Values
}

// Read reads everything that the checks need for a window, in their order.
func Read(ctx context.Context, c *Client, checks []Check, w Window) []Reading {
	all := make([]Reading, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { all[i] = check.read(ctx, c, w) })
	}
	wg.Wait()
	return all
}

// Unreachable says why every reading failed; empty if one did not.
func Unreachable(all []Reading) string {
	why := ""
	for _, r := range all {
		if r.Because != v1alpha1.NoVerdictUnreachable {
			return ""
		}
		why = r.Detail
	}
	return why
}

func (c Check) read(ctx context.Context, client *Client, w Window) Reading {
	var r Reading
	for _, q := range []struct {
		query Template
		to    **float64
	}{{c.samples, &r.Samples}, {c.query, &r.Value}} {
		if lacks := q.query.Lacks(w.Of); lacks != "" {
			return Reading{Because: v1alpha1.NoVerdictUnknown, Detail: unknown(lacks, w.Of.Color)}
		}
		text := q.query.Render(w.Of)
		if text == q.query.Render(w.Beside) {
			return Reading{Because: v1alpha1.NoVerdictUnknown, Detail: errAlike.Error()}
		}
		value, err := client.Query(ctx, text, w.End, w.Of.Window)
		if said, ok := errors.AsType[*QueryError](err); ok {
			return Reading{Because: said.Because, Detail: said.Error()}
		}
		*q.to = value
	}
	return r
}

// unknown reports that a variable has no value, and the way out if there is one.
func unknown(variable, color string) string {
	text := variable + " is not known for the " + color + " colour"
	if variable == "$backend" {
		text += ": its backend service does not exist yet, or there are several: name both in spec.analysis.google.backends"
	}
	return text
}
