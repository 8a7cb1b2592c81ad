// Package githubapp is the client of the GitHub App: everything that the bot and the deployer
// read from GitHub, and everything that the bot writes there. It hides go-github, and uses the
// types of packages command and report.
//
// [Client] asks about each repository with the token of the installation that has it.
// [Source] is what the deployer needs of repositories: files, archives, history. The error of
// a call says what was attempted; [RetryAfter], [RefusedForGood] and [Answered] classify an
// error for the caller.
//
// # Decisions
//
// This package waits a few seconds for a rate limit. For a longer one it returns an error with
// a time, and the caller comes back then, instead of holding a worker. While GitHub refuses one
// caller of an installation, the others do not ask it either.
//
// The App's own writings are recognised by their author and App, never by a text alone:
// everybody can type a marker, and every workflow can write a payload.
package githubapp
