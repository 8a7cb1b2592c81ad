package v1alpha1

// MaxConfigMaps is how many of a template's ConfigMaps a release records, by name.
const MaxConfigMaps = 32

// ConfigMapRecord is what a ConfigMap had when a release staged pods that read it.
type ConfigMapRecord struct {
	// Name of the ConfigMap.
	Name string `json:"name"`

	// Digest of what it had, in a form that is this release's own.
	Digest string `json:"digest"`
}
