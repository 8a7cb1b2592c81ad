package analysis

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Window is what is asked for.
type Window struct {
	// End of it.
	End time.Time
	// Of the colour that is asked about, Beside what the other is known by.
	Of, Beside Values
}

// Read asks for all that checks need of a window, in their order.
func Read(ctx context.Context, c *Client, checks []Check, w Window) []Reading {
	all := make([]Reading, len(checks))
	var wg sync.WaitGroup
	for i, check := range checks {
		wg.Go(func() { all[i] = check.read(ctx, c, w) })
	}
	wg.Wait()
	return all
}

// Unreachable says why no reading could be had at all; empty if one could.
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

// unknown says that a variable has no value, and the way out if there is one.
func unknown(variable, color string) string {
	text := variable + " is not known of the " + color + " colour"
	if variable == "$backend" {
		text += ", whose backend service is not there yet, or is one of several: name both in spec.analysis.google.backends"
	}
	return text
}
