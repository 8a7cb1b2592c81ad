package cloudbuild

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// check refuses a file that decodes but cannot be released.
func (f *File) check() error {
	b := f.Build
	if b.GetSource() != nil || f.lines["source"] != 0 {
		return f.fault("source", "the source is always the commit being released", "remove the field")
	}
	if b.GetServiceAccount() != "" { // refused by Apply, which knows the way out
		f.account, b.ServiceAccount = "serviceAccount", ""
	}
	if len(b.GetSteps()) == 0 {
		return noSteps(f.Name, f.place("steps"))
	}
	if err := f.checkSubstitutions(); err != nil {
		return err
	}
	if err := f.checkSteps(); err != nil {
		return err
	}
	return f.checkImages()
}

func (f *File) checkSubstitutions() error {
	all := f.Build.GetSubstitutions()
	if len(all) > maxSubstitutions {
		return f.fault("substitutions", fmt.Sprintf("has %d entries, and Cloud Build takes %d", len(all), maxSubstitutions), "give fewer")
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		name := "substitutions." + clipped(key)
		switch {
		case !userKey.MatchString(key):
			return &FileError{
				File: f.Name, Line: f.place("substitutions." + key), Step: -1, Field: name, Reason: "is not the name of a user substitution",
				Fix: "name it like _NAME: an underscore, then capitals, digits and underscores; Turnout sets the built-in ones",
			}
		case len(key) > maxKeyBytes:
			return &FileError{
				File: f.Name, Line: f.place("substitutions." + key), Step: -1, Field: name,
				Reason: fmt.Sprintf("has a name of %d bytes, and Cloud Build takes %d", len(key), maxKeyBytes), Fix: "shorten the name",
			}
		case len(all[key]) > maxValueBytes:
			return f.fault(name, fmt.Sprintf("is %d bytes long, more than an argument of a step may have (%d)", len(all[key]), maxValueBytes),
				"keep it in a file of the repository that the step reads")
		}
	}
	return nil
}

// checkSteps applies Cloud Build's rules for ids and waitFor: an id is unique, and a step waits
// only for steps above it.
func (f *File) checkSteps() error {
	steps := f.Build.GetSteps()
	if len(steps) > maxSteps {
		return f.stepFault(maxSteps, "", fmt.Sprintf("is one of %d steps, and Cloud Build takes %d", len(steps), maxSteps),
			"do more in one step, or split the build")
	}
	var above []string
	for i, step := range steps {
		if strings.TrimSpace(step.GetName()) == "" {
			return f.stepFault(i, "name", "is missing", "name the step's builder image")
		}
		if err := f.checkArgs(i); err != nil {
			return err
		}
		for _, id := range step.GetWaitFor() {
			if id != startAtOnce && !slices.Contains(above, id) {
				return f.stepFault(i, "waitFor", fmt.Sprintf("no step above has the id %q", clipped(id)),
					"wait for a step listed earlier, or for '-' to start at once")
			}
		}
		if id := step.GetId(); id != "" && slices.Contains(above, id) {
			return f.stepFault(i, "id", fmt.Sprintf("%q is used twice", clipped(id)), "give each step an id of its own")
		}
		if step.GetId() == startAtOnce {
			return f.stepFault(i, "id", "'-' means \"start at once\" in waitFor, so it cannot name a step", "choose another id")
		}
		if step.GetId() != "" {
			above = append(above, step.GetId())
		}
	}
	return nil
}

// checkArgs applies Cloud Build's limits to arguments. Cloud Build itself checks an argument with
// a substitution, after replacing it.
func (f *File) checkArgs(i int) error {
	step := f.Build.GetSteps()[i]
	for n, arg := range step.GetArgs() {
		if len(arg) > maxArgBytes && !strings.Contains(arg, "$") {
			return f.stepFault(i, fmt.Sprintf("args[%d]", n), fmt.Sprintf("is %d bytes long, and Cloud Build takes %d", len(arg), maxArgBytes),
				"move it into a file of the repository")
		}
	}
	if step.GetScript() != "" && len(step.GetArgs()) > 0 {
		return f.stepFault(i, "script", "cannot be set together with args", "keep one of the two")
	}
	return nil
}

// checkImages counts the listed images. Choose checks whether there is one to
// deploy, since it also knows what the steps push.
func (f *File) checkImages() error {
	images := f.images()
	if len(images) > maxImages {
		return f.fault("images", fmt.Sprintf("lists %d images, and Cloud Build takes %d", len(images), maxImages), "list fewer")
	}
	return nil
}
