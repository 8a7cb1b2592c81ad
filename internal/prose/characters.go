package prose

import "unicode/utf8"

// Characters shortens a text to a number of characters, as schemas and GitHub count them,
// with an ellipsis at the cut. It changes nothing else.
func Characters(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
