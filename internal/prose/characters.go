package prose

import "unicode/utf8"

// Characters shortens a text to a number of characters, as schemas and GitHub count
// them; a cut ends in an ellipsis. It does nothing else with the text.
func Characters(s string, most int) string {
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	return string([]rune(s)[:most-1]) + "…"
}
