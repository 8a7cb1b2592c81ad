package cloudbuild

import "regexp"

// Turnout's own limits for one file: no file may use up the memory that all releases share. The
// largest published files have about 60 KB.
const (
	maxFileBytes = 256 << 10
	maxNodes     = 100_000
	maxTextBytes = 1 << 20
)

// Cloud Build's own limits, as far as it states them: the validation of its local builder
// (cloud-build-local, validate/validate.go), and what was raised since: arguments ("arg 1 too
// long (max: 10000)" in its answers), steps (300, "Quotas and limits"), substitutions and images
// (200).
const (
	maxSteps         = 300
	maxArgBytes      = 10_000
	maxImages        = 200
	maxImageBytes    = 1_000
	maxSubstitutions = 200
	maxKeyBytes      = 100
	// maxValueBytes is the limit of an argument. The documented 4,000 are not enforced: builds
	// with 4,400 do run.
	maxValueBytes = 10_000
)

// userKey is the form that gcloud demands of a substitution in the file (Cloud SDK,
// api_lib/cloudbuild/config.py). All other names belong to Cloud Build.
var userKey = regexp.MustCompile(`^_[A-Z0-9_]+$`)
