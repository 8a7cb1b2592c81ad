package cloudbuild

import (
	"regexp"
	"strings"

	"github.com/turnout-dev/turnout/internal/imageref"
)

// lastSegment is the last part of an image's path, without tag and digest.
func lastSegment(image string) string {
	name := imageref.Repository(image)
	return name[strings.LastIndex(name, "/")+1:]
}

// sameName are the repositories with the same last path segment as the live image.
func sameName(listed []string, live string) []string {
	var match []string
	for _, name := range listed {
		if live != "" && lastSegment(name) == lastSegment(live) {
			match = append(match, name)
		}
	}
	return match
}

// imageName is the grammar of references, host/path:tag@digest (distribution,
// reference/regexp.go).
var imageName = func() *regexp.Regexp {
	const (
		label = `(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])`
		host  = label + `(?:\.` + label + `)*(?::[0-9]+)?`
		part  = `[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*`
	)
	return regexp.MustCompile(`^(?:` + host + `/)?` + part + `(?:/` + part +
		`)*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@sha256:[0-9a-f]{64})?$`)
}()

// laterName matches the remains of a substitution that only the build knows.
var laterName = regexp.MustCompile(`\$[A-Z_][A-Z0-9_]*`)

// valueless reports what is wrong with a substitution without a value, and which line sets it.
func valueless(name, what string) (reason, fix string) {
	switch name {
	case "TAG_NAME":
		return "$TAG_NAME is empty: a release builds a commit of a branch, not a tag", "use $COMMIT_SHA or $SHORT_SHA"
	case "REF_NAME":
		return "$REF_NAME is empty in a build that no trigger starts", "use $BRANCH_NAME"
	case "TRIGGER_NAME", "TRIGGER_BUILD_CONFIG_PATH":
		return "$" + name + " is empty in a build that no trigger starts", "write the value out, or use a substitution of your own"
	}
	if !userKey.MatchString(name) {
		return "$" + name + " is not a substitution of Cloud Build",
			"name it _" + name + ", and set spec.build.substitutions._" + name + " of the BlueGreen; or write $$" + name + " for a dollar"
	}
	return "${" + name + "} " + what, "set spec.build.substitutions." + name + " of the BlueGreen"
}

// unbraced is a name with each ${NAME} written as $NAME.
func unbraced(name string) string { return bracedName.ReplaceAllString(name, "$$$1") }

var bracedName = regexp.MustCompile(`\$\{([A-Z_][A-Z0-9_]*)\}`)
