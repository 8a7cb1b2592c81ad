package v1alpha1

// WorkerSpec is a worker of the application: a Deployment on each side that runs a
// release's image, gets no users, and does the application's work beside it, such as the
// tasks of a queue.
type WorkerSpec struct {
	// Name of the worker, in messages.
	// +kubebuilder:validation:MaxLength=40
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([a-z0-9-]*[a-z0-9])?$')`,message="must be a name such as worker or mail: lower-case letters, digits and -"
	Name string `json:"name"`

	// Blue names the Deployment of the blue side. Default: <application>-<name>-blue.
	Blue WorkerSide `json:"blue,omitzero"`

	// Green names the Deployment of the green side. Default: <application>-<name>-green.
	Green WorkerSide `json:"green,omitzero"`

	// Container that gets the image. Default: the only container, or the one of
	// spec.container.
	// +kubebuilder:validation:MaxLength=63
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9-]*[a-z0-9])?)?$')`,message="must be the name of a container: lower-case letters, digits and -"
	Container string `json:"container,omitempty"`

	// Image is another image of the build, which the worker gets. Default: the application's.
	Image ImageRepository `json:"image,omitempty"`

	// Queue says that each side has a queue of its own, on which its workers work until it is
	// empty. Default: both sides share one queue.
	Queue *QueueSpec `json:"queue,omitempty"`
}

// WorkerSide names the objects of one side of a worker.
type WorkerSide struct {
	// Deployment of this side.
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be the name of a Deployment: lower-case letters, digits, - and ."
	Deployment string `json:"deployment,omitempty"`
}

// WorkerDeployment returns the name of a worker's Deployment on a side, including the
// default.
func (b *BlueGreen) WorkerDeployment(w WorkerSpec, c Color) string {
	name := w.Blue.Deployment
	if c == Green {
		name = w.Green.Deployment
	}
	if name == "" {
		name = b.Name + "-" + w.Name + "-" + string(c)
	}
	return name
}
