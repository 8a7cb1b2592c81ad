package report

import "fmt"

// DeploymentState is GitHub's word for where a deployment stands.
type DeploymentState string

// The states of a deployment that are published. A release is a success only after its soak, and a
// failure of the environment is an error, not a failure of the release.
const (
	StateQueued     DeploymentState = "queued"
	StateInProgress DeploymentState = "in_progress"
	StatePending    DeploymentState = "pending"  // it waits for a person
	StateSuccess    DeploymentState = "success"  // users have it, and it soaked
	StateFailure    DeploymentState = "failure"  // the release's own fault
	StateError      DeploymentState = "error"    // the world's fault
	StateInactive   DeploymentState = "inactive" // cancelled, superseded, or left behind by a later release
)

// maxDescription is the length of a deployment's description, in characters
// (GitHub REST docs, "Create a deployment status").
const maxDescription = 140

// Deployment is one row of the Deployments tab.
type Deployment struct {
	ReleaseUID     string // marks it as ours
	Application    string // namespace/name
	Ref            string // the commit
	Task           string // deploy or rollback
	Environment    string
	State          DeploymentState
	Description    string // at most 140 characters
	LogURL         string // of the build, if there is one
	EnvironmentURL string
}

// Shown is what a reader sees of a deployment's state. It is compared and recorded.
func (d Deployment) Shown() string { return fmt.Sprintf("%s: %s", d.State, d.Description) }
