package command

import "time"

// PullRequest is what the bot needs to know of a pull request.
type PullRequest struct {
	Number int
	URL    string
	Base   string // the branch it merges into
	Merged bool
	// MergeCommit is the commit on the base branch that merging created: a merge, a
	// squash, or the last one of a rebase. Empty unless merged.
	MergeCommit string
	// Commits that it has; 0 if it comes from a list, which does not have the number.
	Commits int
	// CreatedAt is when it was opened.
	CreatedAt time.Time
}

// Order is how a commit relates to another one in history.
type Order string

// How a commit relates to another one.
const (
	OrderUnknown  Order = ""         // one of them is not known
	OrderSame     Order = "same"     // they are equal
	OrderNewer    Order = "newer"    // it contains the other one
	OrderOlder    Order = "older"    // the other one contains it
	OrderDiverged Order = "diverged" // neither contains the other
)
