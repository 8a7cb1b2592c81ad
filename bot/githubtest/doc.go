// Package githubtest is a GitHub to develop and test against: a server with state that speaks GitHub's REST API, sends
// its webhooks, and keeps its commits in real git repositories. Tests of the bot use it, and so does the sandbox, where
// people look at its pages and press its buttons.
//
// The tour: a [Server] holds users, repositories and Apps ([Server.AddUser], [Server.AddRepository], [Server.AddApp],
// [App.InstallOn]). People act through Go methods ([Repository.CommitFiles], [Repository.OpenPullRequest],
// [PullRequest.Merge], [Repository.Comment]); programs act through the REST API (routes.go is its table of contents), and
// clone with git. Methods like [Repository.Deployments] read back what either did, and [Server.Wait] awaits it.
// Faults, outages and the log of requests are in observe.go. [New] is for tests, [NewServer] for everything else.
//
// Every request and every answer of the REST API is checked against GitHub's own OpenAPI description (description/). A
// difference is a [Violation], and so is a request that is not served. In tests, both fail the test.
//
// # Decisions
//
// One lock for the whole world is held while a route runs, including git: an answer always shows a single moment, and
// git on these repositories takes milliseconds. The price is parallelism that no test needs.
//
// Checked answers instead of a recorded conversation: the description says what GitHub may answer, not what it would.
// Behaviour that it describes only in prose (limits of length, auto_inactive, what is merged before a deployment) is
// written here by hand, each with its source.
//
// A repository outside of an installation is 404 even if it is public, and without a token only users and the rate limit
// can be read. GitHub would let everybody read a public repository; a bot must not come to depend on that.
//
// As at GitHub, deliveries overtake one another and are attempted once, and a lost one is gone until somebody asks for
// it. During [Server.SetOutage] nothing is even attempted.
//
// git over HTTP is git's own program behind net/http/cgi, for reading public repositories: sources are cloned through
// it, and nothing here pushes, or clones with credentials. It runs without the lock, since git's own references are atomic.
//
// Not here: checks, reviews, branch protection, GraphQL, conditional requests (304), and the expiry of old deliveries after
// three days.
package githubtest
