// Package cloudbuild turns a repository's cloudbuild.yaml into one build on
// Google Cloud Build and follows that build to an image known by digest.
//
// The way through the package:
//
//	Parse                 the file at the commit, checked before anything starts
//	File.Apply            steps that would change the cluster: Skip, Fail, Allow;
//	                      File.Unseen tells of those that might
//	File.Choose           which of the images listed or pushed is the one to deploy
//	Store.Upload          the source, re-packed while it streams to Cloud Storage
//	Request.Build         the build as it is sent
//	Client.Trigger        a trigger to run instead, checked before: Trigger.Usable,
//	                      .Path, .File, .Apply
//	Rivals                other triggers that would change the cluster, too
//	Client.Find, .Start   look for the build by its tag; only then create it
//	Client.Find, .Run     the same for a trigger's build
//	Client.Poll           its State, until State.Done; Pace says when to look again
//	State.Digest          the image by digest, where Cloud Build pushed it
//	Client.Cancel         a release that was cancelled takes its build with it
//
// It knows nothing of Kubernetes and nothing of GitHub: plain Go types at its
// border, and a Handle that can be stored anywhere.
//
// # The caller's duty
//
// CreateBuild and RunBuildTrigger carry no request id, so the API cannot tell a
// second attempt from a second build. The caller owes this order, each line
// durable before the next begins:
//
//  1. write down the intent to build, with its time;
//  2. Find by what the release's build carries;
//  3. nothing found: Start or Run, exactly once;
//  4. write down the Handle.
//
// If an intent is found without a handle (a crash, or an Error from Start or Run
// that is Uncertain), ListBuilds may still lag behind a build that exists: wait
// a grace time (a minute is ample), Find, and only then Start or Run again.
//
// # Decisions
//
// The YAML tree fills the API's message by its descriptors, instead of going
// through JSON and protojson. Costs a decoder of 250 lines; buys errors that name
// line, step and field, no secret in them, merge keys and single values as gcloud
// reads them, and a count of what is read while it is read.
//
// Substitutions are counted while they are replaced, with Cloud Build's limits,
// and each value is resolved once: a file of 48 KB stood for 860 MB. Only those
// in images are replaced; what Cloud Build makes of a step is its affair. What
// only the build knows stays in the image's name and matches what is reported.
//
// What the Go API does not know but Cloud Build documents (options.pubsubTopic,
// remoteConfig, source.developerConnectConfig) is dropped with a warning
// instead of refused: a file that works from a trigger should work here.
//
// What the finished build reports of the images listed under images comes first. A
// step that pushes an image itself reports no digest, so a registry is asked for it
// by the name that is pushed. A tag may be moved: a name counts only if it holds the
// commit or the build's id, which is known before the build starts, or it is refused.
// $BUILD_ID stays in that name until the build has one. Commands are looked through
// for names with the substitutions, and the plain variables of a shell, replaced; of
// a variable that may have two values neither is taken. A function is followed where
// it is called, and a loop turn by turn, within a count: what a script puts together
// from its own text is plain to a reader, too.
//
// Steps that change the cluster are recognised by their commands, read by a
// shell's grammar (mvdan.cc/sh), not by permissions, nor by the builder's name.
// What cannot be seen (a script of the repository, $CMD, a custom builder) is
// kept and said: removing what merely looks dangerous breaks builds in ways that
// nobody understands. The service account given in the BlueGreen is what keeps
// those out.
//
// A service of Cloud Run counts only where it gets this build's own image: its
// users would get it past the gate. Other products are not Turnout's business.
//
// With removed steps goes what only they used: credentials, waits, secrets and
// volumes. Cloud Build refuses a build with a secret that no step uses.
//
// Steps of a trigger's build that change the cluster refuse the trigger, with
// Skip as with Fail. A run is given a commit and substitutions, and nothing else
// of the build can be changed. To create the same build without the step instead
// would run it with another account, pool and approval than the trigger's owner
// chose. Whoever wants the steps left out names the file, not the trigger.
//
// A disabled trigger is refused, although RunBuildTrigger would take it: whoever
// disabled it wanted it to rest. A trigger that also runs by itself is accepted
// and remarked on; its own build of the same commit is not taken for ours.
//
// A run cannot be given a tag, and lists cannot be filtered by substitutions. So
// a triggered build carries the release in _TURNOUT_RELEASE, and is sought among
// its trigger's builds of late. The trigger need not declare it: triggered builds
// are always ALLOW_LOOSE (comments of BuildOptions.SubstitutionOption).
//
// A build made in place of one that Cloud Build lost carries the count of those
// before it, so that no search takes one for the other.
//
// Builds are made through gRPC: the Go REST client always posts to the global
// path, whatever the parent says.
package cloudbuild
