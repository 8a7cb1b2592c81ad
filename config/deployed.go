package config

import (
	"strings"

	appsv1 "k8s.io/api/apps/v1"
)

// Name is the name of Turnout's Deployment, Service and ServiceAccount.
const Name = "turnout"

// SecretName is the Secret with what GitHub gave for the App.
const SecretName = "turnout-github"

// Keys of that Secret.
const (
	SecretAppID         = "app-id"
	SecretPrivateKey    = "private-key"
	SecretWebhookSecret = "webhook-secret"
	// SecretSetupToken opens the setup page; it is removed once there is an App.
	SecretSetupToken = "setup-token"
)

// ImageOf is the image that a Deployment of Turnout runs.
func ImageOf(d *appsv1.Deployment) string {
	if containers := d.Spec.Template.Spec.Containers; len(containers) > 0 {
		return containers[0].Image
	}
	return "nothing"
}

// ServedBy are the namespaces that a Deployment of Turnout serves; empty for the whole
// cluster.
func ServedBy(d *appsv1.Deployment) []string {
	if served := Setting(d, "namespaces"); served != "" {
		return strings.Split(served, ",")
	}
	return nil
}

// Setting is the value of a flag in a Deployment of Turnout, given as an argument or by its
// environment variable; empty if it is not given there.
func Setting(d *appsv1.Deployment, flag string) string {
	for _, container := range d.Spec.Template.Spec.Containers {
		for i, arg := range container.Args {
			value, found := strings.CutPrefix(arg, "--"+flag)
			switch {
			case found && strings.HasPrefix(value, "="):
				return value[1:]
			case found && value == "" && i+1 < len(container.Args):
				return container.Args[i+1]
			}
		}
		for _, v := range container.Env {
			if v.Name == "TURNOUT_"+strings.ToUpper(strings.ReplaceAll(flag, "-", "_")) {
				return v.Value
			}
		}
	}
	return ""
}
