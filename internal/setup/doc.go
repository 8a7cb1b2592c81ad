// Package setup registers Turnout's GitHub App: the page that `turnout serve` shows while it
// has no App. [Page.Run] serves it and returns the App once it is registered.
//
// A person proves that they installed Turnout by the token that `turnout install` printed
// (session.go). The page gives them GitHub's own form for an App that app.yml describes; GitHub
// sends them back with a code, which is exchanged for the App's credentials (page.go); those go
// into the Secret (secret.go).
//
// # Decisions
//
// The Secret is the only state. Session and state are signed with the token in it, so any
// replica can continue what another one began, and all of them end when the App is stored and
// the token removed with it. It costs a read of the Secret for each request.
//
// GitHub tells the credentials once for each code. They are stored by compare-and-swap: of two
// people who register at the same time, the second is told which App to delete. If storing
// fails, the process keeps the credentials and tries again when the page is loaded again. If it
// ends then, the App has no known key: the page and docs/install.md say how to delete it.
//
// The page has no script. Its address must be a number or localhost, so that no other site can
// reach it by a name that it lets point here.
package setup
