package bot

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
	"golang.org/x/net/html"
)

// Verb is what a command asks for.
type Verb string

// The commands of this version.
const (
	Promote  Verb = "promote"  // put this pull request's commit in front of users
	Rollback Verb = "rollback" // go back to the version before the last switch
	Status   Verb = "status"   // say what is live and what is under way
)

// Command is a request written into a comment.
type Command struct {
	Verb Verb
	// Commit is the hash given with it, in short or in full; empty if none. It
	// may only confirm what the command means, never select something else.
	Commit string
}

// String returns the command as it is typed.
func (c Command) String() string {
	if c.Commit == "" {
		return "/" + string(c.Verb)
	}
	return "/" + string(c.Verb) + " " + c.Commit
}

// usage of each command, for a person who mistyped it.
var usage = map[Verb]string{
	Promote:  "`/promote`, or `/promote <sha>` with the commit of this pull request",
	Rollback: "`/rollback`, or `/rollback <sha>` with the commit that is live",
	Status:   "`/status`",
}

// UsageError is a command that was recognised but cannot be understood. Answer
// it; Error says to the person what is wrong and how to type it.
type UsageError struct {
	Verb    Verb
	Problem string
}

// Error implements error.
func (e *UsageError) Error() string {
	return fmt.Sprintf("%s. Type %s, on a line of its own.", e.Problem, usage[e.Verb])
}

// argument is the one allow-list for every word that reaches the bot from a
// comment: it cannot be a flag, a path that climbs, or anything a shell reads.
var argument = regexp.MustCompile(`^[A-Za-z0-9][\w.-]*$`)

// shortHash is a commit's hash, or its beginning, at least as long as GitHub
// shows it.
var shortHash = regexp.MustCompile(`^[0-9a-f]{7,64}$`)

// ParseCommand finds the command of a comment. A command is a line that starts
// with /name in a paragraph at the top level; code, quotes, lists, tables and
// HTML hold none, and so do lines that start with the name of somebody else's
// command. It returns nil if there is none, and a [UsageError] for one that is
// malformed or if there are several.
func ParseCommand(body string) (*Command, error) {
	var found *Command
	for _, line := range plainLines([]byte(body)) {
		name, rest, _ := strings.Cut(strings.TrimPrefix(line, "/"), " ")
		verb := Verb(name)
		if usage[verb] == "" {
			continue
		}
		if found != nil {
			return nil, &UsageError{verb, "There are several commands in one comment, and none was executed; write one a comment"}
		}
		c, err := parseArguments(verb, strings.Fields(rest))
		if err != nil {
			return nil, err
		}
		found = c
	}
	return found, nil
}

func parseArguments(verb Verb, words []string) (*Command, error) {
	c := &Command{Verb: verb}
	for _, word := range words {
		if !argument.MatchString(word) {
			return nil, &UsageError{verb, "That argument has characters that no argument may have"}
		}
	}
	switch {
	case len(words) == 0:
		return c, nil
	case verb == Status:
		return nil, &UsageError{verb, "`/status` takes no argument"}
	case len(words) > 1:
		return nil, &UsageError{verb, fmt.Sprintf("`/%s` takes at most one argument", verb)}
	case !shortHash.MatchString(words[0]):
		return nil, &UsageError{verb, fmt.Sprintf("`%s` is not a commit's hash (7 to 64 of 0-9a-f)", words[0])}
	}
	c.Commit = words[0]
	return c, nil
}

// markdown is GitHub's dialect, as far as it decides what is a paragraph.
var markdown = goldmark.New(goldmark.WithExtensions(extension.GFM))

// plainLines returns the lines that start with a slash and stand, as plain text,
// in a paragraph at the top level.
func plainLines(source []byte) []string {
	var lines []string
	depth := 0 // of HTML elements that are open
	doc := markdown.Parser().Parse(text.NewReader(source))
	for block := doc.FirstChild(); block != nil; block = block.NextSibling() {
		switch b := block.(type) {
		case *ast.HTMLBlock:
			depth = htmlDepth(depth, blockSource(b, source))
		case *ast.Paragraph:
			var found []string
			found, depth = paragraphLines(b, source, depth)
			lines = append(lines, found...)
		}
	}
	return lines
}

// paragraphLines returns the paragraph's lines that start with a slash and begin
// as plain text, and the depth of HTML elements after it. A line may begin in a
// code span, a link's title or a comment that another line opened; those are
// other nodes than text directly below the paragraph.
func paragraphLines(p *ast.Paragraph, source []byte, depth int) ([]string, int) {
	var lines []string
	starts := map[int]text.Segment{}
	for i := range p.Lines().Len() {
		line := p.Lines().At(i)
		line = line.TrimLeftSpace(source)
		starts[line.Start] = line
	}
	for node := p.FirstChild(); node != nil; node = node.NextSibling() {
		switch n := node.(type) {
		case *ast.RawHTML:
			for i := range n.Segments.Len() {
				segment := n.Segments.At(i)
				depth = htmlDepth(depth, segment.Value(source))
			}
		case *ast.Text:
			line, isStart := starts[n.Segment.Start]
			if value := string(line.Value(source)); isStart && depth == 0 && strings.HasPrefix(value, "/") {
				lines = append(lines, strings.TrimSpace(value))
			}
		}
	}
	return lines, depth
}

func blockSource(b *ast.HTMLBlock, source []byte) []byte {
	var raw []byte
	for i := range b.Lines().Len() {
		line := b.Lines().At(i)
		raw = append(raw, line.Value(source)...)
	}
	if b.HasClosure() {
		raw = append(raw, b.ClosureLine.Value(source)...)
	}
	return raw
}

// htmlDepth counts the elements that a piece of HTML leaves open.
func htmlDepth(depth int, raw []byte) int {
	tokens := html.NewTokenizer(strings.NewReader(string(raw)))
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			return depth
		case html.StartTagToken:
			if name, _ := tokens.TagName(); !voidElement[string(name)] {
				depth++
			}
		case html.EndTagToken:
			depth = max(0, depth-1)
		default: // opens and closes nothing
		}
	}
}

// voidElement has no end tag (HTML Living Standard, "Void elements").
var voidElement = map[string]bool{
	"area": true, "base": true, "br": true, "col": true, "embed": true, "hr": true, "img": true,
	"input": true, "link": true, "meta": true, "source": true, "track": true, "wbr": true,
}
