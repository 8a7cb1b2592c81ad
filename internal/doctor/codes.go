package doctor

// Codes of every check.
const (
	CodeUnchecked Code = "Unchecked" // the check got no answer
	CodeMore      Code = "More"      // a check found more than is shown
)

// Codes of the cluster's checks.
const (
	CodeMissing       Code = "Missing"       // an object of config/ does not exist
	CodeDiffers       Code = "Differs"       // an object of config/ is not as this version of Turnout has it
	CodeNotInEffect   Code = "NotInEffect"   // a CRD is not Established
	CodeNotInstalled  Code = "NotInstalled"  // there is no Deployment of Turnout
	CodeNotRunning    Code = "NotRunning"    // its pods are not available
	CodeNoApp         Code = "NoApp"         // the Secret has no GitHub App
	CodeNoLeader      Code = "NoLeader"      // no replica leads, so no release moves
	CodeNotAllowed    Code = "NotAllowed"    // Turnout's account lacks a right in Kubernetes
	CodeNotGranted    Code = "NotGranted"    // a namespace is not granted what an application needs
	CodeNoClass       Code = "NoClass"       // an Ingress names a class that does not exist
	CodeNoController  Code = "NoController"  // no controller has taken up an Ingress or an HTTPRoute
	CodeNotChecked    Code = "NotChecked"    // no turnout serve has looked at an application
	CodeBlocked       Code = "Blocked"       // a condition keeps an application's releases from running
	CodePreflight     Code = "Preflight"     // a finding of an application's preflight
	CodeNoApplication Code = "NoApplication" // there is none to check
)

// Codes of the checks of GitHub.
const (
	CodePermission     Code = "Permission"     // the App, or an installation, lacks a permission
	CodeEvent          Code = "Event"          // the App, or an installation, lacks an event
	CodeNoInstallation Code = "NoInstallation" // the App is installed nowhere
	CodeSuspended      Code = "Suspended"      // an installation is suspended
	CodeNotInstalledOn Code = "NotInstalledOn" // the App is not installed on an application's repository
	CodeNoWebhook      Code = "NoWebhook"      // GitHub does not know where to send events
	CodeLostDeliveries Code = "LostDeliveries" // deliveries of late were not accepted
)

// Codes of the checks of Google.
const (
	CodeNotAsked         Code = "NotAsked"         // Google was not asked, since this is not Turnout's pod
	CodeNoIdentity       Code = "NoIdentity"       // Turnout's pods have no Google identity
	CodeGooglePermission Code = "GooglePermission" // Turnout, or an account that it acts as, lacks a permission
	CodeGoogleMissing    Code = "GoogleMissing"    // a resource does not exist
	CodeAPIDisabled      Code = "APIDisabled"      // an API that is needed to ask is not enabled
)
