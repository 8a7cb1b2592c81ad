// Package githubapp is the client of the GitHub App: all that the bot and the deployer ask
// of GitHub, and all that is written there. Nothing of go-github leaves it; it speaks in
// the types of packages command and report.
//
// [Client] asks about each repository with the token of the installation that has it.
// [Source] is what the deployer needs of repositories: files, archives, history. A call
// that fails says what was attempted; [RetryAfter], [RefusedForGood] and [Answered] tell
// what an error means for whoever asked.
//
// # Decisions
//
// Rate limits are waited out for a few seconds here, and are errors with a time beyond
// that: whoever asked comes back then, instead of holding a worker. While GitHub refuses
// one caller of an installation, it is not asked by the others either.
//
// What the App wrote is known by its author and its App, never by a text alone: anybody
// can type a marker, and any workflow can write a payload.
package githubapp
