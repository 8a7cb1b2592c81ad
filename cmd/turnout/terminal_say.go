package main

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/bot/report"
	"github.com/turnout-dev/turnout/internal/prose"
)

// terminal has the texts for a terminal and for a workflow's log.
func terminal(app *v1alpha1.BlueGreen) report.Surface {
	t := typist{app}
	quoted := func(s string) string { return "`" + oneLine(s) + "`" }
	named := func(v *v1alpha1.Version) string {
		if v == nil {
			return "nothing"
		}
		return quoted(v.Short())
	}
	texts := maps.Clone(terminalTexts)
	maps.Copy(texts, terminalWaits)
	maps.Copy(texts, terminalFailures)
	return report.Surface{Texts: texts, Words: map[string]func(command.Args) string{
		"application": func(a command.Args) string { return quoted(a.Application) },
		"release":     func(a command.Args) string { return quoted(a.Release) },
		"version":     func(a command.Args) string { return named(a.Version) },
		"other":       func(a command.Args) string { return named(a.Other) },
		"live":        func(a command.Args) string { return named(a.Live) },
		"livecolor":   func(a command.Args) string { return string(a.Live.Color) },
		"othercolor":  func(a command.Args) string { return string(a.Other.Color) },
		"color":       func(a command.Args) string { return string(a.Color) },
		"typed":       func(a command.Args) string { return quoted(a.Typed) },
		"branch":      func(a command.Args) string { return quoted(a.Branch) },
		"base":        func(a command.Args) string { return quoted(a.Base) },
		"attempt":     func(a command.Args) string { return fmt.Sprint(a.Attempt) },
		"by":          func(a command.Args) string { return cmp.Or(oneLine(a.By), "nobody that is recorded") },
		"at":          func(a command.Args) string { return minuteOf(a.At) },
		"text":        func(a command.Args) string { return oneLine(a.Reason) },
		"detail":      detail,
		"object":      func(a command.Args) string { return oneLine(a.Object) },
		"weight":      func(a command.Args) string { return fmt.Sprintf("%d %%", a.Weight) },
		"done":        func(a command.Args) string { return fmt.Sprint(a.Done) },
		"again":       func(a command.Args) string { return fmt.Sprint(a.Done + 1) },
		"of":          func(a command.Args) string { return fmt.Sprint(a.Of) },
		"limit":       func(a command.Args) string { return prose.Setting(a.About.Duration) },
		"until":       func(a command.Args) string { return secondOf(a.Until) },
		"time":        func(a command.Args) string { return secondOf(a.At) },
		"byrelease":   byRelease,
		"reason":      func(a command.Args) string { return strings.TrimRight(oneLine(a.Reason), ". ") },
		"lock": func(a command.Args) string {
			return strings.TrimRight(lockedBy(a.Lock), ". ")
		},
		"phase":  func(a command.Args) string { return strings.ToLower(string(a.Phase)) },
		"leftby": leftBy,
		"ended":  hasEnded,
		"wait":   startsIn,
		"next":   func(a command.Args) string { return t.nth(a, 0) },
		"then":   func(a command.Args) string { return t.nth(a, 1) },
		"list":   func(command.Args) string { return t.command("releases") },
		"status": func(command.Args) string { return t.command("status") },
		"help":   func(command.Args) string { return "`turnout --help`" },
		// Commands take these unchanged.
		"name":      func(a command.Args) string { return oneLine(a.Application) },
		"commit":    func(a command.Args) string { return a.Version.Short() },
		"livename":  func(a command.Args) string { return a.Live.Short() },
		"one":       func(a command.Args) string { return oneLine(a.Release) },
		"all":       func(a command.Args) string { return oneLine(strings.Join(a.Releases, ", ")) },
		"exactends": func(a command.Args) string { return string(a.Phase) },
	}}
}

// leftBy says who moved users away from a version, how, and when.
func leftBy(a command.Args) string {
	by := prose.By(oneLine(a.By), "`"+a.Release+"`")
	if a.At == nil {
		return by
	}
	return by + " at " + minuteOf(a.At)
}

// byRelease says who did something, and by which release.
func byRelease(a command.Args) string { return oneLine(prose.By(a.By, a.Release)) }

// detail is a text from outside that follows ours.
func detail(a command.Args) string {
	if a.Reason == "" {
		return ""
	}
	return ": " + oneLine(a.Reason)
}

// hasEnded says that a release is no longer under way, or that there is none.
func hasEnded(a command.Args) string {
	if a.Version == nil {
		return "No release is under way"
	}
	return fmt.Sprintf("The release of `%s` has ended (%s)", a.Version.Short(), strings.ToLower(string(a.Phase)))
}

// startsIn says how long a rollback takes that is not instant.
func startsIn(a command.Args) string {
	if a.About.Duration == 0 {
		return "how long that takes is unknown, since no release of it has been measured yet"
	}
	text := "that took " + prose.Span(a.About.Duration) + " at most lately"
	if a.Longer.Duration > 0 {
		text += ", and may take " + prose.Span(a.Longer.Duration) + " longer if the load balancer does not report the health of each pod"
	}
	return text
}

// typist shows commands about an application, complete to type anywhere.
type typist struct{ app *v1alpha1.BlueGreen }

// nth is the nth of the commands to type next.
func (t typist) nth(a command.Args, n int) string {
	if n >= len(a.Next) {
		return "`turnout --help`"
	}
	next := a.Next[n]
	switch next.Verb {
	case command.Retry:
		commit := next.Commit
		if commit == "" && a.Version != nil {
			commit = a.Version.Commit
		}
		return t.command("deploy", "--commit", cmp.Or(commit, "SHA"), "--retry")
	case command.Promote:
		return t.about("promote", "--commit", next.Commit)
	case command.Rollback:
		return t.about("rollback", "--from", next.Commit)
	case command.Cancel, command.Status, command.Lock, command.Unlock:
		return t.command(string(next.Verb))
	case command.Contract:
		return t.contract(next)
	case command.Help:
		return "`turnout --help`"
	}
	return "`" + oneLine(next.String()) + "` on a pull request"
}

// contract is a command about a contract: what declares it done needs a reason of the person's own.
func (t typist) contract(next command.Command) string {
	switch next.Mode {
	case "":
		return t.command("contract")
	case command.ContractDone:
		return t.command("contract", next.Mode, "REASON")
	}
	return t.command("contract", next.Mode)
}

func (t typist) about(verb, flag, commit string) string {
	if commit == "" {
		return t.command(verb)
	}
	return t.command(verb, flag, commit)
}

func (t typist) command(verb string, more ...string) string {
	words := append([]string{"turnout", verb, t.app.Name}, more...)
	return "`" + strings.Join(append(words, "--namespace", t.app.Namespace), " ") + "`"
}

// lockedBy says who locked an application, when and why.
func lockedBy(l *v1alpha1.Lock) string {
	return prose.Locked(l.By, prose.Minute(l.At.Time), oneLine(l.Reason))
}
