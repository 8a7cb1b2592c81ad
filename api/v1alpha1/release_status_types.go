package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// ReleasePhase is where a release stands.
//
// +kubebuilder:validation:Enum=Queued;Running;Waiting;Undoing;Succeeded;Failed;Error;Cancelled;Superseded
type ReleasePhase string

// Where a release stands. The last five are final.
const (
	ReleaseQueued     ReleasePhase = "Queued"     // another release acts, or something is in the way
	ReleaseRunning    ReleasePhase = "Running"    // it holds the claim and moves
	ReleaseWaiting    ReleasePhase = "Waiting"    // it waits for a person's approval
	ReleaseUndoing    ReleasePhase = "Undoing"    // it failed or was cancelled, and cleans up
	ReleaseSucceeded  ReleasePhase = "Succeeded"  // users have it
	ReleaseFailed     ReleasePhase = "Failed"     // the release's own fault
	ReleaseError      ReleasePhase = "Error"      // the world's fault
	ReleaseCancelled  ReleasePhase = "Cancelled"  // a person, or the approval's timeout, stopped it
	ReleaseSuperseded ReleasePhase = "Superseded" // a newer release took its place
)

// Finished reports whether a phase is final.
func (p ReleasePhase) Finished() bool {
	switch p {
	case ReleaseSucceeded, ReleaseFailed, ReleaseError, ReleaseCancelled, ReleaseSuperseded:
		return true
	case "", ReleaseQueued, ReleaseRunning, ReleaseWaiting, ReleaseUndoing:
	}
	return false
}

// Step is one row of a track; see deployer/track.
type Step string

// The steps of the three tracks.
const (
	StepBuild   Step = "build"   // the commit's image exists, known by digest
	StepAttach  Step = "attach"  // the target's Service is referenced under the standby host
	StepStage   Step = "stage"   // the target runs the image, at the live colour's size
	StepWarm    Step = "warm"    // the load balancer finds every endpoint of the target healthy
	StepVerify  Step = "verify"  // the health gate passes on every pod of the target
	StepPromote Step = "promote" // the switch is approved
	StepSwitch  Step = "switch"  // one patch moves the traffic
	StepConfirm Step = "confirm" // the public address answers
	StepSoak    Step = "soak"    // watched under live traffic
	StepRestore Step = "restore" // traffic goes back to the previous colour
	StepDiscard Step = "discard" // the target is shrunk
	StepSize    Step = "size"    // the version to return to runs, at the live colour's size
)

// ReleaseStatus is what became of a release.
type ReleaseStatus struct {
	// Format of the record, see [Format]; none is 1. A version that does not know it
	// leaves the release, and its application, alone.
	Format int32 `json:"format,omitempty"`

	// Phase is where it stands.
	Phase ReleasePhase `json:"phase,omitempty"`

	// Step that is under way.
	Step Step `json:"step,omitempty"`

	// Message says in a sentence what it waits for, or how it ended.
	Message string `json:"message,omitempty"`

	// Commands that do what the message says, to paste into a shell in this order.
	// Those of a failure stand there.
	// +listType=atomic
	Commands []ShellCommand `json:"commands,omitempty"`

	// Waiting says in facts what it waits for. Unset if it waits for nothing, or if
	// the record is of a version that did not note that.
	Waiting *Waiting `json:"waiting,omitempty"`

	// Version is the version in short, for people: the commit, or the image.
	Version string `json:"version,omitempty"`

	// Attestation says whether the cluster's admission policy decided who may write
	// this release's causes when it was admitted. Without it, anybody who may write
	// releases could have written them, and they are shown as claims.
	Attestation Attestation `json:"attestation,omitempty"`

	// Milestones reached; each is written once and never taken back, but for
	// those that the switch checks again.
	Milestones Milestones `json:"milestones,omitempty"`

	// Build is the handle of the build in progress.
	Build *BuildStatus `json:"build,omitempty"`

	// Gate is the state of the health gate's rounds.
	Gate *GateStatus `json:"gate,omitempty"`

	// Soak is the state of the watch under live traffic.
	Soak *SoakStatus `json:"soak,omitempty"`

	// Failure says why the release ends otherwise than as a success.
	Failure *Failure `json:"failure,omitempty"`

	// Route is what is known of the load balancer.
	Route *RouteStatus `json:"route,omitempty"`

	// Proof is what the public address answered around the switch.
	Proof *ProofStatus `json:"proof,omitempty"`

	// Timeline has an entry a step, in the order they started.
	Timeline []TimelineEntry `json:"timeline,omitempty"`

	// Findings are things a person should know that did not stop the release.
	// +listType=atomic
	Findings []Advice `json:"findings,omitempty"`

	// Drift is how the two colours' own pod templates differed when the release
	// came to stage: with template: Live from the target's to what was staged over
	// it, with template: Own from the live one's to what was staged beside it. It is
	// a unified diff of YAML without the image, colours and what Kubernetes fills
	// in, and with values that a program reads hidden; empty if they did not
	// differ. It is cut after a few dozen lines.
	Drift string `json:"drift,omitempty"`

	// SupersededBy is the name of the release that took this one's place. Empty if
	// none did.
	SupersededBy string `json:"supersededBy,omitempty"`

	// FinishedAt is when the release reached its final phase.
	FinishedAt *metav1.Time `json:"finishedAt,omitempty"`

	// GitHub is the bot's: ids of what it made, and the state it last published.
	GitHub *GitHubStatus `json:"github,omitempty"`
}

// Attestation says what a release's causes are worth.
//
// +kubebuilder:validation:Enum=Attested;Claimed
type Attestation string

// What a release's causes are worth.
const (
	CausesAttested Attestation = "Attested" // the API server let nobody write them but who may
	CausesClaimed  Attestation = "Claimed"  // anybody who may write releases could have
)

// Milestones are the facts of a release that are recorded, not observed.
type Milestones struct {
	// Target colour, fixed when the release is claimed. From then on no step
	// says live or idle.
	Target Color `json:"target,omitempty"`

	// Previous is the version that was live when the release was claimed.
	Previous *Version `json:"previous,omitempty"`

	// ClaimedAt is when the release was claimed.
	ClaimedAt *metav1.Time `json:"claimedAt,omitempty"`

	// OnBranch: the commit is of the application's branch.
	OnBranch *OnBranchMilestone `json:"onBranch,omitempty"`

	// Built: the image exists.
	Built *BuiltMilestone `json:"built,omitempty"`

	// AttachedAt: the target's Service is referenced by the Ingress.
	AttachedAt *metav1.Time `json:"attachedAt,omitempty"`

	// Staged: the target runs the image.
	Staged *StagedMilestone `json:"staged,omitempty"`

	// WarmedAt: every endpoint of the target is healthy for the load balancer.
	WarmedAt *metav1.Time `json:"warmedAt,omitempty"`

	// Verified: the gate passed.
	Verified *VerifiedMilestone `json:"verified,omitempty"`

	// Approved: the switch may happen.
	Approved *ApprovedMilestone `json:"approved,omitempty"`

	// SwitchIntendedAt is the point of no return.
	SwitchIntendedAt *metav1.Time `json:"switchIntendedAt,omitempty"`

	// SwitchedAt: the patch that moves the traffic was accepted.
	SwitchedAt *metav1.Time `json:"switchedAt,omitempty"`

	// ConfirmedAt: the switch took effect, as far as that could be seen, which
	// status.route and status.proof tell.
	ConfirmedAt *metav1.Time `json:"confirmedAt,omitempty"`

	// SoakStartedAt: the watch under live traffic began.
	SoakStartedAt *metav1.Time `json:"soakStartedAt,omitempty"`

	// SoakedAt: it ended well.
	SoakedAt *metav1.Time `json:"soakedAt,omitempty"`

	// RestoredAt: traffic is back on the previous colour.
	RestoredAt *metav1.Time `json:"restoredAt,omitempty"`

	// KeptAt: traffic stays on the target although the release failed, because
	// the previous colour could not take it.
	KeptAt *metav1.Time `json:"keptAt,omitempty"`

	// DiscardedAt: the target is shrunk.
	DiscardedAt *metav1.Time `json:"discardedAt,omitempty"`
}

// OnBranchMilestone says why a commit counts as one of the branch.
type OnBranchMilestone struct {
	// Branch it is of.
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch"`

	// By is what says so.
	By BranchEvidence `json:"by"`

	// At is when it was known.
	At metav1.Time `json:"at"`
}

// BranchEvidence is what says that a commit is of a branch.
//
// +kubebuilder:validation:Enum=Push;Repository
type BranchEvidence string

// What says that a commit is of a branch.
const (
	BranchByPush       BranchEvidence = "Push"       // the push that brought it there came signed
	BranchByRepository BranchEvidence = "Repository" // the repository was asked
)

// BuiltMilestone is an image that exists.
type BuiltMilestone struct {
	// Image by digest: repository@sha256:….
	Image string `json:"image"`

	// At is when it was known.
	At metav1.Time `json:"at"`
}

// StagedMilestone is an image that runs on the target.
type StagedMilestone struct {
	// Image by digest.
	Image string `json:"image"`

	// TemplateHash is the pod-template-hash of its ReplicaSet.
	TemplateHash string `json:"templateHash"`

	// Replicas it runs at.
	Replicas int32 `json:"replicas"`

	// At is when every pod was available.
	At metav1.Time `json:"at"`
}

// VerifiedMilestone is a passed gate, bound to what was checked.
type VerifiedMilestone struct {
	// Image by digest that was checked.
	Image string `json:"image"`

	// TemplateHash that was checked.
	TemplateHash string `json:"templateHash"`

	// Pods that passed.
	Pods []string `json:"pods,omitempty"`

	// Check says in words what was asked of them.
	Check string `json:"check,omitempty"`

	// At is when the last round passed.
	At metav1.Time `json:"at"`

	// AskAgain: the release waited for a person since, so one more round is made
	// right before the switch, however fresh this pass is.
	AskAgain bool `json:"askAgain,omitempty"`
}

// ApprovedMilestone is the permission to switch.
type ApprovedMilestone struct {
	// By is a login, or "policy" for automatic promotion.
	By string `json:"by"`

	// At is when.
	At metav1.Time `json:"at"`
}

// ApprovedByPolicy is the value of [ApprovedMilestone].By for automatic promotion.
const ApprovedByPolicy = "policy"

// BuildStatus is a plain handle of a build: enough to find it after a crash.
type BuildStatus struct {
	// Project of the build.
	Project string `json:"project"`

	// Location of the build.
	Location string `json:"location"`

	// Tag that the build carries, by which it is searched. A triggered build has
	// what follows "turnout-" in its substitution _TURNOUT_RELEASE instead.
	Tag string `json:"tag"`

	// IntendedAt is when it was about to be started.
	IntendedAt metav1.MicroTime `json:"intendedAt"`

	// ID of the build, once it is known.
	ID string `json:"id,omitempty"`

	// LogURL of the build.
	LogURL string `json:"logURL,omitempty"`

	// State is Cloud Build's word for where it stands.
	State string `json:"state,omitempty"`

	// Image is the name, without a tag, of the image to deploy.
	Image string `json:"image,omitempty"`

	// Reference is the name, with a tag, under which a step of the build pushes the
	// image, where Cloud Build reports no digest of it: what the registry is asked for.
	// It holds the commit or $BUILD_ID.
	Reference string `json:"reference,omitempty"`

	// Trigger is the id of the build trigger that was run; empty if the build was
	// created from the file at the commit.
	Trigger string `json:"trigger,omitempty"`

	// Retries counts the builds before this one that Cloud Build itself lost, with
	// INTERNAL_ERROR or EXPIRED; at most 2.
	Retries int32 `json:"retries,omitempty"`

	// CreatedAt is when Cloud Build accepted the build.
	CreatedAt *metav1.Time `json:"createdAt,omitempty"`

	// StartedAt is when Cloud Build began to work on it; until then it is queued.
	StartedAt *metav1.Time `json:"startedAt,omitempty"`

	// CancelledAt is when its cancellation was accepted.
	CancelledAt *metav1.Time `json:"cancelledAt,omitempty"`
}

// GateStatus is the state of the health gate's rounds.
type GateStatus struct {
	// StartedAt is when the gate's clock began.
	StartedAt metav1.MicroTime `json:"startedAt"`

	// LastRoundAt is when the last round ended.
	LastRoundAt *metav1.MicroTime `json:"lastRoundAt,omitempty"`

	// Passed counts the rounds passed in a row.
	Passed int32 `json:"passed,omitempty"`

	// TemplateHash of the pods that were asked; another one starts over.
	TemplateHash string `json:"templateHash,omitempty"`

	// Pods that were asked, in order.
	Pods []string `json:"pods,omitempty"`

	// Check says in words what is asked of them.
	Check string `json:"check,omitempty"`

	// Problem is what the last round found wrong, if anything.
	Problem *Evidence `json:"problem,omitempty"`
}

// SoakStatus is the state of the watch under live traffic.
type SoakStatus struct {
	// LastLookAt is when the pods were last looked at. Of looks that find nothing
	// new only a few a minute are written.
	LastLookAt *metav1.MicroTime `json:"lastLookAt,omitempty"`

	// FailingSince is when the looks began to fail without a good one since.
	FailingSince *metav1.MicroTime `json:"failingSince,omitempty"`

	// Restarts of the live pods' containers that do not count: the fewest that
	// they had together since the watch began.
	Restarts int32 `json:"restarts,omitempty"`

	// UnseenSince is when a look last worked, if the last one did not.
	UnseenSince *metav1.MicroTime `json:"unseenSince,omitempty"`

	// Extended counts how often the soak was made longer because its end came
	// while the pods could not be looked at.
	Extended int32 `json:"extended,omitempty"`

	// Until is when a soak that was extended ends.
	Until *metav1.MicroTime `json:"until,omitempty"`
}

// Evidence is something seen that shows why.
type Evidence struct {
	// Pod it was seen on.
	Pod string `json:"pod,omitempty"`

	// Container it was seen on.
	Container string `json:"container,omitempty"`

	// Reason in Kubernetes' word, such as CrashLoopBackOff.
	Reason string `json:"reason,omitempty"`

	// ExitCode of the container's last end, or of the command, if it ended.
	ExitCode *int32 `json:"exitCode,omitempty"`

	// Request that was made, such as GET /healthz on port 8080, or the command that
	// was run.
	Request string `json:"request,omitempty"`

	// Message of Kubernetes, or what was wrong with the answer.
	Message string `json:"message,omitempty"`

	// Body is the beginning of the answer.
	Body string `json:"body,omitempty"`

	// Log has the last lines of the container, or of the command.
	Log string `json:"log,omitempty"`
}

// LoadBalancer is a kind of load balancer, by what it lets be known.
//
// +kubebuilder:validation:Enum=GCE;Other
type LoadBalancer string

// Kinds of load balancer.
const (
	LoadBalancerGCE   LoadBalancer = "GCE"   // Google's, programmed by ingress-gce: its own health checks and events can be seen
	LoadBalancerOther LoadBalancer = "Other" // any other Ingress controller: only endpoints and the public address can be seen
)

// RouteStatus is what a release knows of the load balancer that its Ingress
// programs.
type RouteStatus struct {
	// LoadBalancer that the Ingress programs.
	LoadBalancer LoadBalancer `json:"loadBalancer,omitempty"`

	// EventsBefore is the resource version of the events that there were of the
	// Ingress right before the last patch of its spec: later ones speak of what the
	// patch did.
	EventsBefore string `json:"eventsBefore,omitempty"`

	// Unsettled: the routes had been changed so shortly before that patch, and not by
	// this application alone, that an event of the URL map may speak of that change.
	Unsettled bool `json:"unsettled,omitempty"`

	// Pokes counts how often the load balancer's controller was made to look at the
	// Ingress again, so that it tells what it finds.
	Pokes int32 `json:"pokes,omitempty"`

	// PokedAt is when it was last.
	PokedAt *metav1.MicroTime `json:"pokedAt,omitempty"`

	// HealthySince is since when the load balancer finds some endpoint of the target
	// healthy, where it does not say which.
	HealthySince *metav1.MicroTime `json:"healthySince,omitempty"`

	// TookEffectAt is when the first sign was seen that the load balancer uses the
	// routes of the last switch.
	TookEffectAt *metav1.MicroTime `json:"tookEffectAt,omitempty"`

	// TookEffectBy says which sign it was.
	TookEffectBy Sign `json:"tookEffectBy,omitempty"`
}

// Sign that a load balancer uses new routes.
//
// +kubebuilder:validation:Enum=URLMap;URLMapRead;NewVersion;Person;Wait
type Sign string

// Signs that a load balancer uses new routes.
const (
	SignURLMap     Sign = "URLMap"     // its controller's event says that the URL map was updated
	SignURLMapRead Sign = "URLMapRead" // the URL map itself was read, and leads there
	SignNewVersion Sign = "NewVersion" // the public address answered with the new version
	SignPerson     Sign = "Person"     // a person said so: turnout confirm
	SignWait       Sign = "Wait"       // none was seen: it was waited for a fixed time
)

// ProofStatus is what the public address answered around the switch. While it is
// being asked, the numbers are those of the last checkpoint.
type ProofStatus struct {
	// Result is one of the Proof constants.
	Result ProofResult `json:"result"`

	// StartedAt is when the first request was sent.
	StartedAt *metav1.MicroTime `json:"startedAt,omitempty"`

	// EndedAt is when the last one was.
	EndedAt *metav1.MicroTime `json:"endedAt,omitempty"`

	// Requests that were answered, or broke; before the switch and after.
	Requests int32 `json:"requests,omitempty"`

	// Failed among them: 5xx, a broken connection, or no answer in time.
	Failed int32 `json:"failed,omitempty"`

	// Unseen counts requests that say nothing about the application: no connection
	// could be made, or the answer was a redirect, 401, 403 or 429.
	Unseen int32 `json:"unseen,omitempty"`

	// Baseline is what was seen before the switch.
	Baseline *ProofBaseline `json:"baseline,omitempty"`

	// NewFailures counts the failures after the switch of a kind that the baseline
	// did not have, or had clearly less often.
	NewFailures int32 `json:"newFailures,omitempty"`

	// P50, P99 and Max of the answers' times, of all that were not Unseen.
	P50 *metav1.Duration `json:"p50,omitempty"`
	P99 *metav1.Duration `json:"p99,omitempty"`
	Max *metav1.Duration `json:"max,omitempty"`

	// NewVersion is the value of spec.proof.versionHeader that the baseline did not
	// have; empty if none was seen, or versions are not told apart.
	NewVersion string `json:"newVersion,omitempty"`

	// NewVersionAfter is the time from the switch to the new version's first answer.
	NewVersionAfter *metav1.Duration `json:"newVersionAfter,omitempty"`

	// OldVersionUntil is the time from the switch to the old version's last answer.
	OldVersionUntil *metav1.Duration `json:"oldVersionUntil,omitempty"`

	// InterruptedAt is when Turnout stopped asking before the end, because it was
	// restarted or another one took over; what was asked since the last checkpoint
	// before is lost.
	InterruptedAt *metav1.MicroTime `json:"interruptedAt,omitempty"`

	// LastFailure says how the last failed request failed.
	LastFailure string `json:"lastFailure,omitempty"`

	// Message says in a sentence what was seen, or why nothing was.
	Message string `json:"message,omitempty"`
}

// ProofBaseline is what the public address answered before the switch.
type ProofBaseline struct {
	// Requests and Failed among them, as in [ProofStatus].
	Requests int32 `json:"requests,omitempty"`
	Failed   int32 `json:"failed,omitempty"`

	// Failures are the kinds of failure that there were, such as "503".
	Failures []string `json:"failures,omitempty"`

	// Versions are the values of spec.proof.versionHeader that there were.
	Versions []string `json:"versions,omitempty"`
}

// ProofResult says what a proof has shown.
//
// +kubebuilder:validation:Enum=Measuring;Confirmed;Failed;Inconclusive;Interrupted;NotObserved
type ProofResult string

// What a proof has shown.
const (
	ProofMeasuring    ProofResult = "Measuring"    // it is under way
	ProofConfirmed    ProofResult = "Confirmed"    // from before the switch until after it, nothing failed that did not fail before
	ProofFailed       ProofResult = "Failed"       // something failed after the switch that did not before
	ProofInconclusive ProofResult = "Inconclusive" // Turnout's own way to the public address was in the way
	ProofInterrupted  ProofResult = "Interrupted"  // Turnout did not ask all the time
	ProofNotObserved  ProofResult = "NotObserved"  // it was not asked, or not answered, at all
)

// TimelineEntry is one step as it happened.
type TimelineEntry struct {
	// Step that ran.
	Step Step `json:"step"`

	// StartedAt is when it began.
	StartedAt metav1.MicroTime `json:"startedAt"`

	// FinishedAt is when it ended; unset while it runs.
	FinishedAt *metav1.MicroTime `json:"finishedAt,omitempty"`

	// Message says what it did or waits for.
	Message string `json:"message,omitempty"`

	// Failed says that the release failed while the step was under way: its message
	// is that of status.failure.
	Failed bool `json:"failed,omitempty"`

	// Proof is what the proof had shown when the step ended, if its message says that
	// in the words of status.proof. It is set for confirm only.
	Proof ProofResult `json:"proof,omitempty"`

	// URL to read more.
	URL string `json:"url,omitempty"`
}

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
