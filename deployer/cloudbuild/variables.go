package cloudbuild

import (
	"regexp"
	"strings"

	"cloud.google.com/go/cloudbuild/apiv1/v2/cloudbuildpb"
	"google.golang.org/protobuf/proto"
	"mvdan.cc/sh/v3/syntax"
)

// maxReplaced bounds how much text is made of a file's arguments to find what its
// steps push.
const maxReplaced = 4 << 20

// pushed are the images that the steps push themselves. With an expander their
// names are as Cloud Build and the step's shell will have them, as far as that is
// plain to see; without one, as they are written.
func (f *File) pushed(x *expander) []push { return f.pushedTelling(x, nil) }

// pushedTelling is the same, and tells of every word and value on the way.
func (f *File) pushedTelling(x *expander, told func(text string)) []push {
	var found []push
	left, budget, commands, files := maxReplaced, maxShellBytes, 0, map[string]string{}
	for i, step := range f.Build.GetSteps() {
		s := sight{at: i, commands: commands, budget: &budget, files: files, told: told}
		if x != nil {
			step = proto.CloneOf(step)
			x.replaceArgs(step, &left)
			s.vars = f.environment(x, step)
		}
		s.step(step)
		found, commands = append(found, s.pushes...), s.commands
	}
	return found
}

// replaceArgs replaces the substitutions in what a step is told. A dollar that
// stays is written as Cloud Build has it, doubled.
func (x *expander) replaceArgs(step *cloudbuildpb.BuildStep, left *int) {
	replace := func(text string) string {
		if !strings.Contains(text, "$") || *left <= 0 {
			return text
		}
		out, err := x.expand(text, maxArgBytes)
		if err != nil {
			return text // Cloud Build refuses it, or it is of no use for a name
		}
		*left -= len(out.text)
		return strings.ReplaceAll(out.text, "$", "$$")
	}
	step.Entrypoint = replace(step.GetEntrypoint())
	for i, arg := range step.Args {
		step.Args[i] = replace(arg)
	}
}

// environment is what the shell of a step knows from the start.
func (f *File) environment(x *expander, step *cloudbuildpb.BuildStep) values {
	vars := values{}
	automap := f.Build.GetOptions().GetAutomapSubstitutions() || step.GetAutomapSubstitutions()
	switch {
	case step.GetScript() == "":
		vars["BUILD_ID"] = "$BUILD_ID" // is replaced before a shell sees it
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

// assign follows the assignments of a shell script. A variable that perhaps gets a
// second value may have either.
func (s *sight) assign(assigns []*syntax.Assign, text string) {
	if s.vars == nil {
		return
	}
	for _, a := range assigns {
		if a.Name == nil || a.Naked {
			continue
		}
		value := word{known: a.Value == nil}
		if a.Value != nil {
			value = s.word(a.Value, text)
		}
		if before, ok := s.vars[a.Name.Value]; a.Append && ok && s.perhaps == 0 {
			s.set(a.Name.Value, word{text: before + value.text, known: value.known}, a.Index != nil || a.Array != nil)
			continue
		}
		s.set(a.Name.Value, value, a.Append || a.Index != nil || a.Array != nil)
	}
}

func (s *sight) set(name string, value word, unsure bool) {
	if s.told != nil {
		s.told(value.text)
	}
	before, had := s.vars[name]
	if s.perhaps == 0 && !unsure {
		s.assigned(name, value)
		return
	}
	if unsure || s.unsure[name] || had && before != value.text || !value.known || len(value.text) > maxImageBytes {
		delete(s.vars, name)
		s.unsure = with(s.unsure, name, true)
		return
	}
	s.vars[name] = value.text
}

// assigned gives a variable a value that it surely has from now on.
func (s *sight) assigned(name string, value word) {
	delete(s.vars, name)
	if delete(s.unsure, name); !value.known || len(value.text) > maxImageBytes {
		s.unsure = with(s.unsure, name, true)
		return
	}
	s.vars[name] = value.text
}

// word takes the quotes away from a word, and replaces the variables in it that are
// known.
func (s *sight) word(w *syntax.Word, text string) word {
	out := word{known: true}
	out.add(w.Parts, text, false, s.resolve)
	return out
}

// resolve is what a shell makes of a variable, with an operation or without.
func (v values) resolve(part syntax.WordPart, text string) (string, bool) {
	pe, ok := part.(*syntax.ParamExp)
	if !ok || v == nil || pe.Param == nil || !foreseen(pe) {
		return "", false
	}
	plain := pe.Exp == nil && pe.Repl == nil && pe.Slice == nil && !pe.Length
	switch value, known := v[pe.Param.Value]; {
	case plain:
		return value, known
	case strings.Contains(value, "$"):
		return source(pe, text), pe.Param.Value == buildID // evaluated once the build has its id
	}
	for _, name := range named(&syntax.Word{Parts: []syntax.WordPart{pe}}) {
		if _, known := v[name]; !known && (name != pe.Param.Value || pe.Exp == nil || !isDefault(pe.Exp.Op)) {
			return "", false
		}
	}
	if work(pe, v) > maxWork {
		return "", false
	}
	made, err := evaluate(pe, v)
	return made, err == nil && len(made) <= maxImageBytes
}

// foreseen: it runs nothing and assigns nothing.
func foreseen(pe *syntax.ParamExp) bool {
	good := true
	syntax.Walk(pe, func(node syntax.Node) bool {
		switch n := node.(type) {
		case *syntax.CmdSubst, *syntax.ProcSubst, *syntax.ArithmExp, *syntax.ExtGlob, *syntax.BinaryArithm:
			good = false
		case *syntax.ParamExp:
			if n.Excl || n.Index != nil || n.Names != 0 || n.Param == nil ||
				n.Exp != nil && (n.Exp.Op == syntax.AssignUnset || n.Exp.Op == syntax.AssignUnsetOrNull || n.Exp.Op == syntax.OtherParamOps) {
				good = false
			}
		}
		return good
	})
	return good
}

// buildID is the substitution that only the build itself knows, and that tells
// its images from those of every other.
const buildID = "BUILD_ID"

// buildIDText is where a name holds it, with an operation or without.
var buildIDText = regexp.MustCompile(`\$BUILD_ID\b|\$\{BUILD_ID(?:[^A-Z0-9_{}][^{}]*)?\}`)

// WithBuildID is a reference of [Chosen] with the build's id in it.
func WithBuildID(reference, id string) (string, error) {
	out, err := (&expander{values: map[string]string{buildID: id}}).expand(reference, maxImageBytes)
	return out.text, err
}

// loop: of a loop's variable, only a single value is known.
func (s *sight) loop(n *syntax.WordIter, text string) {
	if s.vars == nil {
		return
	}
	value := word{}
	if len(n.Items) == 1 {
		value = s.word(n.Items[0], text)
	}
	s.set(n.Name.Value, value, len(n.Items) != 1)
}
