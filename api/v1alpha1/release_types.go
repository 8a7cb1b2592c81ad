package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Release is one attempt to put one version in front of users, or the contract of the live
// one. Its spec says what was
// asked, by whom and where. It never changes, except for the set-once fields approval,
// cancel, takeBack, promotions and confirmations. The deployer writes its status, and the bot writes
// status.github.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=rel
// +kubebuilder:printcolumn:name="App",type=string,JSONPath=`.spec.application`
// +kubebuilder:printcolumn:name="Kind",type=string,JSONPath=`.spec.kind`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Step",type=string,JSONPath=`.status.step`
// +kubebuilder:printcolumn:name="Waits",type=string,JSONPath=`.status.waiting.for`
// +kubebuilder:printcolumn:name="Color",type=string,JSONPath=`.status.milestones.target`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
type Release struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   ReleaseSpec   `json:"spec"`
	Status ReleaseStatus `json:"status,omitempty"`
}

// ReleaseList is a list of releases.
//
// +kubebuilder:object:root=true
type ReleaseList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []Release `json:"items"`
}

// ReleaseKind is what a release does.
//
// +kubebuilder:validation:Enum=Deploy;Rollback;Contract
type ReleaseKind string

// What a release does.
const (
	Deploy   ReleaseKind = "Deploy"   // put a commit in front of users
	Rollback ReleaseKind = "Rollback" // go back to the version before the last switch
	Contract ReleaseKind = "Contract" // remove from the schema what only older versions need
)

// KindRestore marks a deploy's own way back in a [SwitchRecord].
const KindRestore = "Restore"

// ReleaseSpec says what was asked. It is immutable, except for approval, cancel and
// takeBack, which are set once, promotions, once for each weight, and confirmations, once for each
// colour.
//
// +kubebuilder:validation:XValidation:rule="self.kind == oldSelf.kind && self.application == oldSelf.application && self.cause == oldSelf.cause && has(self.deploy) == has(oldSelf.deploy) && (!has(self.deploy) || self.deploy == oldSelf.deploy) && has(self.rollback) == has(oldSelf.rollback) && (!has(self.rollback) || self.rollback == oldSelf.rollback) && has(self.contract) == has(oldSelf.contract) && (!has(self.contract) || self.contract == oldSelf.contract)",message="a release is immutable; make another one"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.approval) || (has(self.approval) && self.approval == oldSelf.approval)",message="approval is set once"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.cancel) || (has(self.cancel) && self.cancel == oldSelf.cancel)",message="cancel is set once"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.takeBack) || (has(self.takeBack) && self.takeBack == oldSelf.takeBack)",message="takeBack is set once"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.confirmations) || (has(self.confirmations) && oldSelf.confirmations.all(c, c in self.confirmations))",message="a confirmation is set once"
// +kubebuilder:validation:XValidation:rule="!has(oldSelf.promotions) || (has(self.promotions) && oldSelf.promotions.all(p, p in self.promotions))",message="a promotion is set once"
// +kubebuilder:validation:XValidation:rule="has(self.deploy) == (self.kind == 'Deploy') && has(self.rollback) == (self.kind == 'Rollback') && has(self.contract) == (self.kind == 'Contract')",message="a Deploy has deploy, a Rollback has rollback, a Contract has contract, and nothing has two of them"
type ReleaseSpec struct {
	// Kind is what the release does.
	Kind ReleaseKind `json:"kind"`

	// Application is the name of the BlueGreen, in the same namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=40
	Application string `json:"application"`

	// Deploy is set for the kind Deploy.
	Deploy *DeploySpec `json:"deploy,omitempty"`

	// Rollback is set for the kind Rollback.
	Rollback *RollbackSpec `json:"rollback,omitempty"`

	// Contract is set for the kind Contract.
	Contract *ContractRequest `json:"contract,omitempty"`

	// Cause says who asked for it, and where.
	Cause Cause `json:"cause"`

	// Approval of the switch by a person. Set once.
	Approval *Approval `json:"approval,omitempty"`

	// Cancel asks the release to stop. Set once. After the switch began, it has no effect.
	Cancel *Cancel `json:"cancel,omitempty"`

	// TakeBack says that a person asked to take users back from this version, before all of
	// them had it, whoever had cancelled the release by then. Set once. A later release
	// that contains the version waits for a person. See [ReleaseSpec.TakenBack].
	TakeBack *TakeBack `json:"takeBack,omitempty"`

	// Promotions by people that let a canary go on. Each weight once.
	// +listType=map
	// +listMapKey=weight
	// +kubebuilder:validation:MaxItems=10
	Promotions []Promotion `json:"promotions,omitempty"`

	// Confirmations by people that users reach a colour after this release moved them
	// there, or back. Google's load balancer then counts as having taken up the routes,
	// even without another sign. One for each colour, set once.
	// +listType=map
	// +listMapKey=color
	// +kubebuilder:validation:MaxItems=2
	Confirmations []Confirmation `json:"confirmations,omitempty"`
}

// Confirmed returns the confirmation that users reach a colour; nil if there is none.
func (s *ReleaseSpec) Confirmed(c Color) *Confirmation {
	for i := range s.Confirmations {
		if s.Confirmations[i].Color == c {
			return &s.Confirmations[i]
		}
	}
	return nil
}

// Confirmation by a person that users reach a colour.
type Confirmation struct {
	// Color that users reach.
	Color Color `json:"color"`

	// By is the person.
	// +kubebuilder:validation:MaxLength=256
	By string `json:"by"`

	// At is the time of the confirmation.
	At metav1.Time `json:"at"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`
}

// DeploySpec names a commit.
type DeploySpec struct {
	// Repository of the commit, as owner/name.
	// +kubebuilder:validation:MaxLength=140
	// +kubebuilder:validation:Pattern=`^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_.-]{1,100}$`
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/.') && !self.endsWith('/..')",message="the name must not be . or .."
	Repository string `json:"repository"`

	// Branch it was pushed to.
	// +kubebuilder:validation:MaxLength=255
	Branch string `json:"branch,omitempty"`

	// Commit to deploy: its full hash.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{40}([0-9a-f]{24})?$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// Attempt counts the releases of this commit, from 1.
	// +kubebuilder:validation:Minimum=1
	Attempt int32 `json:"attempt"`
}

// RollbackSpec names both versions of a rollback. They are fixed when it is accepted.
type RollbackSpec struct {
	// From is the version that users leave.
	From Version `json:"from"`

	// To is the version that users return to.
	To Version `json:"to"`

	// Switch is the UID of the release whose switch is taken back.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=64
	Switch string `json:"switch"`

	// Attempt counts the rollbacks of this switch, from 1. The next one follows only a
	// rollback that ended without moving users back.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:default=1
	Attempt int32 `json:"attempt,omitempty"`
}

// ContractRequest names the version whose contract runs, or is declared done. Only the live
// version's runs.
type ContractRequest struct {
	// Commit of the live version.
	// +kubebuilder:validation:Pattern=`^[0-9a-f]{40}([0-9a-f]{24})?$`
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit"`

	// Image of the live version by digest.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image"`

	// Attempt counts the contracts of this commit, from 1.
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=99
	Attempt int32 `json:"attempt"`

	// Done declares the last contract done, which failed or whose outcome is unknown, for
	// this reason in the person's own words. Nothing runs then.
	// +kubebuilder:validation:MaxLength=500
	Done string `json:"done,omitempty"`
}

// CauseKind is where a request came from.
//
// +kubebuilder:validation:Enum=Push;Comment;CLI;Hold
type CauseKind string

// Where a request came from.
const (
	CausePush    CauseKind = "Push"    // a push to the branch
	CauseComment CauseKind = "Comment" // a command in a pull request
	CauseCLI     CauseKind = "CLI"     // the command line, or a workflow
	CauseHold    CauseKind = "Hold"    // the end of spec.hold: Turnout itself
)

// Cause says who asked for something, and where.
type Cause struct {
	// Kind of the request.
	Kind CauseKind `json:"kind"`

	// Actor is who asked: a login on GitHub or, for the kind CLI, the user name that the
	// API server knows.
	// +kubebuilder:validation:MaxLength=1024
	Actor string `json:"actor,omitempty"`

	// Claims is the actor's addition, such as for whom a workflow runs. Nobody vouches for
	// it, so it is shown as a claim.
	// +kubebuilder:validation:MaxLength=300
	Claims string `json:"claims,omitempty"`

	// PullRequest is the number of the pull request with the request.
	PullRequest int `json:"pullRequest,omitempty"`

	// CommentID of the command, so that its reaction can be changed.
	CommentID int64 `json:"commentID,omitempty"`

	// URL of the request, for people.
	// +kubebuilder:validation:MaxLength=2048
	URL string `json:"url,omitempty"`

	// Delivery is GitHub's id of the webhook.
	// +kubebuilder:validation:MaxLength=128
	Delivery string `json:"delivery,omitempty"`

	// Before is the branch's commit before the push. Empty if it was no push, or the branch
	// was new.
	// +kubebuilder:validation:Pattern=`^([0-9a-f]{40}([0-9a-f]{24})?)?$`
	// +kubebuilder:validation:MaxLength=64
	Before string `json:"before,omitempty"`
}

// Approval of a switch by a person.
type Approval struct {
	// By is who approved, as in cause.actor.
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by"`

	// At is when somebody asked for it.
	At metav1.Time `json:"at"`

	// Commit that was approved.
	// +kubebuilder:validation:MaxLength=64
	Commit string `json:"commit,omitempty"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`
}

// TakeBack asks to take users back from a version that some of them have.
type TakeBack struct {
	// By is who asked, as in cause.actor.
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by"`

	// At is when somebody asked for it.
	At metav1.Time `json:"at"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`
}

// TakenBack is who asked to take users back from the version before all of them had it; nil if
// nobody did. A cancel of an earlier version with rollsBack means the same.
func (s *ReleaseSpec) TakenBack() *TakeBack {
	if c := s.Cancel; s.TakeBack == nil && c != nil && c.RollsBack {
		return &TakeBack{By: c.By, At: c.At, Cause: c.Cause}
	}
	return s.TakeBack
}

// Ask records what a cancel asks for, and reports whether that is news: the cancel itself, and
// with rollsBack that users are taken back. Each is set once.
func (s *ReleaseSpec) Ask(c Cancel) (news bool) {
	if c.RollsBack && s.TakenBack() == nil {
		s.TakeBack, news = &TakeBack{By: c.By, At: c.At, Cause: c.Cause}, true
	}
	if s.Cancel == nil {
		s.Cancel, news = &c, true
	}
	return news
}

// Cancel asks a release to stop.
type Cancel struct {
	// By is who asked, as in cause.actor.
	// +kubebuilder:validation:MaxLength=1024
	By string `json:"by"`

	// At is when somebody asked for it.
	At metav1.Time `json:"at"`

	// Cause says where it was asked.
	Cause Cause `json:"cause"`

	// RollsBack: it was asked to go back, and users had the version. It means the same as
	// takeBack, which earlier versions do not know: Turnout writes it together with that.
	RollsBack bool `json:"rollsBack,omitempty"`

	// Reason in the person's own words, or what superseded the release.
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`
}
