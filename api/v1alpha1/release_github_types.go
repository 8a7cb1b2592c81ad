package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// GitHubStatus is what the bot created on GitHub for a release. The bot writes it by
// server-side apply under the field manager [BotManager].
type GitHubStatus struct {
	// DeploymentIntendedAt is when the bot was last about to create a deployment.
	DeploymentIntendedAt *metav1.Time `json:"deploymentIntendedAt,omitempty"`

	// DeploymentID of the release's deployment.
	DeploymentID int64 `json:"deploymentID,omitempty"`

	// DeploymentState last published, with its description.
	DeploymentState string `json:"deploymentState,omitempty"`

	// DeploymentStateIntended is the state that the bot was about to publish. Unset once it
	// did.
	DeploymentStateIntended string `json:"deploymentStateIntended,omitempty"`

	// DeploymentRefused is GitHub's reason to refuse the deployment, or its state, for
	// good. The bot then leaves the Deployments tab as it is.
	DeploymentRefused string `json:"deploymentRefused,omitempty"`

	// DoubtSince is when the bot wrote something again because GitHub might still carry
	// out the first write. Unset once the bot has looked at GitHub again, later.
	DoubtSince *metav1.Time `json:"doubtSince,omitempty"`

	// PullRequests that the release ships: merged by its own commit, or by others of the
	// same push.
	// +listType=set
	PullRequests []int `json:"pullRequests,omitempty"`

	// PullRequestsCut says that the push had more commits than the bot checks: the oldest
	// pull requests are missing.
	PullRequestsCut bool `json:"pullRequestsCut,omitempty"`

	// PullRequestsKnown is set once the bot has looked them up.
	PullRequestsKnown bool `json:"pullRequestsKnown,omitempty"`

	// Comments of the release, one per pull request.
	// +listType=map
	// +listMapKey=pullRequest
	Comments []CommentStatus `json:"comments,omitempty"`

	// Reaction last set on the command that asked for the release.
	Reaction string `json:"reaction,omitempty"`

	// Published is a digest of the report that the bot last published.
	Published string `json:"published,omitempty"`
}

// CommentStatus is the comment of one pull request.
type CommentStatus struct {
	// PullRequest with the comment.
	PullRequest int `json:"pullRequest"`

	// ID of the comment.
	ID int64 `json:"id,omitempty"`

	// IntendedAt is when the bot was about to create the comment. Unset once it did.
	IntendedAt *metav1.Time `json:"intendedAt,omitempty"`

	// Digest of the body last written.
	Digest string `json:"digest,omitempty"`
}
