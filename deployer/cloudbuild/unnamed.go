package cloudbuild

import (
	"fmt"
	"strings"
)

// shownName is how much of an image's name a warning repeats: two names with the whole
// commit fit into a line of the record.
const shownName = 250

// unnamed warns of an image in spec.build.image that no step of the file names. Its name may be
// mistyped, which would otherwise show only after the build, or a script may push it out of
// sight. It is nil if a step names the image, or may push it.
func (f *File) unnamed(x *expander, want push, all []push) *Warning {
	var other *push
	for i, p := range all {
		switch {
		case x.mayBe(p, want):
			return nil
		case other == nil:
			other = &all[i]
		}
	}
	if f.mentions(x, want.ref) {
		return nil
	}
	w := &Warning{File: f.Name, Line: f.place("steps")}
	seen := "no visible step pushes it"
	if other != nil {
		w.Line = f.place(f.stepPath(other.step))
		seen = fmt.Sprintf("%s pushes %s", stepName(f.index(other.step), f.Build.GetSteps()[other.step].GetId()), cutName(x.settled(other.ref)))
	}
	w.Message = fmt.Sprintf("no step names spec.build.image %s, and %s; if no script pushes it either, the release fails after its build: "+
		"correct spec.build.image of the BlueGreen, or the name in the step; "+
		"if a script pushes it, pass it the name as an argument, so that Turnout can check it before the build", cutName(want.ref), seen)
	return w
}

// mayBe reports whether a step pushes the wanted image, or may push it.
func (x *expander) mayBe(p, want push) bool {
	repository := x.repository(p)
	same := repository == x.repository(want)
	reason, _ := x.unclear(p)
	switch {
	case p.ref == "":
		return true
	case p.all:
		return same
	case reason != "":
		return same || strings.ContainsAny(repository, "$`…")
	}
	return x.settled(p.ref) == want.ref
}

// mentions reports whether the name is among a step's words or variables or in its script, for
// whatever purpose.
func (f *File) mentions(x *expander, ref string) bool {
	found := false
	hear := func(text string) { found = found || holdsName(x.settled(text), ref) }
	f.pushedTelling(x, hear)
	replaced := func(text string) {
		if out, err := x.expand(text, maxArgBytes); err == nil {
			hear(out.text)
		}
	}
	for _, setting := range f.Build.GetOptions().GetEnv() {
		replaced(setting)
	}
	for _, step := range f.Build.GetSteps() {
		for _, text := range append(append([]string{step.GetEntrypoint(), step.GetScript()}, step.GetArgs()...), step.GetEnv()...) {
			replaced(text)
		}
	}
	return found
}

// holdsName reports whether a text contains a name, and not just a longer name around it.
func holdsName(text, name string) bool {
	for at := 0; ; at++ {
		i := strings.Index(text[at:], name)
		if i < 0 {
			return false
		}
		at += i
		before, after := text[:at], text[at+len(name):]
		if (before == "" || !ofName(before[len(before)-1])) && (after == "" || !ofName(after[0])) {
			return true
		}
	}
}

// ofName reports whether a character can be part of a name.
func ofName(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-' || c == '.'
}

func cutName(name string) string {
	if len(name) <= shownName {
		return name
	}
	return strings.ToValidUTF8(name[:shownName], "") + "…"
}
