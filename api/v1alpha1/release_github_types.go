package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GitHubStatus is what the bot made on GitHub for a release. It is written by
// server-side apply under the field manager [BotManager].
type GitHubStatus struct {
	// DeploymentIntendedAt is when a deployment was last about to be created.
	DeploymentIntendedAt *metav1.Time `json:"deploymentIntendedAt,omitempty"`

	// DeploymentID of the release's deployment.
	DeploymentID int64 `json:"deploymentID,omitempty"`

	// DeploymentState last published, with its description.
	DeploymentState string `json:"deploymentState,omitempty"`

	// DeploymentStateIntended is the state that was about to be published; unset
	// once it was.
	DeploymentStateIntended string `json:"deploymentStateIntended,omitempty"`

	// DeploymentRefused is GitHub's reason to refuse the deployment, or its state,
	// for good. The Deployments tab is left as it is then.
	DeploymentRefused string `json:"deploymentRefused,omitempty"`

	// DoubtSince is when something was written once more, because nobody could tell
	// whether GitHub would still carry out what was written before; unset once
	// GitHub was looked at again, a while later.
	DoubtSince *metav1.Time `json:"doubtSince,omitempty"`

	// PullRequests that were merged by what the release brings: by its own commit,
	// and by the others that the same push brought.
	// +listType=set
	PullRequests []int `json:"pullRequests,omitempty"`

	// PullRequestsCut says that the push brought more than were looked for, and the
	// oldest are missing.
	PullRequestsCut bool `json:"pullRequestsCut,omitempty"`

	// PullRequestsKnown is set once they were asked for.
	PullRequestsKnown bool `json:"pullRequestsKnown,omitempty"`

	// Comments made, one a pull request.
	// +listType=map
	// +listMapKey=pullRequest
	Comments []CommentStatus `json:"comments,omitempty"`

	// Reaction last set on the command that asked for the release.
	Reaction string `json:"reaction,omitempty"`

	// Published is a digest of the report that GitHub was last made to show.
	Published string `json:"published,omitempty"`
}

// CommentStatus is the comment of one pull request.
type CommentStatus struct {
	// PullRequest it stands on.
	PullRequest int `json:"pullRequest"`

	// ID of the comment.
	ID int64 `json:"id,omitempty"`

	// IntendedAt is when the comment was about to be created; unset once it was.
	IntendedAt *metav1.Time `json:"intendedAt,omitempty"`

	// Digest of the body last written.
	Digest string `json:"digest,omitempty"`
}
