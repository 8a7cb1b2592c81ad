package v1alpha1

// GatewaySpec names the route of the Gateway API that routes users.
type GatewaySpec struct {
	// Route is the name of the HTTPRoute, in the application's namespace.
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=253
	// +kubebuilder:validation:XValidation:rule=`self.matches(r'^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$')`,message="must be the name of an HTTPRoute: lower-case letters, digits, - and ."
	Route string `json:"route"`
}
