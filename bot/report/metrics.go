package report

import (
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// metricsTable shows what each check measured of the new version, window by window. It is
// empty if there is nothing to show, or no room.
func metricsTable(a *v1alpha1.AnalysisStatus, room int) string {
	if a == nil {
		return ""
	}
	var rows []string
	for _, c := range a.Checks {
		if len(c.Points) > 0 {
			rows = append(rows, metricsRow(c, a.Weight > 0))
		}
	}
	if len(rows) == 0 {
		return ""
	}
	other := "before the switch"
	if a.Weight > 0 {
		other = "the version beside it"
	}
	head := "| metric | last window | " + other + " | passes if | windows |\n| --- | --- | --- | --- | --- |\n"
	table := head + strings.Join(rows, "\n")
	if utf8.RuneCountInString(table) > room {
		return ""
	}
	return table
}

func metricsRow(c v1alpha1.CheckStatus, beside bool) string {
	mark := ""
	if c.Failed > 0 {
		mark = "❌ "
	}
	last := measuredIn(c, &c.Points[len(c.Points)-1])
	passes := "no more errors than before"
	switch {
	case c.Pass != "":
		passes = code(c.Pass)
	case beside:
		passes = "no more errors than there"
	}
	cells := []string{mark + plain(c.Name), last, measuredIn(c, c.Other), passes, code(sparkline(c))}
	return "| " + strings.Join(cells, " | ") + " |"
}

// measuredIn shows what a check measured in a window.
func measuredIn(c v1alpha1.CheckStatus, p *v1alpha1.CheckPoint) string {
	switch {
	case p == nil || p.Value == "":
		return "–"
	case c.Pass == "":
		return round(p.Value) + " of " + round(p.Samples)
	}
	return round(p.Value)
}

// round shows a number to four digits.
func round(n v1alpha1.Number) string {
	f, ok := n.Float()
	if !ok {
		return "–"
	}
	if f == float64(int64(f)) {
		return strconv.FormatInt(int64(f), 10)
	}
	return strconv.FormatFloat(f, 'g', 4, 64)
}

const bars = "▁▂▃▄▅▆▇█"

// sparkline draws a check's windows, scaled from 0 to the largest; · is a window without a
// value.
func sparkline(c v1alpha1.CheckStatus) string {
	var values []float64
	largest := 0.0
	for _, p := range c.Points {
		value, ok := p.Value.Float()
		if samples, counted := p.Samples.Float(); c.Pass == "" && counted && samples > 0 {
			value /= samples
		}
		if !ok {
			value = -1
		}
		values = append(values, value)
		largest = max(largest, value)
	}
	all := []rune(bars)
	var b strings.Builder
	for _, value := range values {
		switch {
		case value < 0:
			b.WriteRune('·')
		case largest == 0:
			b.WriteRune(all[0])
		default:
			b.WriteRune(all[int(value/largest*float64(len(all)-1)+0.5)])
		}
	}
	return b.String()
}
