package command

import "bytes"

// mark says that GitHub may read a line as something other than a line of a paragraph, by
// extensions that the parser lacks: a table row, a footnote, mathematics.
type mark struct {
	hides  bool // it holds no command
	unsure bool // its tags may be text
}

// markParagraphs marks the lines of a comment, by where they begin. It works on runs of
// lines between empty ones; a run is at least as long as any paragraph in it.
func markParagraphs(source []byte) map[int]mark {
	marks := map[int]mark{}
	var run []markedLine
	footnotes, at := false, 0
	for line := range bytes.Lines(source) {
		if len(bytes.Trim(line, " \t\r\n")) > 0 {
			run = append(run, markedLine{at, line})
		} else {
			footnotes = markRun(marks, run, footnotes)
			run = run[:0]
		}
		at += len(line)
	}
	markRun(marks, run, footnotes)
	return marks
}

type markedLine struct {
	start int
	text  []byte
}

// markRun marks the lines of one run. After a footnote, any line of a run but the first may
// continue it.
func markRun(marks map[int]mark, run []markedLine, footnotes bool) bool {
	first, last, dollars := -1, -1, 0
	table := false
	for i, line := range run {
		if i > 0 && isDelimiterRow(line.text) {
			table = true
			marks[run[i-1].start] = mark{hides: true, unsure: true}
		}
		note := bytes.HasPrefix(bytes.TrimLeft(line.text, " \t"), []byte("[^"))
		if footnotes = footnotes || note; table || note || footnotes && i > 0 {
			marks[line.start] = mark{hides: true, unsure: true}
		}
		if n := bytes.Count(line.text, []byte("$")); n > 0 {
			dollars += n
			last = i
			if first < 0 {
				first = i
			}
		}
	}
	if dollars > 1 {
		markMath(marks, run, first, last)
	}
	return footnotes
}

// markMath marks what may stand between two dollar signs.
func markMath(marks map[int]mark, run []markedLine, first, last int) {
	for i := first; i <= last; i++ {
		m := marks[run[i].start]
		m.hides, m.unsure = m.hides || i > first, true
		marks[run[i].start] = m
	}
}

// isDelimiterRow reports whether a line may turn the line above it into a table's head, and
// those below into rows (GFM, "Tables").
func isDelimiterRow(line []byte) bool {
	return bytes.IndexByte(line, '-') >= 0 && len(bytes.Trim(line, "|:- \t\r\n")) == 0
}
