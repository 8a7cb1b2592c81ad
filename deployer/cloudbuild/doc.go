// Package cloudbuild turns a repository's cloudbuild.yaml into one build on
// Google Cloud Build and follows that build to an image known by digest.
//
// The way through the package:
//
//	Parse                 the file at the commit, checked before anything starts
//	File.Apply            steps that would change the cluster: Skip, Fail, Allow
//	File.Image            which of the images listed is the one to deploy
//	Store.Upload          the source, re-packed while it streams to Cloud Storage
//	Request.Build         the build as it is sent
//	Client.Find, .Start   look for the build by its tag; only then create it
//	Client.Poll           its State, until State.Done; Pace says when to look again
//	State.Digest          the image by digest
//	Client.Cancel         a release that was cancelled takes its build with it
//
// It knows nothing of Kubernetes and nothing of GitHub: plain Go types at its
// border, and a Handle that can be stored anywhere.
//
// # The caller's duty
//
// CreateBuild carries no request id, so the API cannot tell a second attempt
// from a second build. The caller owes this order, each line durable before
// the next begins:
//
//  1. write down the intent to build, with its time;
//  2. Find by the release's tag;
//  3. nothing found: Start, exactly once;
//  4. write down the Handle.
//
// If an intent is found without a handle (a crash, or an Error from Start that
// is Uncertain), ListBuilds may still lag behind a build that exists: wait a
// grace time (a minute is ample), Find, and only then Start again.
//
// # Decisions
//
// The file is checked against the API's own descriptors on the YAML tree, then
// decoded with protojson, instead of only decoded. Costs a walker of 200 lines;
// buys errors that name line, step and field.
//
// What the Go API does not know but Cloud Build documents (options.pubsubTopic,
// remoteConfig, source.developerConnectConfig) is dropped with a warning
// instead of refused: a file that works from a trigger should work here.
//
// An image has to be listed under images. A "docker push" step reports no
// digest (BuiltImage comes from images only), and a tag may be moved: what is
// deployed is a digest, so a build that cannot tell one is refused before it
// starts.
//
// Steps that change the cluster are recognised by builder and by command, not
// by permissions. A command hidden in a custom builder's own image is not seen;
// the service account given in the BlueGreen is what keeps that one out.
//
// Builds are made through gRPC: the Go REST client always posts to the global
// path, whatever the parent says.
package cloudbuild
