package command

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Decision is the result of a command: a fact, which every surface puts into its own
// words, and at most one of Submit, Approve, Cancel, Lock and Unlock. Without any of
// them nothing changes: the command was refused, or is only answered.
type Decision struct {
	Fact
	// Refused: the command is not executed; its text says what to do instead.
	Refused bool `json:"refused,omitempty"`

	Submit  *v1alpha1.Release `json:"-"` // store it
	Approve *ReleaseApproval  `json:"-"`
	Cancel  *ReleaseCancel    `json:"-"`
	Lock    *v1alpha1.Lock    `json:"-"` // set it on the application
	Unlock  *v1alpha1.Lock    `json:"-"` // take this one away from the application
	// AskedBefore reports that this very comment was executed before.
	AskedBefore bool `json:"-"`
}

// ReleaseApproval sets the approval of a release.
type ReleaseApproval struct {
	Release  string // its name
	Approval v1alpha1.Approval
}

// ReleaseCancel sets the cancel of a release.
type ReleaseCancel struct {
	Release string // its name
	Cancel  v1alpha1.Cancel
}

// Fact is what to say, without words: a surface of package report has the words.
type Fact struct {
	Code Code `json:"code"`
	Args Args `json:"args"`
}

// Args are what a fact is about. The code determines which of them are set.
type Args struct {
	Application string `json:"application,omitempty"`
	// Release by its name, and Releases where there are several.
	Release  string   `json:"release,omitempty"`
	Releases []string `json:"releases,omitempty"`
	// Version that the command is about, Other that is set against it (what it is left
	// for, what overtook it), and Live, which users have.
	Version *v1alpha1.Version `json:"version,omitempty"`
	Other   *v1alpha1.Version `json:"other,omitempty"`
	Live    *v1alpha1.Version `json:"live,omitempty"`
	// Typed is a word of the command as it was typed: a hash, or a name.
	Typed string `json:"typed,omitempty"`
	// Branch that the application is released from, and Base that the pull request
	// merges into.
	Branch string `json:"branch,omitempty"`
	Base   string `json:"base,omitempty"`

	Color   v1alpha1.Color        `json:"color,omitempty"`
	Phase   v1alpha1.ReleasePhase `json:"phase,omitempty"`
	Attempt int32                 `json:"attempt,omitempty"`
	// Kind of the release.
	Kind v1alpha1.ReleaseKind `json:"kind,omitempty"`
	// By whom, and At what time, or Until when.
	By    string       `json:"by,omitempty"`
	At    *metav1.Time `json:"at,omitempty"`
	Until *metav1.Time `json:"until,omitempty"`
	// Object that a release waits for, and how many of Of are Done.
	Object string `json:"object,omitempty"`
	Done   int32  `json:"done,omitempty"`
	Of     int32  `json:"of,omitempty"`
	// Reason is somebody else's text: why a release failed, as its record says, or an
	// error.
	Reason string         `json:"reason,omitempty"`
	Lock   *v1alpha1.Lock `json:"lock,omitempty"`
	// About is how long something takes, and Longer how much longer it may.
	About  metav1.Duration `json:"about,omitzero"`
	Longer metav1.Duration `json:"longer,omitzero"`
	// Number of something, and Words of a command that are not understood.
	Number int      `json:"number,omitempty"`
	Words  []string `json:"words,omitempty"`
	// Permission that somebody has in Repository.
	Permission string `json:"permission,omitempty"`
	Repository string `json:"repository,omitempty"`
	// PullRequests to ask on.
	PullRequests []int `json:"pullRequests,omitempty"`

	// Because is the fact's cause, and More what to say after it.
	Because *Fact  `json:"because,omitempty"`
	More    []Fact `json:"more,omitempty"`
	// Next are the commands to type now, in the order of the code's words.
	Next []Command `json:"next,omitempty"`
	// Choices are the applications that the command may mean.
	Choices []Choice `json:"choices,omitempty"`

	// Shown is what /status and /help show: they decide nothing.
	Shown *Situation `json:"-"`
}

// Choice is an application that a command may mean, and the command that means it.
type Choice struct {
	Command     Command `json:"command"`
	Environment string  `json:"environment"`
	Namespace   string  `json:"namespace"`
	Branch      string  `json:"branch"`
}

func answer(code Code, args Args) Decision { return Decision{Fact: Fact{code, args}} }

func refuse(code Code, args Args) Decision { return Decision{Fact: Fact{code, args}, Refused: true} }

// and adds a fact to what the decision says.
func (d Decision) and(more ...Fact) Decision {
	d.Args.More = append(d.Args.More, more...)
	return d
}
