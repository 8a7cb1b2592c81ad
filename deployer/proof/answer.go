package proof

import (
	"time"

	"github.com/turnout-dev/turnout/internal/prose"
)

// Kind is what an answer shows about the application.
type Kind int

// The kinds of answers.
const (
	Served Kind = iota + 1 // users are served
	Failed                 // users are not served
	Unseen                 // it does not show that
)

// String names a kind as the metrics do.
func (k Kind) String() string {
	switch k {
	case Served:
		return "served"
	case Failed:
		return "failed"
	case Unseen:
		return "unseen"
	}
	return "unknown"
}

// Answer is the result of one request.
type Answer struct {
	SentAt, EndedAt time.Time
	Kind            Kind
	// Failure is the kind of failure, for Failed: a status such as "503",
	// [BrokenConnection] or [NoAnswer].
	Failure string
	// Version named in the answer; "" if there is none.
	Version string
	// Text describes it to a person.
	Text string
}

// Failures other than a status.
const (
	BrokenConnection = "broken connection" // it broke before an answer was complete
	NoAnswer         = "no answer"         // the connection was made, but no complete answer came in time
)

// maxText bounds a foreign text, and maxVersion a version, in bytes of JSON.
const (
	maxText    = 512
	maxVersion = 200
)

// Version is the version in a header's value; "" if the value is too long to record or cannot be
// shown. Versions are compared, so they are never shortened: two long ones may begin alike.
func Version(header string) string {
	if prose.Size(header) > maxVersion || prose.OneLine(header) != header {
		return ""
	}
	return header
}
