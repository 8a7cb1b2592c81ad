package v1alpha1

// Color names one of the two sides of an application. The Ingress shows which one
// is live; Turnout never remembers it.
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

	// StandbyHost is the host that keeps the idle colour attached to the load balancer,
	// without user traffic. Default: standby-<uid>.invalid, which nobody can resolve.
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^([a-z0-9]([a-z0-9.-]*[a-z0-9])?)?$')`,message="must be a host such as standby.example.com"
	// +kubebuilder:validation:MaxLength=253
	StandbyHost string `json:"standbyHost,omitempty"`
}
