package cloudbuild

import "regexp"

// What Turnout itself bears of one file, so that no file takes the memory that
// everybody's releases share. The largest published files have some 60 KB.
const (
	maxFileBytes = 256 << 10
	maxNodes     = 100_000
	maxTextBytes = 1 << 20
)

// Cloud Build's own limits, as far as it states them: the validation of its
// local builder (cloud-build-local, validate/validate.go) with what was raised
// since then: arguments ("arg 1 too long (max: 10000)" in its answers), steps
// (300, "Quotas and limits"), substitutions and images (200).
const (
	maxSteps         = 300
	maxArgBytes      = 10_000
	maxImages        = 200
	maxImageBytes    = 1_000
	maxSubstitutions = 200
	maxKeyBytes      = 100
	// maxValueBytes is what an argument holds. The 4,000 that are documented
	// are not enforced: builds with 4,400 were seen to run.
	maxValueBytes = 10_000
)

// userKey is the form gcloud demands of a substitution in the file (Cloud SDK,
// api_lib/cloudbuild/config.py); everything else is Cloud Build's own.
var userKey = regexp.MustCompile(`^_[A-Z0-9_]+$`)
