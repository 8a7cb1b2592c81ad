// Package rehearsal shows what a release would change, without changing it.
//
// The deployer's own packages route and workload do the work. They get a client (client.go)
// that sends every write as a server-side dry run, so the API server checks it with the
// caller's rights, its admission included, and stores nothing. The client keeps the results,
// and what is read later sees them: a Service that a release would create is there for the
// route that would name it. rehearse.go has the writes in their order, diff.go shows them.
//
// What a dry run cannot tell is the image's digest, which the build decides: [Unbuilt]
// stands for it.
package rehearsal
