package cloudbuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"unicode/utf8"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	yamlv3 "gopkg.in/yaml.v3"
)

// File is a cloudbuild.yaml that passed every check.
type File struct {
	// Name is the path in the repository, as error messages cite it.
	Name string
	// Build is the file's content. It never has a source or a service account.
	Build *cloudbuildpb.Build
	// Warnings tell what was dropped or ignored, in the file's order.
	Warnings []Warning

	lines map[string]int // of what a path calls, see place
	first int            // line on which the content begins
	steps []int          // index in the file of each of Build.Steps
	// account is the path under which the file names a service account, which
	// Build never has; "" if it names none.
	account string
}

// Warning is something a person should know but that stops nothing.
type Warning struct {
	File    string
	Line    int // 0 where unknown
	Message string
}

// String is "file:line: message".
func (w Warning) String() string { return at(w.File, w.Line) + ": " + w.Message }

// FileError is a fault in a cloudbuild.yaml. It is the release's fault: only
// another commit, or another spec, mends it.
type FileError struct {
	File string
	// Line counts from 1; 0 where it is not known.
	Line int
	// Step is the index in steps, -1 where the fault is in no step.
	Step int
	// ID is the step's id, where it has one.
	ID string
	// Field is the path from the file's root (or the step's), in the file's
	// own spelling.
	Field string
	// Reason says what is wrong, and Fix the way out.
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

// at is "file:line", or "file" for a line that is not known.
func at(file string, line int) string {
	if line == 0 {
		return file
	}
	return fmt.Sprintf("%s:%d", file, line)
}

// stepName is how messages call a step: by its index and, if it has one, its id.
func stepName(index int, id string) string {
	if id == "" {
		return fmt.Sprintf("steps[%d]", index)
	}
	return fmt.Sprintf("steps[%d] (%s)", index, id)
}

// Parse reads a cloudbuild.yaml as gcloud does (snake_case or camelCase,
// unknown fields refused, a single value for a list of one) and checks what can
// be checked before a build starts. Every error is a *FileError.
func Parse(name string, data []byte) (*File, error) {
	root, err := readTree(name, data)
	if err != nil {
		return nil, err
	}
	f := &File{Name: name, Build: &cloudbuildpb.Build{}, lines: map[string]int{}, first: root.Line}
	d := &decoder{file: name, lines: f.lines, merging: map[*yamlv3.Node]bool{}}
	if err := d.message(root, f.Build.ProtoReflect(), ""); err != nil {
		return nil, err
	}
	f.Warnings = d.warnings
	for i := range f.Build.GetSteps() {
		f.steps = append(f.steps, i)
	}
	if err := f.check(); err != nil {
		return nil, err
	}
	return f, nil
}

// place is the line of what a path calls, in camelCase from the file's root, or
// of what holds it. It is 0 if the file has no lines: a trigger's build.
func (f *File) place(path string) int {
	for ; path != ""; path = path[:max(0, strings.LastIndexAny(path, ".["))] {
		if line := f.lines[path]; line != 0 {
			return line
		}
	}
	return f.first
}

// readTree parses the one document of the file into nodes that know lines.
func readTree(name string, data []byte) (*yamlv3.Node, error) {
	if len(data) > maxFileBytes {
		return nil, &FileError{
			File: name, Line: 1, Step: -1, Reason: fmt.Sprintf("is %d bytes long; the limit is %d", len(data), maxFileBytes),
			Fix: "move long scripts into files of the repository",
		}
	}
	if bad := firstBadRune(data); bad >= 0 {
		return nil, &FileError{
			File: name, Line: 1 + bytes.Count(data[:bad], []byte("\n")), Step: -1,
			Reason: "does not parse: it holds a byte that is not UTF-8 text", Fix: "save the file as UTF-8",
		}
	}
	decoder := yamlv3.NewDecoder(bytes.NewReader(data))
	var doc, more yamlv3.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, noSteps(name, 1)
	}
	if err != nil {
		return nil, syntaxError(name, data, err)
	}
	if err := decoder.Decode(&more); err == nil {
		return nil, &FileError{
			File: name, Line: max(1, more.Line), Step: -1, Reason: "holds more than one YAML document",
			Fix: "keep one build in one file",
		}
	} else if !errors.Is(err, io.EOF) {
		return nil, syntaxError(name, data, err)
	}
	if len(doc.Content) == 0 {
		return nil, noSteps(name, 1)
	}
	root := resolve(doc.Content[0])
	if isNull(root) {
		return nil, noSteps(name, max(1, root.Line))
	}
	return root, nil
}

// firstBadRune is where the data stops being UTF-8, -1 if it does not.
func firstBadRune(data []byte) int {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

var (
	yamlLine   = regexp.MustCompile(`line (\d+)`)
	yamlAnchor = regexp.MustCompile(`unknown anchor '(.*)' referenced`)
)

// syntaxError keeps the line that the YAML parser names. It names none for the
// first, nor for an anchor that is missing.
func syntaxError(name string, data []byte, err error) *FileError {
	reason := err.Error()
	if m := yamlAnchor.FindStringSubmatch(reason); m != nil && secretLine(data, "*"+m[1]) {
		reason = "yaml: unknown anchor referenced" // of a password that begins with *, and is not quoted
	}
	e := &FileError{File: name, Line: 1, Step: -1, Reason: "does not parse: " + reason, Fix: "correct the YAML"}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscan(m[1], &e.Line) // the pattern admits digits only
	} else if m := yamlAnchor.FindStringSubmatch(err.Error()); m != nil {
		before, _, _ := bytes.Cut(data, []byte("*"+m[1]))
		e.Line = 1 + bytes.Count(before, []byte("\n"))
	}
	return e
}

// secretLine: the line that holds a text speaks of a secret.
func secretLine(data []byte, text string) bool {
	before, _, _ := bytes.Cut(data, []byte(text))
	return secretName.Match(before[bytes.LastIndexByte(before, '\n')+1:])
}

func noSteps(name string, line int) *FileError {
	return &FileError{File: name, Line: line, Step: -1, Field: "steps", Reason: "there are none", Fix: "add a step that builds the image"}
}

// unsupported are fields that Cloud Build documents but whose Go API (v1.37.0)
// lacks them, as paths in camelCase (google.golang.org/api v0.311.0,
// cloudbuild/v1/cloudbuild-api.json).
var unsupported = map[string]bool{
	"artifacts.genericArtifacts":    true,
	"artifacts.oci":                 true,
	"options.pool.workerRelease":    true,
	"options.pubsubTopic":           true,
	"options.rankedMachineSeries":   true,
	"remoteConfig":                  true,
	"source.developerConnectConfig": true,
}
