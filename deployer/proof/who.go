package proof

import (
	"context"

	"github.com/turnout-dev/turnout/internal/prose"
)

// Ask sends a few requests to an address, one after the other, on kept connections and on new
// ones, outside of a measurement. It returns the answers that came before ctx ended.
func Ask(ctx context.Context, c Config, times int) []Answer {
	d := newAddress(c)
	defer d.close()
	var all []Answer
	for i := range times {
		a := d.ask(ctx, i%2 == 1)
		if ctx.Err() != nil {
			break
		}
		if c.Answered != nil {
			c.Answered(a.Kind)
		}
		a.Text, a.Version = prose.Line(a.Text, maxText), Version(a.Version)
		all = append(all, a)
	}
	return all
}
