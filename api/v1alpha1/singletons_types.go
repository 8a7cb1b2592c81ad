package v1alpha1

// SingletonSpec is a Deployment of which one pod at most may run, such as a scheduler. It
// gets a release's image after the switch, and its strategy must be Recreate.
type SingletonSpec struct {
	// Deployment of it.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')`,message="must be the name of a Deployment: lower-case letters, digits, - and ."
	Deployment string `json:"deployment"`

	// Container that gets the image. Default: the only container, or the one of
	// spec.container.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a container: lower-case letters, digits and -"
	Container string `json:"container,omitempty"`

	// Image is another image of the build, which the singleton gets. Default: the application's.
	Image ImageRepository `json:"image,omitempty"`
}

// CronJobSpec is a CronJob that runs the application's image. It gets a release's image
// after the switch; a Job that runs keeps its own.
type CronJobSpec struct {
	// Name of it.
	// +kubebuilder:validation:MaxLength=52
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')`,message="must be the name of a CronJob: lower-case letters, digits, - and ."
	Name string `json:"name"`

	// Container that gets the image. Default: the only container, or the one of
	// spec.container.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a container: lower-case letters, digits and -"
	Container string `json:"container,omitempty"`

	// Image is another image of the build, which the CronJob gets. Default: the application's.
	Image ImageRepository `json:"image,omitempty"`
}
