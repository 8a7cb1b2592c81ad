package main

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot"
)

// terminal says facts about an application on a terminal, and in a workflow's log.
func terminal(app *v1alpha1.BlueGreen) bot.Surface {
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
	return bot.Surface{Texts: texts, Words: map[string]func(bot.Args) string{
		"application": func(a bot.Args) string { return quoted(a.Application) },
		"release":     func(a bot.Args) string { return quoted(a.Release) },
		"version":     func(a bot.Args) string { return named(a.Version) },
		"other":       func(a bot.Args) string { return named(a.Other) },
		"live":        func(a bot.Args) string { return named(a.Live) },
		"livecolor":   func(a bot.Args) string { return string(a.Live.Color) },
		"othercolor":  func(a bot.Args) string { return string(a.Other.Color) },
		"color":       func(a bot.Args) string { return string(a.Color) },
		"typed":       func(a bot.Args) string { return quoted(a.Typed) },
		"branch":      func(a bot.Args) string { return quoted(a.Branch) },
		"base":        func(a bot.Args) string { return quoted(a.Base) },
		"attempt":     func(a bot.Args) string { return fmt.Sprint(a.Attempt) },
		"by":          func(a bot.Args) string { return cmp.Or(oneLine(a.By), "nobody that is recorded") },
		"at":          func(a bot.Args) string { return minuteOf(a.At) },
		"text":        func(a bot.Args) string { return oneLine(a.Reason) },
		"detail":      detail,
		"object":      func(a bot.Args) string { return oneLine(a.Object) },
		"done":        func(a bot.Args) string { return fmt.Sprint(a.Done) },
		"again":       func(a bot.Args) string { return fmt.Sprint(a.Done + 1) },
		"of":          func(a bot.Args) string { return fmt.Sprint(a.Of) },
		"until":       func(a bot.Args) string { return secondOf(a.Until) },
		"time":        func(a bot.Args) string { return secondOf(a.At) },
		"byrelease":   byRelease,
		"reason":      func(a bot.Args) string { return strings.TrimRight(oneLine(a.Reason), ". ") },
		"lock":        func(a bot.Args) string { return strings.TrimRight(lockedBy(a.Lock), ". ") },
		"phase":       func(a bot.Args) string { return strings.ToLower(string(a.Phase)) },
		"leftby":      leftBy,
		"ended":       hasEnded,
		"wait":        startsIn,
		"next":        func(a bot.Args) string { return t.nth(a, 0) },
		"then":        func(a bot.Args) string { return t.nth(a, 1) },
		"list":        func(bot.Args) string { return t.command("releases") },
		"status":      func(bot.Args) string { return t.command("status") },
		"help":        func(bot.Args) string { return "`turnout --help`" },
		// A command takes these as they stand.
		"name":      func(a bot.Args) string { return oneLine(a.Application) },
		"commit":    func(a bot.Args) string { return a.Version.Short() },
		"livename":  func(a bot.Args) string { return a.Live.Short() },
		"one":       func(a bot.Args) string { return oneLine(a.Release) },
		"all":       func(a bot.Args) string { return oneLine(strings.Join(a.Releases, ", ")) },
		"exactends": func(a bot.Args) string { return string(a.Phase) },
	}}
}

// leftBy says who took a version away from users, by what, and when.
func leftBy(a bot.Args) string {
	by := "`" + a.Release + "`"
	if a.By != "" {
		by = oneLine(a.By) + " (" + by + ")"
	}
	if a.At == nil {
		return by
	}
	return by + " at " + minuteOf(a.At)
}

// byRelease names who brought something about, and by which release.
func byRelease(a bot.Args) string {
	if a.By == "" {
		return oneLine(a.Release)
	}
	return oneLine(a.By + " (" + a.Release + ")")
}

// detail is what somebody else says of it, behind what we say.
func detail(a bot.Args) string {
	if a.Reason == "" {
		return ""
	}
	return ": " + oneLine(a.Reason)
}

// hasEnded says that a release is not under way any more, or that there is none.
func hasEnded(a bot.Args) string {
	if a.Version == nil {
		return "No release is under way"
	}
	return fmt.Sprintf("The release of `%s` has ended (%s)", a.Version.Short(), strings.ToLower(string(a.Phase)))
}

// startsIn says how long a way back takes that is not instant.
func startsIn(a bot.Args) string {
	if a.About.Duration == 0 {
		return "how long that takes is not known, since no release of it was measured yet"
	}
	text := "that took " + span(a.About.Duration) + " at most lately"
	if a.Longer.Duration > 0 {
		text += ", and may take " + span(a.Longer.Duration) + " longer if the load balancer does not tell of each pod"
	}
	return text
}

// typist shows commands about an application, to be typed anywhere.
type typist struct{ app *v1alpha1.BlueGreen }

// nth is one of the commands to type next.
func (t typist) nth(a bot.Args, n int) string {
	if n >= len(a.Next) {
		return "`turnout --help`"
	}
	next := a.Next[n]
	switch next.Verb {
	case bot.Retry:
		commit := next.Commit
		if commit == "" && a.Version != nil {
			commit = a.Version.Commit
		}
		return t.command("deploy", "--commit", cmp.Or(commit, "SHA"), "--retry")
	case bot.Promote:
		return t.about("promote", "--commit", next.Commit)
	case bot.Rollback:
		return t.about("rollback", "--from", next.Commit)
	case bot.Cancel, bot.Status:
		return t.command(string(next.Verb))
	case bot.Help:
		return "`turnout --help`"
	case bot.Lock, bot.Unlock: // nothing here does that
	}
	return "`" + oneLine(next.String()) + "` on a pull request"
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

// lockedBy says who locked an application, since when and why.
func lockedBy(l *v1alpha1.Lock) string {
	text := fmt.Sprintf("locked by %s since %s", l.By, l.At.UTC().Format("2006-01-02 15:04 UTC"))
	if l.Reason != "" {
		text += ": " + oneLine(l.Reason)
	}
	return text
}
