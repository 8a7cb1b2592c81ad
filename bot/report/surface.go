package report

import (
	"os"
	"strings"

	"github.com/turnout-dev/turnout/api/v1alpha1"
	"github.com/turnout-dev/turnout/bot/command"
)

// Surface is a place where people read: it has a text for every fact. A text refers to the
// fact's arguments as ${word}; ${because} is the fact in [command.Args.Because].
type Surface struct {
	Texts map[command.Code]Text
	// Words formats each argument for this surface.
	Words map[string]func(command.Args) string
}

// Text is what a fact says, and what to do next.
type Text struct{ Says, Next string }

// String is both parts in a row.
func (t Text) String() string { return strings.TrimSpace(t.Says + " " + t.Next) }

// Say turns a fact, and the facts that follow it, into text. A fact without a text shows
// its code; a test keeps that from happening.
func (s Surface) Say(f command.Fact) Text {
	text, known := s.Texts[f.Code]
	if !known {
		text.Says = string(f.Code)
	}
	text = Text{s.fill(text.Says, f.Args), s.fill(text.Next, f.Args)}
	for _, more := range f.Args.More {
		also := s.Say(more)
		text = Text{join(text.Says, also.Says), join(text.Next, also.Next)}
	}
	return text
}

// Waiting says what a release waits for. It uses the most exact text that the surface has.
func (s Surface) Waiting(w *v1alpha1.Waiting, about command.Args) string {
	about.By, about.Release, about.Object, about.Done, about.Of = w.By, w.Release, w.Object, w.Done, w.Of
	about.At, about.Until, about.Reason = w.Since, w.Until, w.Detail
	if w.Commit != "" {
		about.Version = &v1alpha1.Version{Commit: w.Commit}
	}
	for _, code := range []command.Code{WaitingCode(w.For, w.Because), WaitingCode(w.For, "")} {
		if _, known := s.Texts[code]; known {
			return s.Say(command.Fact{Code: code, Args: about}).Says
		}
	}
	return w.Detail // a newer version may wait for something else
}

// WaitingCode is the code of what a release waits for.
func WaitingCode(what v1alpha1.WaitingFor, because v1alpha1.WaitingBecause) command.Code {
	return command.Code("Waits" + string(what) + string(because))
}

// Failure says why a release did not succeed. It uses the text of the reason; if the reason
// is unknown here, or the record lacks facts, it uses the record's own message. In about
// are the release's version, and who cancelled it and why.
func (s Surface) Failure(f *v1alpha1.Failure, about command.Args) string {
	code := FailureCode(f.Reason, f.Because)
	if _, known := s.Texts[code]; !known || !complete(f, about) {
		code = CodeFailed
	}
	if code != FailureCode(v1alpha1.FailedCancelled, "") {
		about.By, about.Reason = f.By, f.Message
	}
	about.Release, about.At = f.Release, f.Since
	if f.Commit != "" {
		about.Live = &v1alpha1.Version{Commit: f.Commit}
	}
	if f.Limit != nil {
		about.About = *f.Limit
	}
	return s.Say(command.Fact{Code: code, Args: about}).Says
}

// complete reports whether a record has the facts that the reason's text needs. Records of
// older versions may lack them.
func complete(f *v1alpha1.Failure, about command.Args) bool {
	switch f.Reason {
	case v1alpha1.FailedCancelled:
		return about.By != ""
	case v1alpha1.FailedNotApproved:
		return f.Limit != nil
	case v1alpha1.FailedSuperseded, v1alpha1.FailedRolledBack:
		return f.Release != "" || f.Commit != ""
	default:
		return true
	}
}

// CancelOf returns who cancelled a release, and why, for [Surface.Failure].
func CancelOf(rel *v1alpha1.Release) command.Args {
	if rel.Spec.Cancel == nil {
		return command.Args{}
	}
	return command.Args{By: rel.CancelledBy(), Reason: rel.Spec.Cancel.Reason}
}

// FailureCode is the code of why a release failed.
func FailureCode(reason v1alpha1.FailureReason, because v1alpha1.FailureBecause) command.Code {
	return command.Code("Failed" + string(reason) + string(because))
}

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

func (s Surface) fill(text string, a command.Args) string {
	return os.Expand(text, func(name string) string {
		switch word := s.Words[name]; {
		case name == "because" && a.Because != nil:
			return s.Say(*a.Because).Says
		case word != nil:
			return word(a)
		}
		return name
	})
}
