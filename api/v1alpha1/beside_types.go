package v1alpha1

// ImageRepository names another image that a release's build makes, without tag and digest.
//
// +kubebuilder:validation:MaxLength=255
// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+$')`,message="must be the name of an image without tag and digest, such as gcr.io/acme-prod/mail"
type ImageRepository string

// BuildImage is another image of a build than the application's, which the spec names.
type BuildImage struct {
	// Field of the spec that names it first, such as spec.workers[mail].image.
	Field string `json:"field"`

	// Image is its name, without a tag.
	Image string `json:"image"`

	// Reference is the name and tag under which a build step pushes it, as in
	// [BuildStatus].Reference.
	Reference string `json:"reference,omitempty"`
}

// BesideKind is what an image runs in beside the served Deployments.
//
// +kubebuilder:validation:Enum=Worker;Singleton;CronJob
type BesideKind string

// What runs beside the served Deployments.
const (
	BesideWorker    BesideKind = "Worker"
	BesideSingleton BesideKind = "Singleton"
	BesideCronJob   BesideKind = "CronJob"
)

// BesideImage is the image that a worker, a singleton or a CronJob ran.
type BesideImage struct {
	// Kind of it.
	Kind BesideKind `json:"kind"`

	// Name of the worker or CronJob, or of the singleton's Deployment.
	// +kubebuilder:validation:MaxLength=253
	Name string `json:"name"`

	// Image by digest where the digest is known.
	// +kubebuilder:validation:MaxLength=1024
	Image string `json:"image"`
}

// MaxOtherImages bounds the other images of a build that are recorded, and the images that
// ran beside a version: as many as the spec can name.
const MaxOtherImages = 40
