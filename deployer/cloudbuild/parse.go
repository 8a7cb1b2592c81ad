package cloudbuild

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/encoding/protojson"
	yamlv3 "gopkg.in/yaml.v3"
	"sigs.k8s.io/yaml"
)

// maxFileBytes bounds a cloudbuild.yaml. CreateBuild requests are refused by
// the API long before that (100 steps, 4000 characters an argument).
const maxFileBytes = 1 << 20

// userKey is the form gcloud demands of a substitution in the file (Cloud SDK,
// api_lib/cloudbuild/config.py); everything else is Cloud Build's own.
var userKey = regexp.MustCompile(`^_[A-Z0-9_]+$`)

// File is a cloudbuild.yaml that passed every check.
type File struct {
	// Name is the path in the repository, as error messages cite it.
	Name string
	// Build is the file's content. It never has a source or a service account.
	Build *cloudbuildpb.Build
	// Warnings tell what was dropped or ignored, in the file's order.
	Warnings []Warning

	lines []int // line of each of Build.Steps, 0 where unknown
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
// unknown fields refused) and checks what can be checked before a build
// starts. Every error is a *FileError.
func Parse(name string, data []byte) (*File, error) {
	root, err := readTree(name, data)
	if err != nil {
		return nil, err
	}
	asJSON, err := yaml.YAMLToJSONStrict(data)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	c := &checker{file: name}
	if err := c.message(root, (&cloudbuildpb.Build{}).ProtoReflect().Descriptor(), ""); err != nil {
		return nil, err
	}
	asJSON, err = strip(asJSON)
	if err != nil {
		return nil, syntaxError(name, err)
	}
	f := &File{Name: name, Build: &cloudbuildpb.Build{}, Warnings: c.warnings, lines: stepLines(root)}
	if err := protojson.Unmarshal(asJSON, f.Build); err != nil {
		return nil, syntaxError(name, err)
	}
	if err := f.check(root); err != nil {
		return nil, err
	}
	return f, nil
}

// Print writes the file's content as YAML that Parse reads back to the same.
func (f *File) Print() ([]byte, error) {
	asJSON, err := protojson.Marshal(f.Build)
	if err != nil {
		return nil, fmt.Errorf("print %s: %w", f.Name, err)
	}
	return yaml.JSONToYAML(asJSON)
}

// readTree parses the one document of the file into nodes that know lines.
func readTree(name string, data []byte) (*yamlv3.Node, error) {
	if len(data) > maxFileBytes {
		return nil, &FileError{File: name, Step: -1, Reason: fmt.Sprintf("is %d bytes long; the limit is %d", len(data), maxFileBytes)}
	}
	decoder := yamlv3.NewDecoder(bytes.NewReader(data))
	var doc, more yamlv3.Node
	err := decoder.Decode(&doc)
	if errors.Is(err, io.EOF) {
		return nil, noSteps(name, 0)
	}
	if err != nil {
		return nil, syntaxError(name, err)
	}
	if err := decoder.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &FileError{File: name, Line: more.Line, Step: -1, Reason: "holds more than one YAML document", Fix: "keep one build in one file"}
	}
	if len(doc.Content) == 0 {
		return nil, noSteps(name, 0)
	}
	root := resolve(doc.Content[0])
	if root.Kind == yamlv3.ScalarNode && root.Tag == "!!null" {
		return nil, noSteps(name, root.Line)
	}
	return root, nil
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// syntaxError keeps the line that the YAML parser names.
func syntaxError(name string, err error) *FileError {
	e := &FileError{File: name, Step: -1, Reason: "does not parse: " + err.Error(), Fix: "check it with: gcloud builds submit --no-source --config=" + name}
	if m := yamlLine.FindStringSubmatch(err.Error()); m != nil {
		_, _ = fmt.Sscan(m[1], &e.Line) // the pattern admits digits only
	}
	return e
}

func noSteps(name string, line int) *FileError {
	return &FileError{File: name, Line: line, Step: -1, Field: "steps", Reason: "there are none", Fix: "add a step that builds the image"}
}

// unsupported are fields that Cloud Build documents but whose Go API (v1.37.0)
// lacks them, as paths in camelCase.
var unsupported = map[string]bool{
	"options.pubsubTopic":           true,
	"remoteConfig":                  true,
	"source.developerConnectConfig": true,
}

// strip removes the unsupported fields from the decoded file; the checker has
// warned of them.
func strip(asJSON []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(asJSON))
	decoder.UseNumber()
	var root map[string]any
	if err := decoder.Decode(&root); err != nil {
		return nil, fmt.Errorf("read it as an object: %w", err)
	}
	stripFrom(root, "")
	return json.Marshal(root)
}

func stripFrom(object map[string]any, prefix string) {
	for key, value := range object {
		path := prefix + camel(key)
		if unsupported[path] {
			delete(object, key)
			continue
		}
		if inner, ok := value.(map[string]any); ok && prefix == "" && (key == "options" || key == "source") {
			stripFrom(inner, path+".")
		}
	}
}
