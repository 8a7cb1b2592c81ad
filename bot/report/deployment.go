package report

import "fmt"

// DeploymentState is the state of a deployment, in GitHub's words.
type DeploymentState string

// The states that Turnout publishes. A release becomes a success only after its soak. If
// its environment failed, the state is error; if the release itself failed, it is failure.
const (
	StateQueued     DeploymentState = "queued"
	StateInProgress DeploymentState = "in_progress"
	StatePending    DeploymentState = "pending"  // it waits for a person
	StateSuccess    DeploymentState = "success"  // users have it, and it soaked
	StateFailure    DeploymentState = "failure"  // the release itself failed
	StateError      DeploymentState = "error"    // its environment failed
	StateInactive   DeploymentState = "inactive" // cancelled, superseded, or replaced by a later release
)

// maxDescription is the longest description of a deployment, in characters (GitHub REST
// docs, "Create a deployment status").
const maxDescription = 140

// Deployment is one row of the Deployments tab.
type Deployment struct {
	ReleaseUID     string // marks it as Turnout's
	Application    string // namespace/name
	Ref            string // the commit
	Task           string // deploy or rollback
	Environment    string
	State          DeploymentState
	Description    string // at most 140 characters
	LogURL         string // the build's log, if there is one
	EnvironmentURL string
}

// Shown is what a reader sees of the state. The bot compares and records it.
func (d Deployment) Shown() string { return fmt.Sprintf("%s: %s", d.State, d.Description) }
