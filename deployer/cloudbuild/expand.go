package cloudbuild

import "regexp"

// variable is a substitution as Cloud Build writes it: $NAME, ${NAME}, with an
// optional bash-style operation inside the braces, or $$ for a dollar.
var variable = regexp.MustCompile(`\$(?:\$|([A-Z_][A-Z0-9_]*)|\{([A-Z_][A-Z0-9_]*)([^}]*)\})`)

// Expand replaces the substitutions in text by their values and lists the
// names, in order, for which values has none; those stay as they are written.
// Bash-style operations (${_A##*/}) are left as written and listed too.
func Expand(text string, values map[string]string) (expanded string, missing []string) {
	expanded = variable.ReplaceAllStringFunc(text, func(found string) string {
		if found == "$$" {
			return "$"
		}
		m := variable.FindStringSubmatch(found)
		name := m[1] + m[2]
		value, ok := values[name]
		if !ok || m[3] != "" {
			missing = append(missing, name)
			return found
		}
		return value
	})
	return expanded, missing
}

// expandValues resolves substitutions inside the values themselves, as
// dynamicSubstitutions makes Cloud Build do. A value that refers to itself, by
// whatever way, stays unresolved.
func expandValues(values map[string]string) map[string]string {
	done := make(map[string]string, len(values))
	for name, value := range values {
		for range values { // a chain is no longer than there are names
			next, _ := Expand(value, values)
			if next == value {
				break
			}
			if len(next) > maxFileBytes { // a value that doubles itself
				break
			}
			value = next
		}
		done[name] = value
	}
	return done
}
