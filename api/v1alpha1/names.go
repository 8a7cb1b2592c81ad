package v1alpha1

// Names that Turnout writes on objects. They are part of the API: other tools
// may select by them.
const (
	// ApplicationLabel on a Release names its BlueGreen.
	ApplicationLabel = "turnout.dev/application"

	// ReleaseAnnotation on a pod template names the release that staged it, so
	// that every attempt gets pods of its own, and the version that is live can
	// be told from the cluster alone.
	ReleaseAnnotation = "turnout.dev/release"

	// CommitAnnotation on a pod template is the commit its image was built from.
	CommitAnnotation = "turnout.dev/commit"

	// MinReplicasAnnotation on a HorizontalPodAutoscaler says that Turnout has its
	// minimum raised: "2 raised to 5" keeps its owner's, and what was written. It is
	// raised from stage until the release ends, and on the colour that users left
	// for as long as that is held. Whoever finds it without such a need puts the
	// minimum back; if somebody else has set another one since, that stays.
	MinReplicasAnnotation = "turnout.dev/min-replicas"

	// StandbyAnnotationPrefix, followed by the BlueGreen's name, is the
	// annotation of an Ingress that records the standby host of that
	// application. Rules of that host never count as live.
	StandbyAnnotationPrefix = "standby.turnout.dev/"

	// PokeAnnotation on an Ingress is when Turnout last wrote it, so that Google's
	// controller looks at the Ingress and tells anew how healthy its backends are.
	PokeAnnotation = "turnout.dev/poked-at"

	// FenceAnnotation on an Ingress makes void the patches of its routes that were
	// made before it was written. Every patch tests it.
	FenceAnnotation = "turnout.dev/fence"

	// SwitchAnnotation on a Deployment names the release that brings users there. It
	// is written right before the Ingress is patched, and raises the Deployment's
	// generation: whoever meant to shrink it before cannot any more.
	SwitchAnnotation = "turnout.dev/switch"
)

// Field managers, by which Kubernetes tells who wrote a field.
const (
	DeployerManager = "turnout-deployer" // everything but Release.status.github
	BotManager      = "turnout-bot"      // Release.spec, and Release.status.github
)
