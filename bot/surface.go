package bot

import (
	"os"
	"strings"
)

// Surface is where people read: it has the words for every fact. A text names the
// arguments of its fact as ${word}; ${because} is the fact in [Args.Because].
type Surface struct {
	Texts map[Code]Text
	// Words show an argument, each in the way of the surface.
	Words map[string]func(Args) string
}

// Text is what is said, and what to do next.
type Text struct{ Says, Next string }

// String is both in a row.
func (t Text) String() string { return strings.TrimSpace(t.Says + " " + t.Next) }

// Say puts a fact into words, and behind it what else there is to say. What has no
// words says its code, which a test keeps from happening.
func (s Surface) Say(f Fact) Text {
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

func join(a, b string) string { return strings.TrimSpace(a + " " + b) }

func (s Surface) fill(text string, a Args) string {
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
