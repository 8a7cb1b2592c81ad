package v1alpha1

import metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

// BuildSpec says how a commit becomes an image, by Cloud Build.
//
// +kubebuilder:validation:XValidation:rule="!has(self.trigger) || size(self.trigger) == 0 || !has(self.config) || self.config == 'cloudbuild.yaml'",message="name either a config file or a trigger, not both"
// +kubebuilder:validation:XValidation:rule="!has(self.trigger) || size(self.trigger) == 0 || ((!has(self.serviceAccount) || size(self.serviceAccount) == 0) && (!has(self.source) || ((!has(self.source.bucket) || size(self.source.bucket) == 0) && (!has(self.source.git) || !self.source.git))))",message="serviceAccount and source are the trigger's own: remove them, or use config instead of trigger"
type BuildSpec struct {
	// Project is the Google Cloud project that builds. The annotation
	// turnout.dev/projects must grant it to the namespace.
	// +kubebuilder:validation:MaxLength=128
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z][a-z0-9.-]*:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$')`,message="must be the id of a Google Cloud project, such as acme-prod"
	Project string `json:"project"`

	// Location of the build, and of its trigger: global or a region.
	// +kubebuilder:default=global
	// +kubebuilder:validation:MaxLength=64
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^(global|[a-z]+-[a-z]+[0-9]+)$')`,message="must be global or a region such as europe-west1"
	Location string `json:"location,omitempty"`

	// Config is the build file in the repository. Turnout reads it at the commit.
	// +kubebuilder:default=cloudbuild.yaml
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^/\s\pC\\][^\pC\\]*$')`,message="must be a path in the repository, such as cloudbuild.yaml"
	// +kubebuilder:validation:XValidation:rule="!self.matches('(^|/)[.]{0,2}(/|$)')",message="must be a path in the repository, without . or .. or // in it"
	Config string `json:"config,omitempty"`

	// Trigger is the name or id of a Cloud Build trigger to run at the commit,
	// instead of Config. It must build this repository, inline or from a file at the
	// commit. A manual trigger is best, since only Turnout runs it. If Turnout cannot
	// see which repository it builds, the annotation turnout.dev/triggers must grant it.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([A-Za-z0-9]([A-Za-z0-9-]{0,62}[A-Za-z0-9])?)?$')`,message="must be the name or the id of a trigger, such as deploy-main"
	// +kubebuilder:validation:MaxLength=64
	Trigger string `json:"trigger,omitempty"`

	// ClusterSteps says what happens to build steps that would change the cluster
	// themselves (kubectl, gke-deploy, helm). Turnout cannot remove steps from a
	// trigger's build, so with Trigger both Skip and Fail refuse them.
	// +kubebuilder:default=Skip
	ClusterSteps ClusterSteps `json:"clusterSteps,omitempty"`

	// Image is the repository of the image to deploy. Default: the only image of the
	// build, or the one with the live image's last path segment. If a build step pushes
	// the image itself, add the tag, with $COMMIT_SHA, $SHORT_SHA or $BUILD_ID in it.
	// +kubebuilder:validation:MaxLength=512
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[^\s\pC]*$')`,message="must be an image such as gcr.io/acme-prod/my-python-app, without white space"
	Image string `json:"image,omitempty"`

	// Source is where the build's source goes.
	// +kubebuilder:default={}
	Source SourceSpec `json:"source,omitempty"`

	// Substitutions are added to those of the file and the trigger, and override them.
	// +kubebuilder:validation:XValidation:rule="self.all(k, k.matches('^_[A-Z0-9_]+$'))",message="names of substitutions start with _ and hold capitals, digits and _"
	// +kubebuilder:validation:MaxProperties=100
	// +kubebuilder:validation:XValidation:rule="self.all(k, size(k) <= 100 && size(self[k]) <= 4000)",message="names have at most 100 characters, values 4000"
	Substitutions map[string]string `json:"substitutions,omitempty"`

	// ServiceAccount the build runs as. Turnout takes it only from here, never from the
	// repository's file. The annotation turnout.dev/build-accounts must grant it to the
	// namespace. A trigger has its own.
	// +kubebuilder:validation:MaxLength=254
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9][a-z0-9-]*@[a-z0-9][a-z0-9.-]*\.gserviceaccount\.com)?$')`,message="must be the address of a service account, such as builder@acme-prod.iam.gserviceaccount.com"
	ServiceAccount string `json:"serviceAccount,omitempty"`

	// Timeout of the build. A trigger's build has its own; this then only bounds how
	// long Turnout waits, with an extra hour for the queue.
	// +kubebuilder:default="30m"
	// +kubebuilder:validation:XValidation:rule="self.matches('^(0|([0-9]{1,5}([.][0-9]*)?h|[0-9]{1,7}([.][0-9]*)?(m|[mµnu]?s))+)$') && duration(self) > duration('0s') && duration(self) <= duration('8760h')",message="must be a duration such as 30s or 5m, more than 0s and at most 8760h"
	// +kubebuilder:validation:Type=string
	// +kubebuilder:validation:MaxLength=32
	Timeout metav1.Duration `json:"timeout,omitzero"`
}

// ClusterSteps says what happens to build steps that would change the cluster.
//
// +kubebuilder:validation:Enum=Skip;Fail;Allow
type ClusterSteps string

// What happens to build steps that would change the cluster.
const (
	ClusterStepsSkip  ClusterSteps = "Skip"  // they are removed from the build; in a trigger's build, they fail the release
	ClusterStepsFail  ClusterSteps = "Fail"  // they fail the release before anything starts
	ClusterStepsAllow ClusterSteps = "Allow" // they run
)

// SourceSpec is where a build's source goes.
//
// +kubebuilder:validation:XValidation:rule="!has(self.git) || !self.git || !has(self.bucket) || size(self.bucket) == 0",message="name either a bucket or git, not both"
type SourceSpec struct {
	// Bucket of Cloud Storage for the source. Default: <project>_cloudbuild, which
	// comes with the project. The annotation turnout.dev/buckets must grant any other.
	// +kubebuilder:validation:MaxLength=222
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9][a-z0-9._-]{1,220}[a-z0-9])?$')`,message="must be the name of a bucket, such as acme-prod_cloudbuild"
	Bucket string `json:"bucket,omitempty"`

	// Git makes Cloud Build clone the repository itself, at the commit, instead of an
	// upload. It has no credentials, so the repository must be public.
	Git bool `json:"git,omitempty"`
}
