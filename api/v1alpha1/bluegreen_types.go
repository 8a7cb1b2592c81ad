package v1alpha1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// BlueGreen is one application: where its source is, how it is built, which
// objects are its two colours, and the rules a release of it must pass. Whoever
// owns the namespace writes it, like the manifests beside it.
//
// +kubebuilder:object:root=true
// +kubebuilder:subresource:status
// +kubebuilder:resource:shortName=bg
// +kubebuilder:printcolumn:name="Repository",type=string,JSONPath=`.spec.repository`
// +kubebuilder:printcolumn:name="Live",type=string,JSONPath=`.status.live.color`
// +kubebuilder:printcolumn:name="Version",type=string,JSONPath=`.status.version`
// +kubebuilder:printcolumn:name="Phase",type=string,JSONPath=`.status.phase`
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

// Color names one of the two sides of an application. Which one is live is
// derived from the Ingress, never remembered.
//
// +kubebuilder:validation:Enum=blue;green
type Color string

// The two colours.
const (
	Blue  Color = "blue"
	Green Color = "green"
)

// Other returns the opposite colour.
func (c Color) Other() Color {
	if c == Blue {
		return Green
	}
	return Blue
}

// BlueGreenSpec is what the owner of an application decides. A spec of
// repository and build.project alone is complete.
type BlueGreenSpec struct {
	// Repository whose merges deploy here, as owner/name. The namespace must be
	// granted it by the annotation turnout.dev/repositories.
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

	// URL is the public address: the link of the Deployments tab, and what the
	// switch is proved on. Without one the switch is not observed from outside.
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

	// ColorLabel is the label whose value is the colour, in selectors and pod
	// templates.
	// +kubebuilder:default=version
	// +kubebuilder:validation:MaxLength=317
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$')`,message="must be the key of a label, such as version or example.com/color"
	ColorLabel string `json:"colorLabel,omitempty"`

	// Container that gets the image. Default: the only container.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a container: lower-case letters, digits and -"
	Container string `json:"container,omitempty"`

	// Template is the pod template that a release stages, apart from the image:
	// the live colour's, or the target's own.
	// +kubebuilder:default=Live
	Template TemplateSource `json:"template,omitempty"`

	// MinReplicas is the least size a colour is staged at.
	// +kubebuilder:default=1
	// +kubebuilder:validation:Minimum=1
	MinReplicas int32 `json:"minReplicas,omitempty"`

	// Ingress that routes users to one of the two Services.
	// +kubebuilder:default={}
	Ingress IngressSpec `json:"ingress,omitempty"`

	// Gate is the health gate a staged colour must pass before the switch.
	// +kubebuilder:default={}
	Gate GateSpec `json:"gate,omitempty"`

	// Promotion says whether a person approves the switch.
	// +kubebuilder:default={}
	Promotion PromotionSpec `json:"promotion,omitempty"`

	// Proof says how the public address is asked while the traffic moves.
	// +kubebuilder:default={}
	Proof ProofSpec `json:"proof,omitempty"`

	// Soak is how long the new version is watched under live traffic before the
	// release counts as a success.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Soak *metav1.Duration `json:"soak,omitempty"`

	// Drain is how long after a switch the old colour is never shrunk: front
	// ends of the load balancer may still send to it.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Drain *metav1.Duration `json:"drain,omitempty"`

	// Hold is how long after a switch the old colour is kept at full size, so
	// that a rollback is instant. A newer release may end it.
	// +kubebuilder:default="15m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, from 0s to 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Hold *metav1.Duration `json:"hold,omitempty"`

	// StandbyReplicas is the size of the old colour after drain and hold.
	// +kubebuilder:default=0
	// +kubebuilder:validation:Minimum=0
	StandbyReplicas int32 `json:"standbyReplicas,omitempty"`

	// Deadlines bound the steps that wait for the world.
	// +kubebuilder:default={}
	Deadlines Deadlines `json:"deadlines,omitempty"`

	// Evidence says what may be told of an application that fails.
	// +kubebuilder:default={}
	Evidence EvidenceSpec `json:"evidence,omitempty"`

	// HistoryLimit is how many finished releases are kept at least; those of
	// the last 8 days are always kept, since GitHub can still replay what
	// caused them.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	HistoryLimit int32 `json:"historyLimit,omitempty"`
}

// BuildSpec says how a commit becomes an image, by Cloud Build.
//
// +kubebuilder:validation:XValidation:rule="!has(self.trigger) || size(self.trigger) == 0 || !has(self.config) || self.config == 'cloudbuild.yaml'",message="name either a config file or a trigger, not both"
// +kubebuilder:validation:XValidation:rule="!has(self.trigger) || size(self.trigger) == 0 || ((!has(self.serviceAccount) || size(self.serviceAccount) == 0) && (!has(self.source) || ((!has(self.source.bucket) || size(self.source.bucket) == 0) && (!has(self.source.git) || !self.source.git))))",message="serviceAccount and source are the trigger's own: remove them, or use config instead of trigger"
type BuildSpec struct {
	// Project is the Google Cloud project that builds. The namespace must be granted
	// it by the annotation turnout.dev/projects.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')`,message="must be the id of a Google Cloud project, such as acme-prod"
	Project string `json:"project"`

	// Location of the build, and of its trigger: global or a region.
	// +kubebuilder:default=global
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(global|[a-z]+-[a-z]+[0-9]+)$')`,message="must be global or a region such as europe-west1"
	Location string `json:"location,omitempty"`

	// Config is the build's file in the repository, read at the commit.
	// +kubebuilder:default=cloudbuild.yaml
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^/\s\pC\\][^\pC\\]*$')`,message="must be a path in the repository, such as cloudbuild.yaml"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^|/)[.]{0,2}(/|$)')",message="must be a path in the repository, without . or .. or // in it"
	Config string `json:"config,omitempty"`

	// Trigger is the name or id of a Cloud Build trigger to run at the commit,
	// instead of Config. It must build this repository, from a build that it holds
	// or from a file at the commit; best is a manual one, which only Turnout runs. One
	// of which it cannot be known needs the annotation turnout.dev/triggers.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?)?$')`,message="must be the name or the id of a trigger, such as deploy-main"
	// +kubebuilder:validation:MaxLength=64
	Trigger string `json:"trigger,omitempty"`

	// ClusterSteps says what becomes of build steps that would change the
	// cluster themselves (kubectl, gke-deploy, helm). Of a trigger's build none
	// can be left out, so with Trigger both Skip and Fail refuse them.
	// +kubebuilder:default=Skip
	ClusterSteps ClusterSteps `json:"clusterSteps,omitempty"`

	// Image is the repository of the image to deploy. Default: the only image of the
	// build, or the one with the live image's last path segment. Where a step pushes
	// the image out of sight, it names the tag as well, with $COMMIT_SHA, $SHORT_SHA
	// or $BUILD_ID in it.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^\s\pC]*$')`,message="must be an image such as gcr.io/acme-prod/my-python-app, without white space"
	Image string `json:"image,omitempty"`

	// Source is where the build's source goes.
	// +kubebuilder:default={}
	Source SourceSpec `json:"source,omitempty"`

	// Substitutions are added to those of the file and of the trigger, and win
	// over them.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^_[A-Z0-9_]+$'))",message="names of substitutions start with _ and hold capitals, digits and _"
	// +kubebuilder:validation:MaxProperties=100
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 100 && size(self[k]) <= 4000)",message="names have at most 100 characters, values 4000"
	Substitutions map[string]string `json:"substitutions,omitempty"`

	// ServiceAccount the build runs as. It is taken only from here, never from
	// the repository's file, and the namespace must be granted it by the annotation
	// turnout.dev/build-accounts. A trigger has its own.
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9][a-z0-9-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com)?$')`,message="must be the address of a service account, such as builder@acme-prod.iam.gserviceaccount.com"
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// Timeout of the build. A trigger's build has its own; then this only bounds
	// how long Turnout waits, with an hour more for the queue.
	// +kubebuilder:default="30m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// ClusterSteps says what becomes of build steps that would change the cluster.
//
// +kubebuilder:validation:Enum=Skip;Fail;Allow
type ClusterSteps string

// What becomes of build steps that would change the cluster.
const (
	ClusterStepsSkip  ClusterSteps = "Skip"  // they are removed from the build; from a trigger's they cannot be, and fail the release
	ClusterStepsFail  ClusterSteps = "Fail"  // they fail the release before anything starts
	ClusterStepsAllow ClusterSteps = "Allow" // they run
)

// SourceSpec is where a build's source goes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.git) || !self.git || !has(self.bucket) || size(self.bucket) == 0",message="name either a bucket or git, not both"
type SourceSpec struct {
	// Bucket of Cloud Storage for the source. Default: <project>_cloudbuild, which
	// comes with the project; another one needs the annotation turnout.dev/buckets.
	// +kubebuilder:validation:MaxLength=222
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])?$')`,message="must be the name of a bucket, such as acme-prod_cloudbuild"
	Bucket string `json:"bucket,omitempty"`

	// Git has Cloud Build clone the repository itself, at the commit and without
	// credentials: the repository must be public. Nothing is uploaded then.
	Git bool `json:"git,omitempty"`
}

// Side names the objects of one colour.
type Side struct {
	// Deployment of this colour.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be the name of a Deployment: lower-case letters, digits, - and ."
	Deployment string `json:"deployment,omitempty"`

	// Service of this colour.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a Service: lower-case letters, digits and -"
	Service string `json:"service,omitempty"`
}

// TemplateSource is where the staged pod template comes from.
//
// +kubebuilder:validation:Enum=Live;Own
type TemplateSource string

// Where the staged pod template comes from.
const (
	TemplateLive TemplateSource = "Live" // the live colour's, with the colour rewritten
	TemplateOwn  TemplateSource = "Own"  // the target's own
)

// IngressSpec names the Ingress that routes users.
type IngressSpec struct {
	// Name of the Ingress. Default: <name>-ingress.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be the name of an Ingress: lower-case letters, digits, - and ."
	Name string `json:"name,omitempty"`

	// StandbyHost is the host under which the colour that is not live stays
	// referenced. Default: standby-<uid>.invalid, which nobody can resolve.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be a host such as standby.example.com"
	// +kubebuilder:validation:MaxLength=253
	StandbyHost string `json:"standbyHost,omitempty"`
}

// GateSpec is the health gate: checks that every pod of the target must pass, all
// of them, before users reach it. With neither http nor exec the readiness
// probe's own path is asked, and the release says so.
//
// The requests of http are made again under live traffic, during the soak, and of
// the previous colour before traffic goes back to it.
//
// +kubebuilder:validation:XValidation:rule="!has(self.tryTimeout) || !has(self.timeout) || !self.tryTimeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.tryTimeout) <= duration(self.timeout)",message="tryTimeout must not exceed timeout"
// +kubebuilder:validation:XValidation:rule="!has(self.exec) || !has(self.exec.timeout) || !has(self.timeout) || !self.exec.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || !self.timeout.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') || duration(self.exec.timeout) <= duration(self.timeout)",message="exec.timeout must not exceed timeout"
type GateSpec struct {
	// HTTP requests that every pod of the target must answer.
	// +kubebuilder:validation:MaxItems=16
	HTTP []HTTPCheck `json:"http,omitempty"`

	// Exec runs a command in every pod of the target, in each round whose
	// requests were all answered well. It is not run under live traffic.
	Exec *ExecCheck `json:"exec,omitempty"`

	// Consecutive is how many rounds of all checks in a row must pass.
	// +kubebuilder:default=3
	// +kubebuilder:validation:Minimum=1
	Consecutive int32 `json:"consecutive,omitempty"`

	// Interval from one round to the next.
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Interval metav1.Duration `json:"interval,omitzero"`

	// TryTimeout bounds one request. A command has exec.timeout.
	// +kubebuilder:default="2s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	TryTimeout metav1.Duration `json:"tryTimeout,omitzero"`

	// Timeout bounds the gate as a whole.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`

	// Freshness is the greatest age of a pass at the switch, and of Google's load
	// balancer's word that it finds the pods healthy; an older one is asked for again
	// first.
	// +kubebuilder:default="5m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Freshness metav1.Duration `json:"freshness,omitzero"`
}

// HTTPCheck is one request to a pod and what its answer must be.
type HTTPCheck struct {
	// Path of the request, with its query.
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^/[^\s\pC#]*$')`,message="must be a path such as /healthz, without white space and #"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/[.][.]?([/?]|$)')",message="must not have . or .. as a part"
	Path string `json:"path"`

	// Port of the pod. Default: the port that the Ingress routes users to; if it
	// routes them to several, that of its first route.
	// +kubebuilder:validation:Minimum=0
	// +kubebuilder:validation:Maximum=65535
	Port int32 `json:"port,omitempty"`

	// Scheme of the request.
	// +kubebuilder:default=HTTP
	// +kubebuilder:validation:Enum=HTTP;HTTPS
	Scheme string `json:"scheme,omitempty"`

	// Headers of the request.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="names have at most 128 characters, values 4096"
	Headers map[string]string `json:"headers,omitempty"`

	// Status the answer must have.
	// +kubebuilder:default=200
	// +kubebuilder:validation:Minimum=100
	// +kubebuilder:validation:Maximum=599
	Status int32 `json:"status,omitempty"`

	// BodyContains is a text that the first 64 KiB of the answer must contain.
	// +kubebuilder:validation:MaxLength=4096
	BodyContains string `json:"bodyContains,omitempty"`

	// Header values that the answer must have; the case of names does not matter.
	// +kubebuilder:validation:MaxProperties=32
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 128 && size(self[k]) <= 4096)",message="names have at most 128 characters, values 4096"
	Header map[string]string `json:"header,omitempty"`
}

// ExecCheck is a command that must end with 0 in every pod of the target, within
// its timeout. It runs in the container that gets the image, with that
// container's files, environment and user. What it writes is shown if it fails.
type ExecCheck struct {
	// Command and its arguments; no shell is involved.
	// +kubebuilder:validation:MinItems=1
	// +kubebuilder:validation:MaxItems=64
	// +kubebuilder:validation:items:MaxLength=4096
	// +kubebuilder:validation:XValidation:rule="self[0] != ''",message="the first word names the command"
	Command []string `json:"command"`

	// Timeout of one run in one pod. A run that takes longer has failed; its
	// connection is closed, which does not end the command itself.
	// +kubebuilder:default="10s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('1m')",message="must be a duration such as 10s or 1m, more than 0s and at most 1m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// PromotionSpec says whether a person approves the switch.
type PromotionSpec struct {
	// Mode is Automatic, or Manual: wait for /promote.
	// +kubebuilder:default=Automatic
	Mode PromotionMode `json:"mode,omitempty"`

	// Timeout after which a release that nobody approved is discarded.
	// +kubebuilder:default="24h"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// PromotionMode says who approves a switch.
//
// +kubebuilder:validation:Enum=Automatic;Manual
type PromotionMode string

// Who approves a switch.
const (
	PromotionAutomatic PromotionMode = "Automatic" // the gate alone
	PromotionManual    PromotionMode = "Manual"    // a person, by /promote
)

// ProofSpec says how the public address is asked while the traffic moves. With
// no spec.url it is not asked.
type ProofSpec struct {
	// Path that is asked.
	// +kubebuilder:default="/"
	// +kubebuilder:validation:MaxLength=2048
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^/[^\s\pC#]*$')`,message="must be a path such as /healthz, without white space and #"
	// +kubebuilder:validation:XValidation:rule="!self.matches('/[.][.]?([/?]|$)')",message="must not have . or .. as a part"
	Path string `json:"path,omitempty"`

	// Method of the request.
	// +kubebuilder:default=GET
	// +kubebuilder:validation:Enum=GET;HEAD
	Method string `json:"method,omitempty"`

	// VersionHeader is a response header whose value differs from version to
	// version: by it the old version's answers are told from the new one's. Default:
	// none, and answers are only counted.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[A-Za-z0-9_.-]*$')`,message="must be the name of a header, such as X-App-Version"
	VersionHeader string `json:"versionHeader,omitempty"`

	// Rate is how many requests a second the proof sends at most.
	// +kubebuilder:default=20
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=200
	Rate int32 `json:"rate,omitempty"`

	// Baseline is how long the public address is asked before a deploy's switch:
	// what fails then is not new after it. A rollback does not wait for it.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('10m')",message="must be a duration such as 30s or 5m, from 0s to 10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Baseline *metav1.Duration `json:"baseline,omitempty"`

	// Tail is how long the public address is asked on after the switch took effect
	// and, where versions are told apart, after the old one's last answer: front
	// ends of a load balancer take up a change one after the other.
	// +kubebuilder:default="30s"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) <= duration('10m')",message="must be a duration such as 30s or 5m, from 0s to 10m"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Tail *metav1.Duration `json:"tail,omitempty"`
}

// Deadlines bound the steps that wait for the world.
type Deadlines struct {
	// Stage bounds the start of the target's pods.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Stage metav1.Duration `json:"stage,omitzero"`

	// Warm bounds the wait for the load balancer to find the target healthy.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Warm metav1.Duration `json:"warm,omitzero"`

	// Confirm bounds the wait for the public address to answer with the new
	// version.
	// +kubebuilder:default="10m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Confirm metav1.Duration `json:"confirm,omitzero"`
}

// EvidenceSpec says what of an application that fails goes into its release, and
// from there to everybody who may read its repository's pull requests. Secrets of
// known shapes are masked in any case.
type EvidenceSpec struct {
	// Logs: the last lines of the container that fails, and of a command of the gate,
	// or none.
	// +kubebuilder:default=Tail
	Logs EvidenceLogs `json:"logs,omitempty"`
}

// EvidenceLogs is how much of a log is evidence.
//
// +kubebuilder:validation:Enum=None;Tail
type EvidenceLogs string

// How much of a log is evidence.
const (
	LogsNone EvidenceLogs = "None" // nothing is read, and nothing kept
	LogsTail EvidenceLogs = "Tail" // the last 20 lines
)
