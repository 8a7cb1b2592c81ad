package command

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/turnout-dev/turnout/api/v1alpha1"
)

// Decision is the result of a command: a fact, which every surface turns into its own text,
// and at most one of Submit, Approve, Promote, Cancel, Lock and Unlock. Without them the command is
// refused or only answered.
type Decision struct {
	Fact
	// Refused: the command is not executed. Its text says what to do instead.
	Refused bool `json:"refused,omitempty"`

	Submit  *v1alpha1.Release `json:"-"` // store it
	Approve *ReleaseApproval  `json:"-"`
	Promote *ReleasePromotion `json:"-"`
	Cancel  *ReleaseCancel    `json:"-"`
	Lock    *v1alpha1.Lock    `json:"-"` // set it on the application
	Unlock  *v1alpha1.Lock    `json:"-"` // remove this one from the application
	// AskedBefore reports that this very comment was executed before.
	AskedBefore bool `json:"-"`
}

// Acts reports whether the decision changes anything.
func (d Decision) Acts() bool {
	return d.Submit != nil || d.Approve != nil || d.Promote != nil || d.Cancel != nil || d.Lock != nil || d.Unlock != nil
}

// ReleaseApproval sets the approval of a release.
type ReleaseApproval struct {
	Release  string // its name
	Approval v1alpha1.Approval
}

// ReleasePromotion lets the canary of a release go on.
type ReleasePromotion struct {
	Release   string // its name
	Promotion v1alpha1.Promotion
}

// ReleaseCancel sets the cancel of a release.
type ReleaseCancel struct {
	Release string // its name
	Cancel  v1alpha1.Cancel
}

// Fact is what to say, as a code with arguments. A surface of package report has the text.
type Fact struct {
	Code Code `json:"code"`
	Args Args `json:"args"`
}

// Args are the arguments of a fact. The code determines which are set.
type Args struct {
	Application string `json:"application,omitempty"`
	// Release is a name. Releases are several.
	Release  string   `json:"release,omitempty"`
	Releases []string `json:"releases,omitempty"`
	// Version is what the command is about, Other the version compared with it (the target
	// of a rollback, a newer release), and Live what users have.
	Version *v1alpha1.Version `json:"version,omitempty"`
	Other   *v1alpha1.Version `json:"other,omitempty"`
	Live    *v1alpha1.Version `json:"live,omitempty"`
	// Typed is a word of the command: a hash, or a name.
	Typed string `json:"typed,omitempty"`
	// Branch is the branch of the application, Base the branch that the pull request merges
	// into.
	Branch string `json:"branch,omitempty"`
	Base   string `json:"base,omitempty"`

	Color   v1alpha1.Color        `json:"color,omitempty"`
	Phase   v1alpha1.ReleasePhase `json:"phase,omitempty"`
	Attempt int32                 `json:"attempt,omitempty"`
	// Weight is a share of the users, of 100.
	Weight int32 `json:"weight,omitempty"`
	// Kind is the kind of the release.
	Kind v1alpha1.ReleaseKind `json:"kind,omitempty"`
	// By is who did it, At when, Until how long.
	By    string       `json:"by,omitempty"`
	At    *metav1.Time `json:"at,omitempty"`
	Until *metav1.Time `json:"until,omitempty"`
	// Object is what a release waits for; Done of Of are ready.
	Object string `json:"object,omitempty"`
	Done   int32  `json:"done,omitempty"`
	Of     int32  `json:"of,omitempty"`
	// Reason is a text from outside: why a release failed, or an error.
	Reason string         `json:"reason,omitempty"`
	Lock   *v1alpha1.Lock `json:"lock,omitempty"`
	// About is how long something takes, Longer how much longer it may take.
	About  metav1.Duration `json:"about,omitzero"`
	Longer metav1.Duration `json:"longer,omitzero"`
	// Number counts something. Words are words that are not understood.
	Number int      `json:"number,omitempty"`
	Words  []string `json:"words,omitempty"`
	// Permission is what somebody has in Repository.
	Permission string `json:"permission,omitempty"`
	Repository string `json:"repository,omitempty"`
	// PullRequests are where to ask.
	PullRequests []int `json:"pullRequests,omitempty"`

	// Because is the fact's cause, More are facts to add.
	Because *Fact  `json:"because,omitempty"`
	More    []Fact `json:"more,omitempty"`
	// Next are the commands to type now, in the order that the code's text uses.
	Next []Command `json:"next,omitempty"`
	// Choices are the applications that the command may mean.
	Choices []Choice `json:"choices,omitempty"`

	// Shown is what /status and /help show.
	Shown *Situation `json:"-"`
}

// Choice is an application that a command may mean, with the command that means it.
type Choice struct {
	Command     Command `json:"command"`
	Environment string  `json:"environment"`
	Namespace   string  `json:"namespace"`
	Branch      string  `json:"branch"`
}

func answer(code Code, args Args) Decision { return Decision{Fact: Fact{code, args}} }

func refuse(code Code, args Args) Decision { return Decision{Fact: Fact{code, args}, Refused: true} }

// and adds facts to a decision.
func (d Decision) and(more ...Fact) Decision {
	d.Args.More = append(d.Args.More, more...)
	return d
}
