package cloudbuild

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"unicode/utf8"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	yamlv3 "gopkg.in/yaml.v3"
)

// Parse reads a cloudbuild.yaml as gcloud does (snake_case or camelCase, unknown
// fields refused, a single value for a list of one) and checks what can be checked
// before a build starts. Every error is a *FileError.
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

// readTree parses the file's only document into nodes with line numbers.
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
			Reason: "does not parse: it contains a byte that is not UTF-8 text", Fix: "save the file as UTF-8",
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
			File: name, Line: max(1, more.Line), Step: -1, Reason: "contains more than one YAML document",
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

// firstBadRune is the offset of the first byte that is not UTF-8, or -1.
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

// syntaxError keeps the line that the YAML parser names. The parser names none for the first
// line, or for a missing anchor.
func syntaxError(name string, data []byte, err error) *FileError {
	reason := err.Error()
	if m := yamlAnchor.FindStringSubmatch(reason); m != nil && secretLine(data, "*"+m[1]) {
		reason = "yaml: unknown anchor referenced" // may be an unquoted password that begins with *
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

// secretLine reports whether the line that contains a text mentions a secret.
func secretLine(data []byte, text string) bool {
	before, _, _ := bytes.Cut(data, []byte(text))
	return secretName.Match(before[bytes.LastIndexByte(before, '\n')+1:])
}
