package cloudbuild

import (
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
)

// maxReplaced bounds the text that results from expanding a file's arguments.
const maxReplaced = 4 << 20

// pushed are the images that the steps push themselves. With an expander, their names are what
// Cloud Build and the step's shell will make of them, as far as visible; without one, they are as
// written.
func (f *File) pushed(x *expander) []push { return f.pushedTelling(x, nil) }

// pushedTelling does the same, and calls told with every word and value on the way.
func (f *File) pushedTelling(x *expander, told func(text string)) []push {
	var found []push
	left, budget, commands, files := maxReplaced, maxShellBytes, 0, map[string]string{}
	for i, step := range f.Build.GetSteps() {
		s := sight{pusher: pusher{at: i, commands: commands}, budget: &budget, files: files, scope: scope{told: told}}
		if x != nil {
			step = proto.CloneOf(step)
			x.replaceArgs(step, &left)
			s.scope.vars = f.environment(x, step)
		}
		s.step(step)
		found, commands = append(found, s.pusher.pushes...), s.pusher.commands
	}
	return found
}

// replaceArgs replaces the substitutions in a step's arguments. A remaining dollar is doubled, as
// Cloud Build writes it.
func (x *expander) replaceArgs(step *cloudbuildpb.BuildStep, left *int) {
	replace := func(text string) string {
		if !strings.Contains(text, "$") || *left <= 0 {
			return text
		}
		out, err := x.expand(text, maxArgBytes)
		if err != nil {
			return text // Cloud Build refuses it, or it cannot be part of a name
		}
		*left -= len(out.text)
		return strings.ReplaceAll(out.text, "$", "$$")
	}
	step.Entrypoint = replace(step.GetEntrypoint())
	for i, arg := range step.Args {
		step.Args[i] = replace(arg)
	}
}

// environment are the initial variables of a step's shell.
func (f *File) environment(x *expander, step *cloudbuildpb.BuildStep) values {
	vars := values{}
	automap := f.Build.GetOptions().GetAutomapSubstitutions() || step.GetAutomapSubstitutions()
	switch {
	case step.GetScript() == "":
		vars["BUILD_ID"] = "$BUILD_ID" // Cloud Build replaces it before a shell sees it
	case automap:
		for name := range x.values {
			if value, err := x.value(name); err == nil && len(value.text) <= maxImageBytes {
				vars[name] = value.text
			}
		}
		vars["BUILD_ID"] = "$BUILD_ID"
	}
	for _, setting := range append(f.Build.GetOptions().GetEnv(), step.GetEnv()...) {
		name, text, ok := strings.Cut(setting, "=")
		value, err := x.expand(text, maxImageBytes)
		if !ok || err != nil {
			delete(vars, name)
			continue
		}
		vars[name] = value.text
	}
	return vars
}
