// Package githubtest is a GitHub to develop and test against: a server with state that
// speaks GitHub's REST API, sends its webhooks, and keeps commits in real git repositories.
// Tests of the bot use it, and so does the sandbox, where people see its pages and press
// its buttons.
//
// A [Server] has users, repositories and Apps ([Server.AddUser], [Server.AddRepository],
// [Server.AddApp], [App.InstallOn]). People act through Go methods
// ([Repository.CommitFiles], [Repository.OpenPullRequest], [PullRequest.Merge],
// [Repository.Comment]). Programs act through the REST API (routes.go is its table of
// contents), and clone with git. Methods like [Repository.Deployments] read what either
// did, and [Server.Wait] awaits it. Faults, outages and the log of requests are in
// observe.go. [New] is for tests, [NewServer] for everything else.
//
// Package openapi checks every request and every answer of the REST API against GitHub's
// own OpenAPI description (description/). A difference is a [Violation], and so is an
// unknown route. In tests, both fail the test.
//
// # Decisions
//
// One lock guards the whole world while a route runs, including git. So an answer always
// shows a single moment, and git takes only milliseconds on these repositories. That costs
// parallelism, which no test needs.
//
// Answers are checked, not recorded. The description says what GitHub may answer, not what
// it would. Behaviour that it describes only in prose (length limits, auto_inactive,
// auto_merge) is written by hand, each with its source.
//
// A repository outside of an installation is 404 even if it is public, and without a token
// only users and the rate limit can be read. GitHub would let everybody read a public
// repository; the bot must not come to depend on that.
//
// As at GitHub, deliveries overtake one another and are attempted once. A lost one is gone
// until somebody asks for it. During [Server.SetOutage] none is attempted.
//
// git over HTTP is git's own program behind net/http/cgi, for reading public repositories:
// builds clone through it, and nothing pushes or clones with credentials. It runs without
// the lock, since git's references are atomic.
//
// Missing: checks, reviews, branch protection, GraphQL, conditional requests (304), and the
// expiry of deliveries after three days.
package githubtest
