package main

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// printer shows a release while it is followed: on a terminal, as lines, as JSON, or as a
// workflow's log.
type printer interface {
	// show is called for every observed state.
	show(rel *v1alpha1.Release, now time.Time)
	// tick is called when only time has passed.
	tick(now time.Time)
	// aside is called after something else was written to the same place.
	aside()
	// done is called once, after the last state.
	done(rel *v1alpha1.Release)
}

// outputFlag chooses between output for people and for programs.
type outputFlag struct{ format string }

func (o *outputFlag) bind(f *pflag.FlagSet, what string) {
	f.StringVarP(&o.format, "output", "o", "", "json: "+what)
}

func (o *outputFlag) check() error {
	if o.format != "" && o.format != "json" {
		return fmt.Errorf("--output %q: it is json, or not given", o.format)
	}
	return nil
}

func (o *outputFlag) json() bool { return o.format == "json" }

// newPrinter chooses how to show the release of a decision on out.
func (o *outputFlag) newPrinter(out io.Writer, app *v1alpha1.BlueGreen, decision *command.Decision) printer {
	if o.json() {
		return &jsonPrinter{out: beyond(out), app: app, decision: decision}
	}
	if file := terminalOf(out, term.IsTerminal); file != nil {
		return &terminalPrinter{out: file, width: func() int {
			width, _, err := term.GetSize(int(file.Fd()))
			if err != nil {
				return 80
			}
			return width
		}}
	}
	return &linePrinter{out: out}
}
