package doctor

import (
	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Area is a part of the world that is checked.
type Area string

// The areas, in the order in which they are shown.
const (
	AreaCluster      Area = "cluster"
	AreaGitHub       Area = "github"
	AreaGoogle       Area = "google"
	AreaApplications Area = "applications"
)

// Severity says what a finding means for releases.
type Severity string

const (
	// SeverityError keeps Turnout, or an application, from working.
	SeverityError Severity = "Error"
	// SeverityUnknown is a check that got no answer: nobody knows whether it is well.
	SeverityUnknown Severity = "Unknown"
	// SeverityWarning does not keep anything from working.
	SeverityWarning Severity = "Warning"
	// SeverityNote is good to know.
	SeverityNote Severity = "Note"
)

// Bad reports whether somebody has to do something before all is well.
func (s Severity) Bad() bool { return s == SeverityError || s == SeverityUnknown }

// Effect is what the mending of a finding does to live users.
type Effect string

const (
	// EffectNone is that nothing which users reach changes.
	EffectNone Effect = "None"
	// EffectRestart is that Turnout's own pods may be replaced.
	EffectRestart Effect = "Restart"
	// EffectReleases is that releases may begin, which then move users as always.
	EffectReleases Effect = "Releases"
	// EffectRoutes is that it changes how users are routed, or the pods that serve them.
	EffectRoutes Effect = "Routes"
)

// Text is the effect for a person.
func (e Effect) Text() string {
	switch e {
	case EffectNone:
		return "nothing changes for them"
	case EffectRestart:
		return "nothing changes for them; Turnout's pods may restart, and a release under way then continues"
	case EffectReleases:
		return "nothing changes for them at once; releases that wait for this may then begin"
	case EffectRoutes:
		return "this may change what serves them: read it before you do it"
	}
	return ""
}

// Code is a finding's kind, for programs. docs/doctor.md lists them; a test compares both.
type Code string

// Finding is something that a person should know, or mend.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	// Object it is about, such as "customresourcedefinition releases.turnout.dev".
	Object string `json:"object"`
	// Field of that object, if it is about one.
	Field string `json:"field,omitempty"`
	// Message says what is wrong and what to do.
	Message string `json:"message"`
	// Commands mend it, in this order; empty if no command does.
	Commands []v1alpha1.ShellCommand `json:"commands,omitempty"`
	// Page is an address where a person mends it; empty if there is none.
	Page string `json:"page,omitempty"`
	// Users is what mending it does to live users; empty if there is nothing to mend.
	Users Effect `json:"users,omitempty"`
}
