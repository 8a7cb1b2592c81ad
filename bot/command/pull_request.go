package command

import "time"

// PullRequest is what the bot needs to know about a pull request.
type PullRequest struct {
	Number int
	URL    string
	Base   string // the branch it merges into
	Merged bool
	// MergeCommit is the commit on the base branch that merging created: a merge, a squash,
	// or the last one of a rebase. It is empty unless merged.
	MergeCommit string
	// Commits counts its commits; 0 if it comes from a list, which lacks the number.
	Commits int
	// CreatedAt is when it was opened.
	CreatedAt time.Time
}

// Order is how a commit relates to another one in history.
type Order string

// The orders of a commit and another one.
const (
	OrderUnknown  Order = ""         // one of them is unknown
	OrderSame     Order = "same"     // they are equal
	OrderNewer    Order = "newer"    // it contains the other one
	OrderOlder    Order = "older"    // the other one contains it
	OrderDiverged Order = "diverged" // neither contains the other
)
