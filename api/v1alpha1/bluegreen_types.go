package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BlueGreen is one application: where its source is, how it is built, which
// objects are its two colours, and the rules its releases must pass. The owner of
// the namespace writes it, like the manifests beside it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bg
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repository`
// +kubebuilder:printcolumn:name="Live",type=string,JSONPath=`.status.live.color`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
// +kubebuilder:printcolumn:name="Schema",type=string,JSONPath=`.status.schema.state`
// +kubebuilder:printcolumn:name="Age",type=date,JSONPath=`.metadata.creationTimestamp`
// +kubebuilder:validation:XValidation:rule="size(self.metadata.name) <= 40",message="metadata.name: at most 40 characters, so that the names of releases fit"
type BlueGreen struct {
	metav1.TypeMeta   `json:",inline"`
	metav1.ObjectMeta `json:"metadata,omitempty"`

	Spec   BlueGreenSpec   `json:"spec"`
	Status BlueGreenStatus `json:"status,omitempty"`
}

// BlueGreenList is a list of applications.
//
// +kubebuilder:object:root=true
type BlueGreenList struct {
	metav1.TypeMeta `json:",inline"`
	metav1.ListMeta `json:"metadata,omitempty"`

	Items []BlueGreen `json:"items"`
}

// BlueGreenSpec is what the owner of an application decides. A spec of
// repository and build.project alone is complete.
//
// +kubebuilder:validation:XValidation:rule="!has(self.gateway) || !has(self.ingress) || ((!has(self.ingress.name) || size(self.ingress.name) == 0) && (!has(self.ingress.standbyHost) || size(self.ingress.standbyHost) == 0))",message="users are routed by an Ingress or by a gateway, not by both: remove ingress or gateway"
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || has(self.gateway)",message="canary needs a gateway: an Ingress sends all users to one Service"
// +kubebuilder:validation:XValidation:rule="!has(self.canary) || !has(self.workers) || self.workers.all(w, !has(w.queue))",message="workers[].queue does not go with canary: the new version's workers start last before the switch, and nobody would work on what the canary's users leave in its queue"
type BlueGreenSpec struct {
	// Repository whose merges deploy here, as owner/name. The annotation
	// turnout.dev/repositories must grant it to the namespace.
	// +kubebuilder:validation:MaxLength=140
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9_.-]{1,100}$')`,message="must be a repository of GitHub as owner/name, such as acme/my-python-app"
	// +kubebuilder:validation:XValidation:rule="!self.endsWith('/.') && !self.endsWith('/..')",message="the name must not be . or .."
	Repository string `json:"repository"`

	// Branch whose pushes are releases.
	// +kubebuilder:default=main
	// +kubebuilder:validation:MaxLength=255
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^\s~^:?*\[\\\pC/-][^\s~^:?*\[\\\pC]*$')`,message="must be the name of a branch, such as main or release/1.x"
	// +kubebuilder:validation:XValidation:rule="!self.contains('..')",message="must not contain .."
	Branch string `json:"branch,omitempty"`

	// Environment is the name shown in the Deployments tab.
	// +kubebuilder:default=production
	// +kubebuilder:validation:MaxLength=100
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^\pC]+$')`,message="must be one line of text, such as production"
	Environment string `json:"environment,omitempty"`

	// URL is the public address. The Deployments tab links to it, and Turnout measures
	// each switch there. Without it, Turnout cannot observe a switch from outside.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(https?://([A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[23Ff][0-9A-Fa-f:]+\])(:[0-9]{1,5})?(/[^\s\pC?#]*)?)?$')`,message="must be an http or https address such as https://shop.example.com, without a user, a query or a fragment"
	// +kubebuilder:validation:XValidation:rule="!self.lowerAscii().matches('^https?://(localhost|metadata|metadata[.]google[.]internal|0x[0-9a-f]*|[0-9]+|(0|127|169[.]254)[.][0-9.]+|[[]fd00:0?ec2:[^/]*)[.]?(:[0-9]+)?(/.*)?$')",message="must not be this machine, nor where a cloud keeps its metadata"
	URL string `json:"url,omitempty"`

	// Build says how a commit becomes an image.
	Build BuildSpec `json:"build"`

	// Blue names the blue side. Default: <name>-blue and <name>-blue-svc.
	Blue Side `json:"blue,omitempty"`

	// Green names the green side. Default: <name>-green and <name>-green-svc.
	Green Side `json:"green,omitempty"`

	// ColorLabel is the label that holds the colour, in selectors and pod templates.
	// +kubebuilder:default=version
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$')`,message="must be the key of a label, such as version or example.com/color"
	ColorLabel string `json:"colorLabel,omitempty"`

	// Container that gets the image. Default: the only container.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a container: lower-case letters, digits and -"
	Container string `json:"container,omitempty"`

	// Template is the pod template that a release stages with its image: the live
	// colour's, or the target's own.
	// +kubebuilder:default=Live
	Template TemplateSource `json:"template,omitempty"`

	// MinReplicas is the smallest size at which a colour is staged.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// Workers run a release's image beside the served Deployments, one Deployment on each
	// side. Only the workers of the side that users have run. Default: none.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=name
	Workers []WorkerSpec `json:"workers,omitempty"`

	// Singletons get a release's image once its switch is confirmed. Default: none.
	// +kubebuilder:validation:MaxItems=10
	// +listType=map
	// +listMapKey=deployment
	Singletons []SingletonSpec `json:"singletons,omitempty"`

	// CronJobs get a release's image once its switch is confirmed. Default: none.
	// +kubebuilder:validation:MaxItems=20
	// +listType=map
	// +listMapKey=name
	CronJobs []CronJobSpec `json:"cronJobs,omitempty"`

	// Ingress that routes users to one of the two Services. Default without a gateway:
	// <name>-ingress.
	Ingress IngressSpec `json:"ingress,omitzero"`

	// Gateway routes users instead, by an HTTPRoute of the Gateway API.
	Gateway *GatewaySpec `json:"gateway,omitempty"`

	// Canary brings users to the new version in steps, before the switch. It needs a
	// gateway. Default: none.
	Canary *CanarySpec `json:"canary,omitempty"`

	// Migrations change the schema of a database that both colours share. Default: none.
	Migrations *MigrationsSpec `json:"migrations,omitempty"`

	// Gate is the health gate that a staged colour must pass before the switch.
	// +kubebuilder:default={}
	Gate GateSpec `json:"gate,omitempty"`

	// Promotion says whether a person must approve the switch.
	// +kubebuilder:default={}
	Promotion PromotionSpec `json:"promotion,omitempty"`

	// Proof says how Turnout measures the public address while the traffic moves.
	// +kubebuilder:default={}
	Proof ProofSpec `json:"proof,omitempty"`

	// Soak is how long Turnout watches the new version under live traffic before the
	// release counts as a success.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Soak *metav1.Duration `json:"soak,omitempty"`

	// Analysis judges the new version by metrics during the soak. Default: none.
	Analysis *AnalysisSpec `json:"analysis,omitempty"`

	// Drain is how long the old colour keeps its size after a switch, whatever else
	// happens: front ends of the load balancer may still send to it.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Drain *metav1.Duration `json:"drain,omitempty"`

	// Hold is how long the old colour stays at full size after a switch, for an instant
	// rollback. A newer release may end it.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Hold *metav1.Duration `json:"hold,omitempty"`

	// StandbyReplicas is the size of the old colour after drain and hold.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	StandbyReplicas int32 `json:"standbyReplicas,omitempty"`

	// Deadlines bound the steps that wait for Kubernetes or the load balancer.
	// +kubebuilder:default={}
	Deadlines Deadlines `json:"deadlines,omitempty"`

	// Evidence says what a release may show of an application that fails.
	// +kubebuilder:default={}
	Evidence EvidenceSpec `json:"evidence,omitempty"`

	// HistoryLimit is how many finished releases to keep. Those of the last 8 days
	// always stay, since GitHub can still replay what caused them.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	HistoryLimit int32 `json:"historyLimit,omitempty"`
}
