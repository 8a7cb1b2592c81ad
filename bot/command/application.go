package command

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Settle decides which word of a command is the application's name, once the repository's
// applications are known. A lock's first word is a name only if an application has it;
// otherwise it belongs to the reason. A name may look like a commit's hash, or a weight.
func (c Command) Settle(apps []v1alpha1.BlueGreen) Command {
	switch {
	case c.Verb == Lock && c.Application == "":
		if first, rest := cutBlank(c.Reason); named(apps, first) {
			c.Application, c.Reason = first, rest
		}
	case c.Weight > 0 && c.Application == "" && named(apps, strconv.Itoa(int(c.Weight))):
		c.Application, c.Weight = strconv.Itoa(int(c.Weight)), 0
	case c.Commit != "" && !named(apps, c.Application) && named(apps, c.Commit) &&
		(c.Application == "" || v1alpha1.IsCommitStart(c.Application)):
		c.Application, c.Commit = c.Commit, c.Application
	}
	return c
}

// Meant returns the applications that a command means, or the fact that it cannot decide.
// It returns several only for commands that change nothing.
func Meant(apps []v1alpha1.BlueGreen, pr PullRequest, command Command) ([]v1alpha1.BlueGreen, *Fact) {
	candidates := apps
	if command.Application != "" {
		candidates = filter(apps, func(app *v1alpha1.BlueGreen) bool { return isNamed(app, command.Application) })
		if len(candidates) == 0 {
			return nil, unknownApplication(apps, command)
		}
	}
	if command.Verb.OnlyReads() {
		return candidates, nil
	}
	if command.Verb.AboutCommit() {
		candidates = concerned(candidates, pr, command)
	}
	switch {
	case len(candidates) <= 1:
		return candidates, nil
	case command.Verb.AboutCommit() && command.Verb != Rollback && candidates[0].Spec.Branch != pr.Base: // no candidate releases it
		return nil, otherBranch(candidates, pr)
	}
	return nil, ambiguous(apps, candidates, command)
}

// concerned narrows applications to those that a command can mean. For a rollback with a
// commit these are the applications where that commit is live, on whatever pull request.
// Otherwise they are the applications released from the pull request's branch. If there are
// none, it returns all of them: each refuses and says what to do instead.
func concerned(apps []v1alpha1.BlueGreen, pr PullRequest, command Command) []v1alpha1.BlueGreen {
	live := filter(apps, func(app *v1alpha1.BlueGreen) bool {
		l := app.Status.Live
		return l != nil && command.Commit != "" && strings.HasPrefix(l.Commit, command.Commit)
	})
	branch := filter(apps, func(app *v1alpha1.BlueGreen) bool { return app.Spec.Branch == pr.Base })
	switch {
	case command.Verb == Rollback && len(live) > 0:
		return live
	case len(branch) > 0:
		return branch
	}
	return apps
}

// otherBranch answers on a pull request into a branch that no application is released from.
// Naming one of them would not help.
func otherBranch(candidates []v1alpha1.BlueGreen, pr PullRequest) *Fact {
	about := Args{Base: pr.Base}
	for _, app := range candidates {
		about.Choices = append(about.Choices, Choice{Namespace: app.Namespace, Branch: app.Spec.Branch, Environment: app.Spec.Environment})
	}
	return &Fact{CodeOtherBranches, about}
}

// ambiguous answers a command that may mean several applications.
func ambiguous(apps, candidates []v1alpha1.BlueGreen, command Command) *Fact {
	f := Fact{CodeAmbiguous, choices(apps, candidates, command)}
	if command.Application != "" {
		f.Code = CodeAmbiguousName
	}
	return &f
}

// unknownApplication answers a command that names no known application.
func unknownApplication(apps []v1alpha1.BlueGreen, command Command) *Fact {
	f := Fact{CodeUnknownApplication, choices(apps, apps, command)}
	if command.Verb.AboutCommit() && command.Commit == "" {
		f.Code = CodeUnknownWord
	}
	return &f
}

// choices has one command for each candidate, which means only that one.
func choices(apps, candidates []v1alpha1.BlueGreen, command Command) Args {
	about := Args{Typed: command.Application, Reason: command.Reason}
	sorted := slices.SortedFunc(slices.Values(candidates), func(a, b v1alpha1.BlueGreen) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Namespace, b.Namespace))
	})
	for i := range sorted {
		app, one := &sorted[i], command
		one.Application, one.Reason = NameAmong(app, apps), ""
		about.Choices = append(about.Choices, Choice{one, app.Spec.Environment, app.Namespace, app.Spec.Branch})
	}
	return about
}
