package cloudbuild

import (
	"fmt"
	"slices"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
)

// File is a cloudbuild.yaml that passed every check.
type File struct {
	// Name is the path in the repository, as error messages show it.
	Name string
	// Build is the file's content. It never has a source or a service account.
	Build *cloudbuildpb.Build
	// Warnings report what was dropped or ignored, in the file's order.
	Warnings []Warning

	lines map[string]int // of each path, see place
	first int            // line on which the content begins
	steps []int          // for each of Build.Steps, its index in the file
	// account is the path where the file names a service account; "" if it names none. Build
	// never has one.
	account string
}

// Warning is something a person should know but that does not stop the release.
type Warning struct {
	File    string
	Line    int // 0 where unknown
	Message string
}

// String is "file:line: message".
func (w Warning) String() string { return at(w.File, w.Line) + ": " + w.Message }

// FileError is a fault in a cloudbuild.yaml. It is the release's fault: only another
// commit, or another spec, fixes it.
type FileError struct {
	File string
	// Line counts from 1; 0 if it is not known.
	Line int
	// Step is the index in steps, or -1 if the fault is not in a step.
	Step int
	// ID is the step's id, if it has one.
	ID string
	// Field is the path from the file's root (or the step's), spelled as in the file.
	Field string
	// Reason is what is wrong, and Fix the way out.
	Reason, Fix string
}

// Error names file, line, step, field, fault and the way out.
func (e *FileError) Error() string {
	text := at(e.File, e.Line) + ": "
	if e.Step >= 0 {
		text += stepName(e.Step, e.ID) + ": "
	}
	if e.Field != "" {
		text += e.Field + ": "
	}
	text += e.Reason
	if e.Fix != "" {
		text += "; " + e.Fix
	}
	return text
}

// fault is a FileError outside any step.
func (f *File) fault(field, reason, fix string) *FileError {
	return &FileError{File: f.Name, Line: f.place(field), Step: -1, Field: field, Reason: reason, Fix: fix}
}

// stepFault is a FileError in a step; field may be empty.
func (f *File) stepFault(i int, field, reason, fix string) *FileError {
	return &FileError{
		File: f.Name, Line: f.place(join(f.stepPath(i), field)), Step: f.index(i), ID: f.Build.GetSteps()[i].GetId(),
		Field: field, Reason: reason, Fix: fix,
	}
}

func noSteps(name string, line int) *FileError {
	return &FileError{File: name, Line: line, Step: -1, Field: "steps", Reason: "there are none", Fix: "add a step that builds the image"}
}

// at is "file:line", or "file" if the line is not known.
func at(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// stepName is a step's name in messages: its index and, if it has one, its id.
func stepName(index int, id string) string {
	if id == "" {
		return fmt.Sprintf("steps[%d]", index)
	}
	return fmt.Sprintf("steps[%d] (%s)", index, id)
}

// place is the line of a path, in camelCase from the file's root, or of the nearest enclosing
// field. It is 0 without lines, as in a trigger's build.
func (f *File) place(path string) int {
	for ; path != ""; path = path[:max(0, strings.LastIndexAny(path, ".["))] {
		if line := f.lines[path]; line != 0 {
			return line
		}
	}
	return f.first
}

// index is the index in the file of one of Build's steps.
func (f *File) index(i int) int {
	if i < len(f.steps) {
		return f.steps[i]
	}
	return i
}

func (f *File) stepPath(i int) string { return stepPath(f.index(i)) }

func stepPath(i int) string { return fmt.Sprintf("steps[%d]", i) }

func join(path, name string) string {
	if path == "" || name == "" {
		return path + name
	}
	return path + "." + name
}

// images are the images that Cloud Build pushes itself and reports by digest.
func (f *File) images() []string {
	return slices.Concat(f.Build.GetImages(), f.Build.GetArtifacts().GetImages())
}

// imagePath is the path in the file of the i-th of them.
func (f *File) imagePath(i int) string {
	if own := len(f.Build.GetImages()); i >= own {
		return fmt.Sprintf("artifacts.images[%d]", i-own)
	}
	return fmt.Sprintf("images[%d]", i)
}

// shownValue is the longest value that a message repeats in full.
const shownValue = 60

// clipped shortens a value for a message.
func clipped(value string) string {
	if len(value) <= shownValue {
		return value
	}
	return strings.ToValidUTF8(value[:shownValue], "") + "…"
}
