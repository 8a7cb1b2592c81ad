// Package cloudbuild turns a repository's cloudbuild.yaml into one build on
// Google Cloud Build and follows that build to an image digest.
//
// The way through the package:
//
//	Parse                 parses and checks the file before anything starts
//	File.Apply            skips, refuses or allows steps that would change the cluster;
//	                      File.Unseen lists those that might
//	File.Choose           picks the image to deploy from those listed or pushed
//	Store.Upload          re-packs the source while streaming it to Cloud Storage
//	Request.Build         the build as it is sent
//	Client.Trigger        reads a trigger to run instead, checked first by
//	                      Trigger.Usable, .Path, .File, .Apply
//	Rivals                other triggers that would also change the cluster
//	Client.Find, .Start   search for the build by its tag; create it only if there is none
//	Client.Find, .Run     the same for a trigger's build
//	Client.Poll           its State, until State.Done; Pace says when to look again
//	State.Digest          the image by digest, where Cloud Build pushed it
//	Client.Cancel         cancels the build of a cancelled release
//
// The package knows neither Kubernetes nor GitHub: it takes and returns plain Go
// types, and a Handle can be stored anywhere.
//
// # The caller's duty
//
// CreateBuild and RunBuildTrigger take no request id, so the API cannot
// recognise a repeated call. The caller follows this order, and makes each step
// durable before the next begins:
//
//  1. write down the intent to build, with its time;
//  2. Find by what the release's build carries;
//  3. nothing found: Start or Run, exactly once;
//  4. write down the Handle.
//
// There may be an intent without a handle, after a crash or after an Uncertain
// Error from Start or Run. ListBuilds may then lag behind a build that exists:
// wait a grace time (a minute is ample), Find, and only then Start or Run again.
//
// # Decisions
//
// The YAML tree fills the API's message by its descriptors, without JSON and
// protojson in between. This costs a decoder of 250 lines. In return, errors name
// line, step and field and show no secret, merge keys and single values are read
// as gcloud reads them, and the decoder counts what it reads while it reads.
//
// Substitutions are counted while they are replaced, with Cloud Build's limits,
// and each value is resolved once: without that, a file of 48 KB expanded to
// 860 MB. Only substitutions in images are replaced; Cloud Build replaces those in
// steps. A value that only the build knows stays in the image's name as a
// placeholder, which matches any value in the name that the build reports.
//
// Fields that Cloud Build documents but the Go API lacks (options.pubsubTopic,
// remoteConfig, source.developerConnectConfig) are dropped with a warning
// instead of refused: a file that works from a trigger should work here.
//
// For images listed under images, the finished build's report is used. A step that
// pushes an image itself reports no digest, so a registry is asked for the name it
// pushes. A tag can be moved, so the name must hold the commit or the build's id,
// which is known before the build starts; any other name is refused. $BUILD_ID stays
// in the name until the build has an id. To find names, substitutions and plain
// shell variables are replaced in commands; a variable with two possible values is
// left alone. Function calls and loop turns are followed, up to a limit: a reader
// can see what a script puts together from its own text, so Turnout should, too.
//
// Steps that change the cluster are recognised by their commands, parsed with a
// shell's grammar (mvdan.cc/sh), not by permissions or the builder's name.
// What cannot be seen (a script of the repository, $CMD, a custom builder) is
// kept and reported: removing what merely looks dangerous breaks builds in ways
// that nobody understands. The service account named in the BlueGreen keeps those
// steps out of the cluster.
//
// A Cloud Run service counts only if it gets this build's own image: its users
// would then get an image that passed no gate. Other products are not Turnout's
// business.
//
// Whatever only removed steps used is removed with them: credentials, waits,
// secrets and volumes. Cloud Build refuses a build with a secret that no step uses.
//
// If a trigger's build has steps that change the cluster, the trigger is refused,
// under Skip as under Fail. A run takes a commit and substitutions; nothing else
// of the build can be changed. Creating the same build without the step would run
// it with another account, pool and approval than the trigger's owner chose. To
// have the steps left out, name the file instead of the trigger.
//
// A disabled trigger is refused, although RunBuildTrigger would run it: whoever
// disabled it wants it not to run. A trigger that also runs by itself is accepted
// with a warning; its own build of the same commit is not mistaken for ours.
//
// A run cannot be given a tag, and lists cannot be filtered by substitutions. So
// a triggered build carries the release in _TURNOUT_RELEASE, and Find searches the
// trigger's recent builds. The trigger need not declare it: triggered builds
// are always ALLOW_LOOSE (comments of BuildOptions.SubstitutionOption).
//
// When Cloud Build loses a build, its replacement carries the number of builds
// before it, so that no search confuses the two.
//
// Builds are made through gRPC: the Go REST client always posts to the global
// path, whatever the parent says.
package cloudbuild
