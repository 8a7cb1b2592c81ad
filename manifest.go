// Package turnout has the manifest of the GitHub App, app.yml.
package turnout

import (
	_ "embed" // embeds app.yml
	"fmt"

	"sigs.k8s.io/yaml"
)

//go:embed app.yml
var manifest []byte

// Manifest is the part of app.yml that the bot rests on, with GitHub's names.
type Manifest struct {
	Name           string         `json:"name"`
	URL            string         `json:"url"`
	Description    string         `json:"description,omitempty"`
	Public         bool           `json:"public"`
	HookAttributes HookAttributes `json:"hook_attributes"`
	// RedirectURL is where GitHub sends whoever registered the App; app.yml has none.
	RedirectURL string `json:"redirect_url,omitempty"`
	// Permissions by name, each read or write.
	Permissions map[string]string `json:"default_permissions"`
	Events      []string          `json:"default_events"`
}

// HookAttributes configure the App's webhook.
type HookAttributes struct {
	URL    string `json:"url"`
	Active bool   `json:"active"`
}

// AppManifest reads app.yml. Each call returns a manifest of its own.
func AppManifest() Manifest {
	var m Manifest
	if err := yaml.UnmarshalStrict(manifest, &m); err != nil {
		panic(fmt.Sprintf("app.yml: %v", err)) // it is part of this program
	}
	return m
}
