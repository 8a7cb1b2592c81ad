// Package githubapp is the client of the GitHub App: everything that the bot and the
// deployer read from GitHub, and everything that the bot writes there. It hides go-github,
// and uses the types of packages command and report.
//
// [Client] accesses each repository with the token of the installation that has it.
// [Source] is what the deployer needs from repositories: files, archives, history. The
// error of a call says what was attempted; [RetryAfter], [RefusedForGood] and [Answered]
// classify it for the caller.
//
// client.go finds the installation of a repository, and limits.go keeps to GitHub's limits.
// read.go and write.go have what the bot reads and writes, deliveries.go what the sweep reads,
// and source.go the [Source]. app.go reads GitHub's own record of the App.
//
// # Decisions
//
// This package waits up to a few seconds for a rate limit. For a longer one it returns an
// error with a time, and the caller comes back then instead of blocking a worker. While
// GitHub refuses one caller of an installation, the others do not ask it either.
//
// The bot recognises what it wrote by author and App, never by text alone: everybody can
// type a marker, and every workflow can write a payload.
package githubapp
