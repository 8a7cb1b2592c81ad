package v1alpha1

// Names that Turnout writes on objects. They are part of the API: other tools may select by
// them.
const (
	// ApplicationLabel on a Release names its BlueGreen.
	ApplicationLabel = "turnout.dev/application"

	// ReleaseAnnotation on a pod template names the release that staged it. So every
	// attempt gets new pods, and the cluster alone shows the live version.
	ReleaseAnnotation = "turnout.dev/release"

	// CommitAnnotation on a pod template is the commit its image was built from.
	CommitAnnotation = "turnout.dev/commit"

	// MinReplicasAnnotation on a HorizontalPodAutoscaler says that Turnout has raised its
	// minimum: "2 raised to 5" has the owner's value and the raised one. It is raised from
	// stage until the release ends, and on the old colour during the hold. Whoever finds it
	// without such a need restores the minimum, unless somebody else has set another one.
	MinReplicasAnnotation = "turnout.dev/min-replicas"

	// StandbyAnnotationPrefix, followed by the BlueGreen's name, is the annotation of an
	// Ingress with the application's standby host. Rules of that host never count as live.
	StandbyAnnotationPrefix = "standby.turnout.dev/"

	// PokeAnnotation on an Ingress is when Turnout last wrote it to make Google's
	// controller check the Ingress again and report the health of its backends.
	PokeAnnotation = "turnout.dev/poked-at"

	// FenceAnnotation on an Ingress invalidates patches of its routes that were made before
	// it was written. Every patch tests it.
	FenceAnnotation = "turnout.dev/fence"

	// SwitchAnnotation on a Deployment names the release that moves users there. It is
	// written when the release stages its version, at the latest right before the switch,
	// and raises the Deployment's generation, so an earlier write that would shrink the
	// Deployment fails.
	SwitchAnnotation = "turnout.dev/switch"

	// WorkersAnnotation on a worker's Deployment names the release that last started or
	// stopped it, followed by " back" if that undid a release. It is written with each of
	// these, and raises the Deployment's generation, so an earlier write that would do the
	// opposite fails. On a singleton or a CronJob it names the release that last gave it an
	// image.
	WorkersAnnotation = "turnout.dev/workers"

	// SizeAnnotation on a worker's Deployment is the size that it had when Turnout stopped
	// it, and gets when users come back. It is written in the patch that stops it.
	SizeAnnotation = "turnout.dev/size"

	// PausedAnnotation on a ScaledObject of KEDA says that Turnout has paused it: it is the
	// size at which KEDA keeps the worker, in [PausedReplicasAnnotation]. WorkersAnnotation
	// beside it names the release that last paused it or gave it back.
	PausedAnnotation = "turnout.dev/paused"

	// PausedReplicasAnnotation is KEDA's: a ScaledObject with it keeps its Deployment at this
	// size.
	PausedReplicasAnnotation = "autoscaling.keda.sh/paused-replicas"

	// MigrationLabel on a Job and its pods says which migration of an application they are:
	// expand or contract. They have ApplicationLabel and ReleaseAnnotation, too.
	MigrationLabel = "turnout.dev/migration"

	// TemplateAnnotation on a migration's Job is the hash of the pod template that it was
	// made with.
	TemplateAnnotation = "turnout.dev/template-hash"

	// ResumedAnnotation on a migration's Job is when it was let go. A suspended Job without it
	// never ran.
	ResumedAnnotation = "turnout.dev/resumed-at"
)

// Field managers, which show who wrote a field.
const (
	DeployerManager = "turnout-deployer" // everything but Release.status.github
	BotManager      = "turnout-bot"      // Release.spec, and Release.status.github
)
