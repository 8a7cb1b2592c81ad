package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
	"github.com/turnout-dev/turnout/internal/prose"
)

// markdownSurface has the texts of comments.
func markdownSurface() Surface {
	texts := maps.Clone(markdownTexts)
	maps.Copy(texts, markdownWaits)
	maps.Copy(texts, markdownFailures)
	return Surface{texts, markdownWords()}
}

func inMarkdown(f command.Fact) Text { return markdownSurface().Say(f) }

// markdownWords formats arguments in Markdown. Each goes through code or plain, since it
// may come from outside.
func markdownWords() map[string]func(command.Args) string {
	return map[string]func(command.Args) string{
		"application": func(a command.Args) string { return code(a.Application) },
		"release":     func(a command.Args) string { return code(a.Release) },
		"version":     func(a command.Args) string { return versionCode(a.Version) },
		"other":       func(a command.Args) string { return versionCode(a.Other) },
		"bareversion": func(a command.Args) string { return plain(a.Version.Short()) },
		"live":        func(a command.Args) string { return versionCode(a.Live) },
		"livecolor":   func(a command.Args) string { return string(a.Live.Color) },
		"typed":       func(a command.Args) string { return code(a.Typed) },
		"what":        func(a command.Args) string { return cmp.Or(code(a.Typed), "This pull request") },
		"branch":      func(a command.Args) string { return code(a.Branch) },
		"base":        func(a command.Args) string { return code(a.Base) },
		"color":       func(a command.Args) string { return string(a.Color) },
		"othercolor":  func(a command.Args) string { return string(a.Other.Color) },
		"attempt":     func(a command.Args) string { return fmt.Sprint(a.Attempt) },
		"weight":      func(a command.Args) string { return fmt.Sprintf("%d %%", a.Weight) },
		"by":          func(a command.Args) string { return plain(a.By) },
		"at":          func(a command.Args) string { return dateOf(a.At) },
		"reason":      func(a command.Args) string { return plain(a.Reason) },
		"failure":     func(a command.Args) string { return sentence(plain(prose.Characters(a.Reason, maxMessage))) },
		"lock":        func(a command.Args) string { return sentence(lockText(a.Lock, plain)) },
		"wholelock":   func(a command.Args) string { return lockText(a.Lock, plain) },
		"next":        func(a command.Args) string { return code(nth(a.Next, 0).String()) },
		"then":        func(a command.Args) string { return code(nth(a.Next, 1).String()) },
		"repository":  func(a command.Args) string { return plain(a.Repository) },
		"permission":  func(a command.Args) string { return plain(a.Permission) },
		"number":      func(a command.Args) string { return fmt.Sprint(a.Number) },
		"words":       func(a command.Args) string { return allOf(a.Words) },
		"usage":       func(a command.Args) string { return usageOf(nth(a.Next, 0).Verb) },
		"leftby":      leftByText,
		"whose":       whoseText,
		"byrelease":   byReleaseText,
		"detail":      detailText,
		"object":      func(a command.Args) string { return plain(a.Object) },
		"done":        func(a command.Args) string { return fmt.Sprint(a.Done) },
		"again":       func(a command.Args) string { return fmt.Sprint(a.Done + 1) },
		"of":          func(a command.Args) string { return fmt.Sprint(a.Of) },
		"limit":       func(a command.Args) string { return prose.Setting(a.About.Duration) },
		"until":       func(a command.Args) string { return timeOf(a.Until) },
		"time":        func(a command.Args) string { return timeOf(a.At) },
		"barelive":    func(a command.Args) string { return plain(a.Live.Short()) },
		"pulls":       pullsText,
		"ended":       endedText,
		"wait":        waitText,
		"branches":    branchesText,
		"choices":     choicesText,
	}
}

// versionCode shows a version.
func versionCode(v *v1alpha1.Version) string {
	if v == nil {
		return "nothing"
	}
	return code(v.Short())
}

// nth is the nth command; an empty one if there are fewer.
func nth(all []command.Command, n int) command.Command {
	if n >= len(all) {
		return command.Command{}
	}
	return all[n]
}

// leftByText says who moved users away from a version, how, and when.
func leftByText(a command.Args) string {
	by := prose.By(plain(a.By), code(a.Release))
	if a.At == nil {
		return by
	}
	return by + " at " + date(a.At.Time)
}

// whoseText names a release by its version if that is known: people do not know the names
// of releases.
func whoseText(a command.Args) string {
	switch {
	case a.Other == nil:
		return plain(a.Release)
	case a.Kind == v1alpha1.Rollback:
		return "the rollback to " + code(a.Other.Short())
	}
	return code(a.Other.Short())
}

// byReleaseText says who did something, and by which release.
func byReleaseText(a command.Args) string { return prose.By(plain(a.By), whoseText(a)) }

// detailText is a text from outside that follows ours.
func detailText(a command.Args) string {
	if a.Reason == "" {
		return ""
	}
	return ": " + plain(prose.Characters(a.Reason, maxAdvice))
}

func timeOf(t *metav1.Time) string {
	if t == nil {
		return "then"
	}
	return clock(t.Time) + " UTC"
}

func dateOf(t *metav1.Time) string {
	if t == nil {
		return "a time that is not recorded"
	}
	return date(t.Time)
}

// pullsText says on which pull requests to ask about a version.
func pullsText(a command.Args) string {
	var names []string
	for _, n := range a.PullRequests {
		names = append(names, fmt.Sprintf("#%d", n))
	}
	switch len(names) {
	case 0:
		return "the pull request of " + versionCode(cmp.Or(a.Other, a.Version))
	case 1:
		return "pull request " + names[0]
	}
	return "one of the pull requests " + strings.Join(names, ", ")
}

// endedText says that nothing is under way here, or not any more.
func endedText(a command.Args) string {
	if a.Version == nil {
		return "This pull request has no release under way"
	}
	return fmt.Sprintf("The release of %s has ended (%s)", versionCode(a.Version), strings.ToLower(string(a.Phase)))
}

// waitText says how long a rollback takes if it is not instant.
func waitText(a command.Args) string {
	if a.About.Duration == 0 {
		return "how long that takes is unknown, since no release of it has been measured yet"
	}
	return prose.Estimate(a.About.Duration) + ", the longest that it took lately" + longer(a.Longer.Duration)
}

// branchesText lists the branches of the applications to choose from.
func branchesText(a command.Args) string {
	var from []string
	for _, c := range a.Choices {
		from = append(from, code(c.Branch))
	}
	slices.Sort(from)
	return strings.Join(slices.Compact(from), ", ")
}

// choicesText lists one command for each application.
func choicesText(a command.Args) string {
	var lines []string
	for _, c := range a.Choices {
		line := "- " + code(c.Command.String())
		if a.Reason != "" {
			line += " followed by your reason"
		}
		lines = append(lines, fmt.Sprintf("%s: %s of namespace %s, released from %s", line, plain(c.Environment), code(c.Namespace),
			code(c.Branch)))
	}
	return strings.Join(lines, "\n")
}

// longer says how much longer it may take; empty if it may not.
func longer(by time.Duration) string {
	if by == 0 {
		return ""
	}
	return fmt.Sprintf(", or %s longer if the load balancer does not report the health of each pod", prose.Span(by))
}

// allOf joins words by nor: the sentence means none of them.
func allOf(words []string) string {
	var shown []string
	for _, word := range words {
		shown = append(shown, code(word))
	}
	return strings.Join(shown, " nor ")
}
