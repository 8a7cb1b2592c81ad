package cloudbuild

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	yamlv3 "gopkg.in/yaml.v3"
)

// check refuses what decodes but cannot become a release.
func (f *File) check(root *yamlv3.Node) error {
	b := f.Build
	if node := field(root, "source"); node != nil {
		return f.fault(node, "source", "the source is the commit being released, never what the file says", "remove the field")
	}
	if node := field(root, "serviceAccount"); b.GetServiceAccount() != "" {
		return f.fault(node, "serviceAccount", "a repository's file may not choose whom its build runs as", "remove the field and set spec.build.serviceAccount of the BlueGreen")
	}
	if len(b.GetSteps()) == 0 {
		return noSteps(f.Name, lineOf(field(root, "steps")))
	}
	if err := f.checkSubstitutions(root); err != nil {
		return err
	}
	if err := f.checkSteps(root); err != nil {
		return err
	}
	if len(f.images()) == 0 {
		return f.fault(root, "images", "lists no image, and Cloud Build reports a digest only for images listed there", "add the image your steps build, for example images: ['gcr.io/$PROJECT_ID/NAME:$COMMIT_SHA']")
	}
	return nil
}

// fault is a FileError outside of any step.
func (f *File) fault(node *yamlv3.Node, field, reason, fix string) *FileError {
	return &FileError{File: f.Name, Line: lineOf(node), Step: -1, Field: field, Reason: reason, Fix: fix}
}

func (f *File) checkSubstitutions(root *yamlv3.Node) error {
	keys := make([]string, 0, len(f.Build.GetSubstitutions()))
	for key := range f.Build.GetSubstitutions() {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		if userKey.MatchString(key) {
			continue
		}
		node := field(root, "substitutions")
		if inner := keyNode(node, key); inner != nil {
			node = inner
		}
		return f.fault(node, "substitutions."+key, "is not the name of a user substitution", "name it like _NAME: an underscore, then capitals, digits and underscores; the built-in ones are given by Turnout")
	}
	return nil
}

// checkSteps holds ids and waitFor to Cloud Build's rules: an id is used once,
// and a step waits only for steps above it.
func (f *File) checkSteps(root *yamlv3.Node) error {
	var above []string
	for i, step := range f.Build.GetSteps() {
		fail := func(name, reason, fix string) error {
			e := &FileError{File: f.Name, Line: f.line(i), Step: i, ID: step.GetId(), Field: name, Reason: reason, Fix: fix}
			if node := field(stepNode(root, i), name); node != nil {
				e.Line = node.Line
			}
			return e
		}
		if strings.TrimSpace(step.GetName()) == "" {
			return fail("name", "is missing", "name the builder image the step runs in")
		}
		for _, id := range step.GetWaitFor() {
			if id != startAtOnce && !slices.Contains(above, id) {
				return fail("waitFor", fmt.Sprintf("no step above has the id %q", id), "wait for a step listed earlier, or for '-' to start at once")
			}
		}
		if id := step.GetId(); id != "" && slices.Contains(above, id) {
			return fail("id", fmt.Sprintf("%q is used twice", id), "give each step an id of its own")
		}
		if step.GetId() == startAtOnce {
			return fail("id", "'-' means \"start at once\" in waitFor and names no step", "choose another id")
		}
		if step.GetId() != "" {
			above = append(above, step.GetId())
		}
	}
	return nil
}

// line is where the step begins in the file, 0 where unknown.
func (f *File) line(step int) int {
	if step < len(f.lines) {
		return f.lines[step]
	}
	return 0
}

// images are the images Cloud Build pushes itself and reports by digest.
func (f *File) images() []string {
	return slices.Concat(f.Build.GetImages(), f.Build.GetArtifacts().GetImages())
}
